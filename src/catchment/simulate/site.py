"""The website that is visited: its pages, what they link to, and where people come from."""

from typing import NamedTuple

HOST = "www.acme.example"
ORIGIN = f"https://{HOST}"


class Page(NamedTuple):
    """One page; `pull` is how often visitors choose it, `intent_pull` how much more those with intent do."""

    path: str
    title: str
    height: int
    pull: float
    intent_pull: float
    landing: float

    @property
    def url(self) -> str:
        """Give the page's address without a query string."""
        return ORIGIN + self.path


HOME = Page("/", "Acme: planning software for operations teams", 3200, 1.0, 0.0, 0.24)
PRICING = Page("/pricing", "Pricing | Acme", 2600, 0.8, 0.55, 0.10)
SCHEDULING = Page("/product/scheduling", "Scheduling | Acme", 3800, 0.9, 0.35, 0.10)
FORECASTING = Page("/product/forecasting", "Forecasting | Acme", 3800, 0.8, 0.35, 0.08)
INTEGRATIONS = Page("/product/integrations", "Integrations | Acme", 3000, 0.6, 0.30, 0.04)
DOCS = Page("/docs/quick-start", "Quick start | Acme docs", 5200, 0.7, 0.05, 0.10)
DOCS_API = Page("/docs/api", "API reference | Acme docs", 7400, 0.5, 0.05, 0.05)
BLOG = Page("/blog/capacity-planning", "Capacity planning in five steps | Acme blog", 6100, 0.9, -0.45, 0.14)
BLOG_SHIFTS = Page("/blog/shift-handover", "The quiet art of shift handover | Acme blog", 5600, 0.7, -0.45, 0.08)
WHITE_PAPERS = Page("/white-papers", "White papers | Acme", 2400, 0.6, 0.15, 0.04)
WEBINAR = Page("/webinar", "Webinar: forecasting that planners trust | Acme", 2200, 0.4, 0.20, 0.03)
GET_STARTED = Page("/get-started", "Get started | Acme", 1500, 0.0, 0.0, 0.0)
CONTACT = Page("/contact", "Contact us | Acme", 1400, 0.0, 0.0, 0.0)
THANKS = Page("/thank-you", "Thank you | Acme", 900, 0.0, 0.0, 0.0)
ACCOUNT = Page("/account", "Your account | Acme", 1800, 0.0, 0.0, 0.0)

WANDERED = tuple(
    page
    for page in (
        *(HOME, PRICING, SCHEDULING, FORECASTING, INTEGRATIONS, DOCS, DOCS_API, BLOG, BLOG_SHIFTS),
        *(WHITE_PAPERS, WEBINAR),
    )
)
"""The pages that a visit lands on and wanders through; the others are reached on purpose."""


class WhitePaper(NamedTuple):
    """One white paper that can be downloaded."""

    title: str
    topic: str
    pages: int


LIBRARY = (
    WhitePaper("The planner's field guide", "planning", 24),
    WhitePaper("Forecast accuracy in practice", "forecasting", 18),
    WhitePaper("Connecting the shop floor", "integration", 32),
)


class Field(NamedTuple):
    """One field of a form as the tracker names it."""

    name: str
    node: str
    type: str


class Form(NamedTuple):
    """One form; `converts` says that sending it in is the conversion."""

    form_id: str
    page: Page
    fields: tuple[Field, ...]
    converts: bool


EMAIL = Field("email", "INPUT", "email")
FIRST_NAME = Field("first_name", "INPUT", "text")
LAST_NAME = Field("last_name", "INPUT", "text")
COMPANY = Field("company", "INPUT", "text")

GET_STARTED_FORM = Form("get_started", GET_STARTED, (EMAIL, FIRST_NAME, LAST_NAME, COMPANY), converts=True)
CONTACT_FORM = Form("contact", CONTACT, (EMAIL, LAST_NAME, COMPANY), converts=True)
NEWSLETTER_FORM = Form("newsletter", BLOG, (EMAIL,), converts=False)


class Channel(NamedTuple):
    """One way to the site; `pull` changes its share with intent, `campaigns` are its utm_campaign values."""

    name: str
    share: float
    pull: float
    referrers: tuple[str, ...] = ()
    source: str = ""
    medium: str = ""
    campaigns: tuple[str, ...] = ()
    cost_per_click: float = 0.0


DIRECT = Channel("direct", 0.20, 0.10)
EMAIL_CHANNEL = Channel("email", 0.08, 0.30, (), "newsletter", "email", ("monthly_digest", "product_news"))
CHANNELS = (
    Channel(
        "organic_search", 0.28, 0.0, ("https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/")
    ),
    DIRECT,
    Channel(
        "referral", 0.10, 0.35, ("https://reviews.softwareguide.example/planning", "https://partner.example/blog/tools")
    ),
    Channel("organic_social", 0.09, -0.40, ("https://www.linkedin.com/", "https://www.facebook.com/")),
    Channel(
        "paid_search", 0.13, 0.35, ("https://www.google.com/",), "google", "cpc", ("brand", "planning_software"), 3.1
    ),
    Channel(
        "paid_social", 0.07, -0.15, ("https://www.linkedin.com/",), "linkedin", "paid_social", ("ops_leaders",), 5.4
    ),
    Channel("display", 0.05, -0.50, ("https://www.facebook.com/",), "facebook", "display", ("lookalike",), 0.9),
    EMAIL_CHANNEL,
)
"""Where a first visit comes from. The shares add up to one for a visitor of average intent."""
