"""Mailgun's webhooks: what became of one e-mail, as JSON, signed."""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from catchment.enrich.adapter import ADAPTER, Adapter, Example, Part, describe_event, read_json, refuse
from catchment.enrich.failure import NAMESPACE
from catchment.schema.resolver import Resolver

PATH = "/com.mailgun/v1"
SCHEMA = "iglu:com.mailgun/message_{}/jsonschema/2-0-0"
EVENTS = ("accepted", "delivered", "failed", "rejected", "opened", "clicked", "unsubscribed", "complained", "stored")
FIELDS = ("id", "recipient", "severity", "reason", "url", "campaigns", "tags", "ip", "geolocation")
OBJECTS = ("client-info", "delivery-status", "envelope", "flags", "message", "storage", "user-variables")


class Mailgun(Adapter):
    """Mailgun's webhooks: what became of one e-mail; refused where its signature is not by your key."""

    signing_key: SecretStr | None = Field(
        default=None, description="The HTTP webhook signing key of your account; without it nothing is verified."
    )

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {
                "path": PATH,
                "content_type": "application/json",
                "body": b"""{"signature": {"timestamp": "1529006854", "token": "a8ce0edb", "signature": "d2271d12"},
                "event-data": {"event": "opened", "timestamp": 1529006854.329574, "id": "DACSsAdVSeGpLid7TN03WA",
                "recipient": "ada@example.com", "ip": "198.18.0.9", "client-info": {"client-os": "Linux"}}}""",
            },
            [
                {
                    "event_name": "message_opened",
                    "event_id": str(uuid.uuid5(NAMESPACE, "mailgun/DACSsAdVSeGpLid7TN03WA")),
                    "user_ipaddress": "198.18.0.9",
                    "derived_tstamp": datetime(2018, 6, 14, 20, 7, 34, 329_000, tzinfo=UTC),
                    "unstruct_event_com_mailgun_message_opened_2": {
                        "recipient": "ada@example.com",
                        "client_info": '{"client-os":"Linux"}',
                    },
                }
            ],
        ),
        Example(
            {"path": PATH, "content_type": "application/json", "body": b'{"event-data": {"event": "x"}}'},
            failed=[ADAPTER],
        ),
    )

    def accepts(self, path: str) -> bool:
        return path == PATH

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        content = read_json(payload["body"])
        event = content.get("event-data") if isinstance(content, dict) else None
        if not isinstance(event, dict) or event.get("event") not in EVENTS:
            message = f"event-data.event: one of {', '.join(EVENTS)} was expected."
            raise refuse("unknown_event", message, path="event-data.event")
        self._verify(content.get("signature"))
        moment = event.get("timestamp")
        if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment < 253_402_300_800:
            message = "event-data.timestamp: seconds since 1970 were expected."
            raise refuse("invalid_timestamp", message, path="event-data.timestamp")
        data = {name: value for name, value in event.items() if name in FIELDS or name in OBJECTS}
        data["other"] = {name: value for name, value in event.items() if name not in (*data, "event", "timestamp")}
        parameters = {
            "tv": "com.mailgun-v1",
            "p": "srv",
            "ttm": str(int(moment * 1000)),
            "ip": str(event.get("ip") or "unknown"),
            **describe_event(SCHEMA.format(event["event"]), data),
        }
        if event.get("id"):
            parameters["eid"] = str(uuid.uuid5(NAMESPACE, f"mailgun/{event['id']}"))
        return [Part(parameters)]

    def _verify(self, signature: Any) -> None:
        if self.signing_key is None:
            return
        said = signature if isinstance(signature, dict) else {}
        signed = f"{said.get('timestamp')}{said.get('token')}".encode()
        wanted = hmac.new(self.signing_key.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), str(said.get("signature")).encode()):
            raise refuse("signature", "signature: it was not made with the signing key.", path="signature")
