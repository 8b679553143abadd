"""Who the visitors are: hidden intent, channel, device, place, company and clock.

Intent is drawn from the standard normal distribution. It shifts everything that follows, and nothing that is sent
names it.
"""

import math
import uuid
from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar

from catchment.simulate.geography import PLACES, Place, draw_address
from catchment.simulate.site import CHANNELS, Channel

BOT_SHARE = 0.01
BASE64_SHARE = 0.3
SKEWED_SHARE = 0.2
KNOWN_SHARE = 0.25

NETWORK_IDS = uuid.UUID("6f0c5d0e-52d5-4bb6-9b6d-6a1a3d7d2c11")

Choice = TypeVar("Choice")


class Device(NamedTuple):
    """One kind of device with the user agent that it sends; `pull` changes its share with intent."""

    category: str
    useragent: str
    screen: tuple[int, int]
    viewport: tuple[int, int]
    share: float
    pull: float


_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
DEVICES = (
    Device("Desktop", f"{_WINDOWS} Chrome/142.0.0.0 Safari/537.36", (1920, 1080), (1903, 969), 0.27, 0.15),
    Device("Desktop", f"{_WINDOWS} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", (1536, 864), (1519, 730), 0.13, 0.15),
    Device(
        "Desktop", f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", (1512, 982),
        (1497, 823), 0.14, 0.15,
    ),
    Device(
        "Desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", (1920, 1200),
        (1905, 1043), 0.06, 0.15,
    ),
    Device(
        "Mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Mobile/15E148 Safari/604.1", (390, 844), (390, 664), 0.20, -0.25,
    ),
    Device(
        "Mobile", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
        "Mobile Safari/537.36", (412, 915), (412, 784), 0.17, -0.25,
    ),
    Device(
        "Tablet", "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/16.6 Mobile/15E148 Safari/604.1", (820, 1180), (820, 1106), 0.03, -0.10,
    ),
)  # fmt: skip
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)

FIRST_NAMES = (
    *(
        "Ada",
        "Aisha",
        "Anna",
        "Ben",
        "Carla",
        "Chen",
        "Daniel",
        "Elif",
        "Emma",
        "Felix",
        "Grace",
        "Hugo",
        "Ines",
        "Jonas",
    ),
    *(
        "Katja",
        "Lars",
        "Lena",
        "Luis",
        "Mara",
        "Marco",
        "Mei",
        "Nadia",
        "Noah",
        "Olga",
        "Omar",
        "Paul",
        "Priya",
        "Rosa",
    ),
    *("Samir", "Sofia", "Tom", "Uma", "Viktor", "Wanda", "Yara", "Zoe"),
)
LAST_NAMES = (
    *(
        "Almeida",
        "Bauer",
        "Becker",
        "Bose",
        "Carter",
        "Costa",
        "Dubois",
        "Evans",
        "Fischer",
        "Garcia",
        "Gupta",
        "Hansen",
    ),
    *("Iyer", "Jansen", "Keller", "Khan", "Lopez", "Martin", "Meyer", "Moreau", "Nguyen", "Novak", "Okafor", "Patel"),
    *("Reed", "Rossi", "Santos", "Schmidt", "Silva", "Smit", "Taylor", "Vogel", "Walker", "Weber", "Wong", "Young"),
)
COMPANY_STEMS = (
    "Alder",
    "Beacon",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Linden",
)
COMPANY_KINDS = ("Foods", "Logistics", "Machines", "Pharma", "Plastics", "Retail", "Steel", "Textiles", "Works")
COMPANY_SIZES = (12, 60, 250, 1200, 6000)


class Contact(NamedTuple):
    """What a visitor says in a form; the entity `com.acme/user` and the CRM say the same."""

    user_id: str
    email: str
    first_name: str
    last_name: str
    company: str
    company_size: int


class Visitor(NamedTuple):
    """One browser of one person; `clock_skew_ms` is how far its clock is off."""

    domain_userid: str
    intent: float
    is_bot: bool
    becomes_known: bool
    channel: Channel
    device: Device
    place: Place
    address: str
    contact: Contact
    clock_skew_ms: int
    uses_base64: bool

    @property
    def network_userid(self) -> str:
        """Give the collector's cookie for this browser."""
        return network_userid(self.domain_userid)


def network_userid(domain_userid: str) -> str:
    """Give the collector's cookie that belongs to a tracker's cookie, so that both can be told from either."""
    return str(uuid.uuid5(NETWORK_IDS, domain_userid))


def draw_visitor(rng: Random) -> Visitor:
    """Draw one visitor."""
    intent = rng.gauss(0.0, 1.0)
    is_bot = rng.random() < BOT_SHARE
    place = choose(rng, PLACES, [place.share * math.exp(0.15 * intent * (1 if place.core else -1)) for place in PLACES])
    device = choose(rng, DEVICES, [device.share * math.exp(device.pull * intent) for device in DEVICES])
    if is_bot:
        device = device._replace(useragent=rng.choice(CRAWLERS))
    return Visitor(
        domain_userid=draw_uuid(rng),
        intent=intent,
        is_bot=is_bot,
        becomes_known=not is_bot and rng.random() < KNOWN_SHARE,
        channel=choose(rng, CHANNELS, [channel.share * math.exp(channel.pull * intent) for channel in CHANNELS]),
        device=device,
        place=place,
        address=draw_address(rng, place),
        contact=_draw_contact(rng),
        clock_skew_ms=_draw_clock_skew(rng),
        uses_base64=rng.random() < BASE64_SHARE,
    )


def draw_uuid(rng: Random) -> str:
    """Draw a version 4 UUID from the seeded source."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def choose(rng: Random, choices: Sequence[Choice], weights: Sequence[float]) -> Choice:
    """Draw one of the choices in proportion to its weight."""
    return rng.choices(choices, weights)[0]


def _draw_contact(rng: Random) -> Contact:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    stem, kind = rng.choice(COMPANY_STEMS), rng.choice(COMPANY_KINDS)
    number = f"{rng.getrandbits(32):08x}"
    return Contact(
        user_id=f"user-{number}",
        email=f"{first}.{last}.{number}@{stem}-{kind}.example".lower(),
        first_name=first,
        last_name=last,
        company=f"{stem} {kind}",
        company_size=rng.choice(COMPANY_SIZES),
    )


def _draw_clock_skew(rng: Random) -> int:
    if rng.random() < SKEWED_SHARE:
        return round(rng.gauss(0.0, 3.0) * 3_600_000)
    return round(rng.gauss(0.0, 800.0))
