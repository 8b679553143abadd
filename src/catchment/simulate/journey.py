"""What a visitor does: visits, pages, attention, clicks and forms, as moments in true time."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from catchment.simulate.population import Visitor, choose, draw_uuid
from catchment.simulate.site import (
    ACCOUNT,
    CONTACT_FORM,
    DIRECT,
    EMAIL_CHANNEL,
    GET_STARTED_FORM,
    LIBRARY,
    NEWSLETTER_FORM,
    THANKS,
    WANDERED,
    WHITE_PAPERS,
    Channel,
    Form,
    Page,
)  # fmt: skip

HISTORY_DAYS = 60
HEARTBEAT_MS = 10_000
MIN_VISIT_LENGTH_MS = 5_000
LONGEST_VISIT_MS = 2 * 3_600_000
DAY_MS = 86_400_000

VENDOR = "iglu:com.snowplowanalytics.snowplow"
LINK_CLICK = f"{VENDOR}/link_click/jsonschema/1-0-1"
FOCUS_FORM = f"{VENDOR}/focus_form/jsonschema/1-0-0"
CHANGE_FORM = f"{VENDOR}/change_form/jsonschema/1-0-0"
SUBMIT_FORM = f"{VENDOR}/submit_form/jsonschema/1-0-0"
WHITE_PAPER_DOWNLOADED = "iglu:com.acme/white_paper_downloaded/jsonschema/1-0-0"


class View(NamedTuple):
    """One view of one page: what the tracker repeats on each of its events."""

    page_view_id: str
    page: Page
    url: str
    referrer: str


class Moment(NamedTuple):
    """One event before it is put on the wire; `schema` and `content` only where it is self-describing."""

    at_ms: int
    kind: str
    view: View
    is_known: bool
    schema: str = ""
    content: dict[str, Any] = {}
    scroll: tuple[int, int] = (0, 0)


class Visit(NamedTuple):
    """One session; `converted_at_ms` is None unless a converting form was sent in during it."""

    session_id: str
    number: int
    channel: Channel
    campaign: str
    moments: tuple[Moment, ...]
    converted_at_ms: int | None

    @property
    def started_at_ms(self) -> int:
        """Give the time of the first event."""
        return self.moments[0].at_ms

    @property
    def ended_at_ms(self) -> int:
        """Give the time of the last event."""
        return self.moments[-1].at_ms

    @property
    def leaves_known(self) -> bool:
        """Say whether the site knows who it is when the visit ends."""
        return self.moments[-1].is_known


class Plan(NamedTuple):
    """What is decided about a visit before it begins."""

    number: int
    starts_at_ms: int
    channel: Channel
    is_known: bool = False
    signs_up: bool = False
    converts: bool = False


def draw_first_plan(rng: Random, visitor: Visitor, now_ms: int) -> Plan:
    """Decide the first visit: when, and whether it already makes the visitor known or converts."""
    converts = not visitor.is_bot and rng.random() < 1 / (1 + math.exp(5.0 - 1.1 * visitor.intent))
    return Plan(
        number=1,
        starts_at_ms=_draw_time(rng, visitor, now_ms),
        channel=visitor.channel,
        signs_up=visitor.becomes_known and not converts,
        converts=converts,
    )


def draw_return_plans(rng: Random, visitor: Visitor, first: Visit, converts: bool, now_ms: int) -> list[Plan]:
    """Decide the later visits; one that converts does so within 13.5 days of the first."""
    if visitor.is_bot:
        return []
    starts = []
    if converts:
        starts.append((first.ended_at_ms + round((0.05 + min(rng.expovariate(1 / 3.5), 13.4)) * DAY_MS), True))
    idle = range(_draw_count(rng, 0.75 * math.exp(0.35 * visitor.intent)))
    starts.extend((first.ended_at_ms + round((0.1 + rng.expovariate(1 / 12)) * DAY_MS), False) for _ in idle)
    plans: list[Plan] = []
    is_known, free_from = first.leaves_known, first.ended_at_ms
    for starts_at, with_conversion in sorted(starts):
        # Only an idle visit is dropped for being too near: the one that converts is what the truth promised.
        if starts_at > now_ms - LONGEST_VISIT_MS or (starts_at < free_from + LONGEST_VISIT_MS and not with_conversion):
            continue
        plans = [plan for plan in plans if plan.starts_at_ms < starts_at - LONGEST_VISIT_MS]
        channel = choose(rng, (visitor.channel, DIRECT, EMAIL_CHANNEL), (0.35, 0.45, 0.4 if is_known else 0.05))
        plans.append(Plan(len(plans) + 2, starts_at, channel, is_known=is_known, converts=with_conversion))
        is_known, free_from = is_known or with_conversion, starts_at
    return plans


def draw_visit(rng: Random, visitor: Visitor, plan: Plan) -> Visit:
    """Let the visit happen."""
    walk = _Walk(rng, visitor, plan)
    moments = tuple(walk.crawl() if visitor.is_bot else walk.wander())
    return Visit(draw_uuid(rng), plan.number, plan.channel, walk.campaign, moments, walk.converted_at_ms)


class _Walk:
    """The state of one visit while it happens: the clock, the page in view and whether the visitor is known."""

    def __init__(self, rng: Random, visitor: Visitor, plan: Plan) -> None:
        self.rng, self.visitor, self.plan = rng, visitor, plan
        self.clock_ms = plan.starts_at_ms
        self.is_known = plan.is_known
        self.converted_at_ms: int | None = None
        self.campaign = rng.choice(plan.channel.campaigns) if plan.channel.campaigns else ""
        self.view: View | None = None

    def wander(self) -> Iterator[Moment]:
        """Look around; then sign up or convert where the plan says so."""
        intent = self.visitor.intent
        pages = min(1 + _draw_count(self.rng, 1.1 * math.exp(0.45 * intent)), 9)
        page = self._landing()
        for number in range(pages):
            if number > 0:
                following = self._following(page)
                yield from self._click(following, share=0.55)
                page = following
            yield from self._read(page, scale=1.0)
            if page is WHITE_PAPERS and self.rng.random() < 0.35:
                yield self._download()
        if self.plan.converts:
            yield from self._send_in(GET_STARTED_FORM if self.rng.random() < 0.7 else CONTACT_FORM)
        elif self.plan.signs_up and self.rng.random() < 0.5:
            yield from self._send_in(NEWSLETTER_FORM)
        elif self.plan.signs_up:
            yield from self._log_in()

    def crawl(self) -> Iterator[Moment]:
        """Fetch page after page, as a machine does: no attention, no clicks."""
        for _ in range(self.rng.randint(8, 30)):
            yield self._open(self.rng.choice(WANDERED))
            self.clock_ms += self.rng.randint(700, 4_000)

    def _landing(self) -> Page:
        weights = [page.landing * math.exp(0.6 * page.intent_pull * self.visitor.intent) for page in WANDERED]
        return choose(self.rng, WANDERED, weights)

    def _following(self, page: Page) -> Page:
        others = [other for other in WANDERED if other is not page]
        weights = [other.pull * math.exp(other.intent_pull * self.visitor.intent) for other in others]
        return choose(self.rng, others, weights)

    def _open(self, page: Page) -> Moment:
        if self.view is not None:
            url, referrer = page.url, self.view.url
        else:
            url = page.url + _campaign_query(self.plan.channel, self.campaign)
            referrer = self.rng.choice(self.plan.channel.referrers) if self.plan.channel.referrers else ""
        self.view = View(draw_uuid(self.rng), page, url, referrer)
        return self._moment("pv")

    def _read(self, page: Page, *, scale: float) -> Iterator[Moment]:
        yield self._open(page)
        rng, intent = self.rng, self.visitor.intent
        pings = min(int(scale * rng.lognormvariate(1.05 + 0.42 * intent, 0.75)), 24)
        reach = min(1.0, 0.15 + 0.12 * pings + 0.1 * rng.random())
        opened_at = self.clock_ms
        beat = 0
        for ping in range(pings):
            # A pause: the tab stays open, but nobody moves, so the heartbeat stays silent.
            beat += 1 + (rng.randint(1, 4) if rng.random() < 0.08 else 0)
            self.clock_ms = opened_at + MIN_VISIT_LENGTH_MS + (beat - 1) * HEARTBEAT_MS + rng.randint(1, 30) + beat
            yield self._moment("pp", scroll=_scroll(self.visitor, page, reach, ping, pings))
        self.clock_ms += rng.randint(800, 4_500)

    def _click(self, page: Page, *, share: float) -> Iterator[Moment]:
        if self.rng.random() < share:
            element = f"link-{page.path.strip('/').replace('/', '-') or 'home'}"
            content = {"targetUrl": page.url, "elementId": element, "elementClasses": ["nav-link"]}
            yield self._moment("ue", LINK_CLICK, {**content, "elementTarget": "", "elementContent": page.title})
            self.clock_ms += self.rng.randint(150, 600)

    def _download(self) -> Moment:
        self.clock_ms += self.rng.randint(500, 3_000)
        paper = self.rng.choice(LIBRARY)
        content = {"white_paper": paper.title, "topic": paper.topic, "pages": paper.pages}
        return self._moment("ue", WHITE_PAPER_DOWNLOADED, content)

    def _send_in(self, form: Form) -> Iterator[Moment]:
        """Fill in a form and send it; the event itself already carries who sent it, later ones the user id too."""
        if form is not NEWSLETTER_FORM:
            yield from self._click(form.page, share=1.0)
            yield self._open(form.page)
        contact = self.visitor.contact._asdict()
        for field in form.fields:
            self.clock_ms += self.rng.randint(600, 2_500)
            content = {"formId": form.form_id, "elementId": field.name, "nodeName": field.node, "elementClasses": []}
            yield self._moment("ue", FOCUS_FORM, {**content, "elementType": field.type, "value": ""})
            self.clock_ms += self.rng.randint(1_500, 6_000)
            yield self._moment("ue", CHANGE_FORM, {**content, "type": field.type, "value": contact[field.name]})
        self.clock_ms += self.rng.randint(400, 2_000)
        elements = [
            {"name": field.name, "value": contact[field.name], "nodeName": field.node, "type": field.type}
            for field in form.fields
        ]
        self.is_known = True
        if form.converts:
            self.converted_at_ms = self.clock_ms
        yield self._moment("ue", SUBMIT_FORM, {"formId": form.form_id, "formClasses": [], "elements": elements})
        self.clock_ms += self.rng.randint(300, 900)
        yield self._open(THANKS)

    def _log_in(self) -> Iterator[Moment]:
        yield from self._click(ACCOUNT, share=1.0)
        self.is_known = True
        yield self._open(ACCOUNT)

    def _moment(
        self, kind: str, schema: str = "", content: dict[str, Any] | None = None, scroll: tuple[int, int] = (0, 0)
    ) -> Moment:
        if self.view is None:
            raise AssertionError("a visit begins by opening a page")
        return Moment(self.clock_ms, kind, self.view, self.is_known, schema, content or {}, scroll)


def _campaign_query(channel: Channel, campaign: str) -> str:
    if not channel.medium:
        return ""
    return f"?utm_source={channel.source}&utm_medium={channel.medium}&utm_campaign={campaign}"


def _scroll(visitor: Visitor, page: Page, reach: float, ping: int, pings: int) -> tuple[int, int]:
    room = max(page.height - visitor.device.viewport[1], 0)
    return round(room * reach * ping / pings), round(room * reach * (ping + 1) / pings)


def _draw_count(rng: Random, mean: float) -> int:
    """Draw from the Poisson distribution."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _draw_time(rng: Random, visitor: Visitor, now_ms: int) -> int:
    """Draw a start within the history, likelier in the working hours of the visitor's own place."""
    while True:
        at_ms = now_ms - LONGEST_VISIT_MS - rng.randrange(HISTORY_DAYS * DAY_MS - LONGEST_VISIT_MS)
        local = datetime.fromtimestamp(at_ms / 1000 + visitor.place.utc_offset_h * 3600, UTC)
        likely = (1.0 if 8 <= local.hour < 18 else 0.35) * (1.0 if local.weekday() < 5 else 0.5)
        if rng.random() < likely:
            return at_ms
