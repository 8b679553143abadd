"""One call of the Segment Spec: what it says becomes tracker parameters and entities, and nothing of it is lost.

Source of the names: the Spec's common fields. What no column and no field of an entity holds is kept as JSON in the
field `other` of the entity `context`.
"""

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from catchment.enrich.adapter import refuse
from catchment.enrich.failure import NAMESPACE

CALLS = ("track", "identify", "page", "screen", "group", "alias")
SPEC = "iglu:com.segment.spec/{}/jsonschema/1-0-0"
WEB_PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0"

Entity = tuple[str, dict[str, Any]]

_GROUPS = {
    "app": ("name", "version", "build", "namespace"),
    "campaign": ("name", "source", "medium", "term", "content"),
    "device": ("id", "advertisingId", "adTrackingEnabled", "manufacturer", "model", "name", "type", "version"),
    "library": ("name", "version"),
    "location": ("city", "country", "latitude", "longitude", "region", "speed"),
    "network": ("bluetooth", "carrier", "cellular", "wifi"),
    "os": ("name", "version"),
    "referrer": ("id", "type", "name", "url", "link"),
}
"""The parts of `context` that the Spec names and no column of an event holds."""
_TRAITS = (
    *("id", "email", "name", "firstName", "lastName", "username", "phone", "title", "gender", "birthday", "age"),
    *("createdAt", "description", "avatar", "website", "plan"),
)
_ADDRESS = ("street", "city", "state", "postalCode", "country")
_WEB = re.compile("analytics.js|javascript", re.IGNORECASE)
_MOBILE = re.compile("^(ios|iphone os|ipados|android)$", re.IGNORECASE)
_DEEPEST = 2
"""How many levels down anything is taken from: so many are copied, so that the sender's message stays as it is."""
_DAY_MS = 86_400_000
_CHANNELS = {"web": "web", "mobile": "mob", "server": "srv"}


class Call:
    """One call, and what of it is not told elsewhere yet; the sender's own message stays as it is."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        self.type = str(message["type"])
        told = {name: value for name, value in message.items() if name not in ("writeKey", "type")}
        self.rest: dict[str, Any] = _copy(told, levels=_DEEPEST)

    def take(self, *path: str) -> Any:
        """Give what stands there, and take it out of the rest."""
        place = self._place(path[:-1])
        return place.pop(path[-1], None) if place is not None else None

    def text(self, *path: str) -> str | None:
        """Give a text, or a number or truth as text; an empty one is none, anything else stays in the rest."""
        place = self._place(path[:-1])
        value = place.get(path[-1]) if place is not None else None
        if place is None or value is None or isinstance(value, dict | list):
            return None
        del place[path[-1]]
        if isinstance(value, bool):
            return str(value).lower()
        return None if value == "" else str(value)

    def texts(self, *path: str, names: tuple[str, ...]) -> dict[str, str]:
        """Give those of the named texts below a place that are there."""
        place = self._place(path)
        if not place:
            return {}
        return told({name: self.text(*path, name) for name in names if name in place})

    def _place(self, path: Sequence[str]) -> dict[str, Any] | None:
        place: Any = self.rest
        for name in path:
            place = place.get(name)
            if not isinstance(place, dict):
                return None
        found: dict[str, Any] = place
        return found

    def object(self, *path: str) -> dict[str, Any]:
        """Give an object, empty where there is none; raises Unreadable where something else stands there."""
        value = self.take(*path)
        if value is not None and not isinstance(value, dict):
            raise refuse("not_an_object", f"{'.'.join(path)}: an object was expected.", path=".".join(path))
        return value or {}


def _copy(value: dict[str, Any], levels: int) -> dict[str, Any]:
    if levels == 0:
        return dict(value)
    return {name: _copy(part, levels - 1) if isinstance(part, dict) else part for name, part in value.items()}


def told(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def read_number(value: Any) -> float | None:
    """Read a number, or a text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def read_columns(call: Call, received: datetime) -> dict[str, Any]:
    """Give the tracker parameters that any call may fill; raises Unreadable where it is nobody's."""
    user, anonymous = call.text("userId"), call.text("anonymousId")
    if user is None and anonymous is None:
        raise refuse("nobody", "A call needs a userId or an anonymousId.", path="userId")
    session = call.text("context", "sessionId")
    moments = _moments(call)
    referrer = call.text("context", "page", "referrer")
    platform = _platform(call)
    address = call.text("context", "ip")
    return {
        "p": platform,
        "tna": "segment",
        "uid": user,
        "duid": anonymous,
        "sid": _session(anonymous, session, moments.get("dtm"), received) if platform != "srv" else None,
        "ip": address or ("unknown" if platform == "srv" else None),  # a server's address is not its user's
        "ua": call.text("context", "userAgent"),
        "lang": call.text("context", "locale"),
        "tz": call.text("context", "timezone"),
        "res": _size(call, "width", "height"),
        "vp": _size(call, "innerWidth", "innerHeight"),
        "url": call.text("context", "page", "url"),
        "page": call.text("context", "page", "title"),
        "refr": None if referrer == "$direct" else referrer,
        **moments,
    }


def read_page(call: Call, columns: dict[str, Any], page_view_id: str) -> list[Entity]:
    """Give the entities of a page call, and let what it says of its page count more than where it was made."""
    properties = Call({"type": "page", **call.object("properties")})
    referrer = properties.text("referrer")
    said = {"url": properties.text("url"), "page": properties.text("title")}
    columns.update(told(said | {"refr": None if referrer == "$direct" else referrer}))
    page = {
        "name": call.text("name") or properties.text("name"),
        "category": call.text("category") or properties.text("category"),
        **{name: properties.text(name) or call.text("context", "page", name) for name in ("path", "search")},
        "properties": properties.rest,
    }
    return [(WEB_PAGE, {"id": page_view_id}), (SPEC.format("page"), told(page))]


def read_traits(call: Call, said: Mapping[str, Any]) -> list[Entity]:
    """Give what is known of the person, by this call or one before it, as an entity; none where nothing is."""
    traits = Call({"type": "traits", **call.object("context", "traits"), **said})
    typed = traits.texts(names=_TRAITS) | traits.texts("address", names=_ADDRESS)
    for name, other in (("firstName", "first_name"), ("lastName", "last_name"), ("createdAt", "created_at")):
        typed.setdefault(name, traits.text(other) or "")
    for name in ("city", "country"):
        typed.setdefault(name, traits.text(name) or "")
    typed["company"] = traits.text("company", "name") or traits.text("company") or ""
    fields = {name: value for name, value in typed.items() if value != ""}
    rest = _prune(traits.rest)
    return [(SPEC.format("traits"), fields | ({"other": rest} if rest else {}))] if fields or rest else []


def read_context(call: Call, source: str | None) -> tuple[Entity, str | None, str]:
    """Give the entity of all else that a call says, and by it the app and the library that made it."""
    groups = {name: call.texts("context", name, names=parts) for name, parts in _GROUPS.items()}
    fields = {
        "messageId": call.text("messageId"),
        "type": call.type,
        "source": source,
        "channel": call.text("channel"),
        "groupId": call.text("context", "groupId"),
        "active": call.text("context", "active"),
        **groups,
        "integrations": call.object("integrations"),
        "consent": call.object("context", "consent"),
        "other": _prune(call.rest),
    }
    library = groups["library"]
    app = groups["app"].get("name")
    tracker = "-".join(library.values()) or "segment"
    entity = SPEC.format("context"), told(fields)
    return entity, source or (app if app != library.get("name") else None), tracker


def identify(message_id: str) -> str:
    """Give the id of the event of a message: its own where that is a UUID, else one that is always the same."""
    try:
        return str(uuid.UUID(message_id)) if len(message_id) == 36 else _stable(message_id)
    except ValueError:
        return _stable(message_id)


def _stable(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"segment/{name}"))


def _session(anonymous: str | None, session: str | None, created: str | None, received: datetime) -> str | None:
    """Name the visit: by the SDK's word, else by the visitor's day, for analytics.js tells none."""
    if anonymous is None:
        return None
    day = int(created or received.timestamp() * 1000) // _DAY_MS
    return _stable(f"session/{anonymous}/{session or f'day {day}'}")


def _platform(call: Call) -> str:
    context = call.rest.get("context")
    context = context if isinstance(context, dict) else {}
    by_channel = _CHANNELS.get(str(call.rest.get("channel")))
    if by_channel is not None:
        return by_channel
    names = {name: part.get("name") for name, part in context.items() if isinstance(part, dict)}
    device = context.get("device")
    kinds = (names.get("os"), device.get("type") if isinstance(device, dict) else None)
    if any(_MOBILE.match(str(kind)) for kind in kinds):
        return "mob"
    return "web" if _WEB.search(str(names.get("library"))) or "page" in context else "srv"


def _size(call: Call, *names: str) -> str | None:
    sides = [read_number(call.take("context", "screen", name)) for name in names]
    return "x".join(f"{side:.0f}" for side in sides if side is not None) if None not in sides else None


def _moments(call: Call) -> dict[str, str | None]:
    """Give when it happened and when it was sent, both by the sender's clock, which the receiver's corrects.

    A time that comes without that of sending is meant as it stands: so history is imported.
    """
    times = {name: _milliseconds(call, name) for name in ("originalTimestamp", "timestamp", "sentAt")}
    call.take("receivedAt")
    created = times["originalTimestamp"] or times["timestamp"]
    if times["sentAt"] is None:
        return {"dtm": created, "ttm": times["timestamp"] or created}
    return {"dtm": created, "stm": times["sentAt"]}


def _milliseconds(call: Call, name: str) -> str | None:
    text = call.text(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise refuse("invalid_timestamp", f"{name}: a time by ISO 8601 was expected.", path=name) from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return str(int(aware.timestamp() * 1000))


def _prune(value: dict[str, Any]) -> dict[str, Any]:
    """Take out what says nothing, one level down."""
    lean = {name: told(part) if isinstance(part, dict) else part for name, part in value.items()}
    return {name: part for name, part in lean.items() if part not in (None, "", {}, [])}
