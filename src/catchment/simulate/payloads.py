"""Moments become what a tracker puts on the wire: batches of the tracker protocol, with its flaws."""

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from catchment.simulate.breaks import USER, draw_break
from catchment.simulate.journey import VENDOR, Moment, Visit
from catchment.simulate.population import Visitor, draw_uuid

APP_ID = "acme-website"
TRACKER = "js-4.6.8"
TP2 = "/com.snowplowanalytics.snowplow/tp2"
PAYLOAD_DATA = f"{VENDOR}/payload_data/jsonschema/1-0-4"
CONTEXTS = f"{VENDOR}/contexts/jsonschema/1-0-0"
UNSTRUCT_EVENT = f"{VENDOR}/unstruct_event/jsonschema/1-0-0"
WEB_PAGE = f"{VENDOR}/web_page/jsonschema/1-0-0"

BROKEN_SHARE = 0.01
DUPLICATE_SHARE = 0.01
LATE_SHARE = 0.02
LARGEST_BATCH = 10
LONGEST_DELAY_MS = 20 * 3_600_000


class Delivery(NamedTuple):
    """One request: how many events it carries, how many break their schema, how many were sent before."""

    body: bytes
    headers: dict[str, str]
    events: int
    broken: int
    copies: int


def draw_deliveries(rng: Random, visitor: Visitor, visits: list[Visit]) -> Iterator[Delivery]:
    """Put a visitor's visits on the wire, in batches as the tracker would send them."""
    headers = {
        "content-type": "application/json; charset=UTF-8",
        "user-agent": visitor.device.useragent,
        "x-forwarded-for": visitor.address,
        "cookie": f"sp={visitor.network_userid}",
        "origin": "https://www.acme.example",
    }
    for visit in visits:
        batch: list[dict[str, str]] = []
        broken = 0
        for moment in visit.moments:
            is_broken = rng.random() < BROKEN_SHARE
            batch.append(_event(rng, visitor, visit, moment, is_broken=is_broken))
            broken += is_broken
            if len(batch) == LARGEST_BATCH:
                yield from _send(rng, batch, headers, broken)
                batch, broken = [], 0
        if batch:
            yield from _send(rng, batch, headers, broken)


def _send(rng: Random, batch: list[dict[str, str]], headers: dict[str, str], broken: int) -> Iterator[Delivery]:
    """Stamp a batch at its sending; now and then the answer is lost on the way, and the tracker sends it again."""
    delay = rng.randrange(LONGEST_DELAY_MS) if rng.random() < LATE_SHARE else rng.randint(5, 900)
    sent_at = max(int(event["dtm"]) for event in batch) + delay
    for event in batch:
        event["stm"] = str(sent_at)
    body = json.dumps({"schema": PAYLOAD_DATA, "data": batch}, separators=(",", ":")).encode()
    yield Delivery(body, headers, len(batch), broken, 0)
    if rng.random() < DUPLICATE_SHARE:
        yield Delivery(body, headers, len(batch), broken, len(batch))


def _event(rng: Random, visitor: Visitor, visit: Visit, moment: Moment, *, is_broken: bool) -> dict[str, str]:
    view, device, place = moment.view, visitor.device, visitor.place
    width, height = device.viewport
    event = {
        "e": moment.kind,
        "p": "web",
        "tv": TRACKER,
        "tna": "sp",
        "aid": APP_ID,
        "eid": draw_uuid(rng),
        "dtm": str(moment.at_ms + visitor.clock_skew_ms),
        "ttm": str(moment.at_ms),
        "duid": visitor.domain_userid,
        "sid": visit.session_id,
        "vid": str(visit.number),
        "url": view.url,
        "page": view.page.title,
        "res": f"{device.screen[0]}x{device.screen[1]}",
        "vp": f"{width}x{height}",
        "ds": f"{width}x{view.page.height}",
        "lang": place.language,
        "tz": place.timezone,
        "cs": "UTF-8",
        "cd": "24",
        "cookie": "1",
    }
    if view.referrer:
        event["refr"] = view.referrer
    if moment.kind == "pp":
        low, high = moment.scroll
        event |= {"pp_mix": "0", "pp_max": "0", "pp_miy": str(low), "pp_may": str(high)}
    if moment.is_known:
        event["uid"] = visitor.contact.user_id
    entities, content = _entities(visitor, moment), moment.content
    if is_broken:
        entities, content = draw_break(rng, entities, content)
    _attach(event, visitor, ("co", "cx"), CONTEXTS, entities)
    if moment.schema:
        _attach(event, visitor, ("ue_pr", "ue_px"), UNSTRUCT_EVENT, {"schema": moment.schema, "data": content})
    return event


def _entities(visitor: Visitor, moment: Moment) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = [{"schema": WEB_PAGE, "data": {"id": moment.view.page_view_id}}]
    if moment.is_known:
        contact = visitor.contact
        user = {
            "email": contact.email,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "company": contact.company,
            "country": visitor.place.country,
        }
        entities.append({"schema": USER, "data": user})
    return entities


def _attach(event: dict[str, str], visitor: Visitor, names: tuple[str, str], schema: str, data: Any) -> None:
    text = json.dumps({"schema": schema, "data": data}, separators=(",", ":"))
    if visitor.uses_base64:
        event[names[1]] = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    else:
        event[names[0]] = text
