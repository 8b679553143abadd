"""SendGrid's event webhook: what became of each e-mail, many in one POST, as JSON."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from catchment.enrich.adapter import (
    ADAPTER,
    Adapter,
    Example,
    Part,
    Unreadable,
    describe_event,
    read_json,
    refuse,
    wrap_entities,
)
from catchment.enrich.failure import NAMESPACE
from catchment.schema.resolver import Resolver

PATH = "/com.sendgrid/v3"
EVENTS = (
    *("processed", "dropped", "delivered", "deferred", "bounce", "open", "click", "spamreport", "unsubscribe"),
    *("group_unsubscribe", "group_resubscribe"),
)
FIELDS = frozenset(
    ("email", "timestamp", "smtp-id", "category", "sg_event_id", "sg_message_id", "response", "attempt", "reason")
) | {"status", "type", "ip", "tls", "cert_err", "useragent", "url", "url_offset", "asm_group_id", "sg_machine_open"}
"""What the schemas know; arguments of the sender's own come beside them, on the same level."""


class SendGrid(Adapter):
    """SendGrid's event webhook: what became of each e-mail; your own arguments are an entity."""

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {
                "path": PATH,
                "content_type": "application/json",
                "body": b"""[{"email": "ada@example.com", "timestamp": 1513299569, "event": "click", "ip": "198.18.0.9",
                "sg_event_id": "kCAi1KttyQdEKHhdC-nuEA", "sg_message_id": "14c5d75ce93.dfd.64b469", "category": "news",
                "url": "https://acme.example/offer", "useragent": "Mozilla/5.0", "order": 7},
                {"email": "ada@example.com", "timestamp": 1513299570, "event": "delivered", "category": ["a", "b"]},
                {"email": "ada@example.com", "event": "read"}, 7]""",
            },
            [
                {
                    "event_name": "click",
                    "event_vendor": "com.sendgrid",
                    "platform": "srv",
                    "user_ipaddress": "198.18.0.9",
                    "event_id": str(uuid.uuid5(NAMESPACE, "sendgrid/kCAi1KttyQdEKHhdC-nuEA")),
                    "derived_tstamp": datetime(2017, 12, 15, 0, 59, 29, tzinfo=UTC),
                    "unstruct_event_com_sendgrid_click_3": {
                        "email": "ada@example.com",
                        "url": "https://acme.example/offer",
                        "category": '"news"',
                    },
                    "contexts_com_sendgrid_arguments_1": [{"arguments": '{"order":7}'}],
                },
                {"event_name": "delivered", "useragent": None},
            ],
            [ADAPTER, ADAPTER],
        ),
        Example({"path": PATH, "content_type": "application/json", "body": b"{}"}, failed=[ADAPTER]),
    )

    def accepts(self, path: str) -> bool:
        return path == PATH

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        content = read_json(payload["body"])
        if not isinstance(content, list) or not content:
            raise refuse("empty", "The body is no list of events.")
        return [_read(item) for item in content]

    def part_again(self, kept: dict[str, Any], index: int, payload: dict[str, Any], resolver: Resolver) -> Part:
        return _read(kept)


def _read(item: Any) -> Part:
    try:
        if not isinstance(item, dict) or item.get("event") not in EVENTS:
            raise refuse("unknown_event", f"event: one of {', '.join(EVENTS)} was expected.", path="event")
        moment = item.get("timestamp")
        if isinstance(moment, bool) or not isinstance(moment, int) or not 0 <= moment < 253_402_300_800:
            raise refuse("invalid_timestamp", "timestamp: seconds since 1970 were expected.", path="timestamp")
        data = {name: value for name, value in item.items() if name in FIELDS}
        data["timestamp"] = datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
        own = {name: value for name, value in item.items() if name not in FIELDS and name != "event"}
        arguments = {"schema": "iglu:com.sendgrid/arguments/jsonschema/1-0-0", "data": {"arguments": own}}
        parameters = {
            "tv": "com.sendgrid-v3",
            "p": "srv",
            "ttm": str(moment * 1000),
            "ip": str(item.get("ip") or "unknown"),  # who clicked; SendGrid's own address is nobody's
            **describe_event(f"iglu:com.sendgrid/{item['event']}/jsonschema/3-0-0", data),
            **wrap_entities([arguments] if own else []),
        }
        if item.get("sg_event_id"):
            parameters["eid"] = str(uuid.uuid5(NAMESPACE, f"sendgrid/{item['sg_event_id']}"))
    except Unreadable as error:
        return Part(item if isinstance(item, dict) else {"item": item}, error)
    return Part(parameters)
