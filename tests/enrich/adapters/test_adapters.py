"""What adapters promise beyond their own examples."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import Pipeline, open_pipeline
from catchment.errors import PluginError, SettingsError
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from tests.enrich.conftest import NOW, RECEIVED, Open, make_payload, to_table

JSON = "application/json"


def call(path: str, **message: Any) -> dict[str, Any]:
    return make_payload(path=path, content_type=JSON, body=json.dumps(message).encode())


def enrich(pipeline: Pipeline, payload: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    enriched = pipeline.enrich(to_table(payload), NOW)
    return enriched.events.to_pylist(), enriched.failed.to_pylist()


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A project with a schema of its own in two versions."""
    folder = tmp_path / "schemas/com.acme/order_completed/jsonschema"
    folder.mkdir(parents=True)
    for version, names in (("1-0-0", ["revenue"]), ("1-0-1", ["revenue", "coupon"])):
        properties = {name: {"type": "number" if name == "revenue" else "string"} for name in names}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        (folder / version).write_text(json.dumps(schema))
    return tmp_path


def test_a_track_call_that_has_a_schema_of_your_own_becomes_that_event(acme: Path) -> None:
    settings = EnrichSettings(adapters={"segment": {"vendor": "com.acme"}})
    pipeline = open_pipeline(settings, open_resolver(SchemaSettings(), acme), acme)
    good = call("/v1/track", userId="u", event="Order Completed", properties={"revenue": 9.5, "coupon": "x"})
    (event,), failed = enrich(pipeline, good)
    assert (event["event_vendor"], event["event_name"], event["event_version"]) == (
        "com.acme",
        "order_completed",
        "1-0-1",
    )
    assert event["unstruct_event_com_acme_order_completed_1"] == {"revenue": 9.5, "coupon": "x"}
    assert failed == []
    bad = call("/v1/track", userId="u", event="Order Completed", properties={"revenue": "lots"})
    events, (failure,) = enrich(pipeline, bad)
    assert (events, failure["code"], failure["schema"]) == (
        [],
        "invalid",
        "iglu:com.acme/order_completed/jsonschema/1-0-1",
    )
    (other,), _ = enrich(pipeline, call("/v1/track", userId="u", event="Song Played"))
    assert other["event_name"] == "track"


def test_nothing_a_call_says_is_lost(pipeline: Open) -> None:
    message = {
        "userId": "u",
        "messageId": "m",
        "event": "x",
        "strange": {"deep": [1, 2]},
        "context": {"page": {"tab_url": "t"}, "weather": "rain", "traits": {"shoe": 42, "company": {"name": "Acme"}}},
    }
    (event,), _ = enrich(pipeline(), call("/v1/track", **message))
    (context,) = event["contexts_com_segment_spec_context_1"]
    assert json.loads(context["other"]) == {
        "strange": {"deep": [1, 2]},
        "context": {"page": {"tab_url": "t"}, "weather": "rain"},
    }
    (traits,) = event["contexts_com_segment_spec_traits_1"]
    assert (traits["company"], json.loads(traits["other"])) == ("Acme", {"shoe": 42})


def test_a_repeated_message_is_the_same_event(pipeline: Open) -> None:
    message = {"userId": "u", "event": "x", "messageId": "api-77"}
    first, _ = enrich(pipeline(), call("/v1/track", **message))
    again, _ = enrich(pipeline(), call("/v1/batch", batch=[{"type": "track", **message}]) | {"payload_id": "other"})
    assert first[0]["event_id"] == again[0]["event_id"]


@pytest.mark.parametrize(
    ("times", "moment"),
    [
        ({"originalTimestamp": "2030-01-01T00:00:00Z", "sentAt": "2030-01-01T00:00:02Z"}, "2026-03-01T11:59:58+00:00"),
        ({"timestamp": "2026-02-01T01:00:00+01:00"}, "2026-02-01T00:00:00+00:00"),
        ({"sentAt": "2026-02-01T00:00:00Z"}, RECEIVED.isoformat()),
        ({}, RECEIVED.isoformat()),
    ],
)
def test_a_senders_clock_is_corrected_by_ours_and_history_is_believed(
    pipeline: Open, times: dict[str, str], moment: str
) -> None:
    (event,), _ = enrich(pipeline(), call("/v1/track", userId="u", event="x", **times))
    assert event["derived_tstamp"].isoformat() == moment


@pytest.mark.parametrize(
    ("path", "message", "code", "path_named"),
    [
        ("/v1/track", {"event": "x"}, "nobody", "userId"),
        ("/v1/track", {"userId": "u"}, "no_event", "event"),
        ("/v1/track", {"userId": "u", "event": "x", "timestamp": "soon"}, "invalid_timestamp", "timestamp"),
        ("/v1/track", {"userId": "u", "event": "x", "properties": [1]}, "not_an_object", "properties"),
        ("/v1/batch", {"batch": []}, "empty", "batch"),
        ("/v1/batch", {"batch": [{"userId": "u", "type": "sing"}]}, "unknown_call", "type"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_and_its_write_key_is_not(
    pipeline: Open, path: str, message: dict[str, Any], code: str, path_named: str
) -> None:
    events, (failure,) = enrich(pipeline(), call(path, writeKey="secret", **message))
    assert (events, failure["type"], failure["code"]) == ([], "adapter_failures", code)
    assert json.loads(failure["errors"])[0]["path"] == path_named
    assert "secret" not in failure["original"]
    if path != "/v1/batch":
        assert json.loads(failure["original"])["parameters"] == {**message, "type": "track"}


def test_a_webhook_with_a_signing_key_takes_only_what_is_signed_with_it(tmp_path: Path) -> None:
    settings = EnrichSettings(adapters={"mailgun": {"signing_key": "key"}})
    pipeline = open_pipeline(settings, open_resolver(SchemaSettings(), tmp_path), tmp_path)
    event = {"event": "delivered", "timestamp": time.time(), "id": "x", "recipient": "ada@example.com"}
    signature = {"timestamp": "1", "token": "t", "signature": hmac.new(b"key", b"1t", hashlib.sha256).hexdigest()}
    events, failed = enrich(pipeline, call("/com.mailgun/v1", **{"event-data": event, "signature": signature}))
    assert ([event["event_name"] for event in events], failed) == (["message_delivered"], [])
    forged = {**signature, "token": "other"}
    events, (failure,) = enrich(pipeline, call("/com.mailgun/v1", **{"event-data": event, "signature": forged}))
    assert (events, failure["code"]) == ([], "signature")


def test_one_id_is_not_the_id_of_many_events(pipeline: Open) -> None:
    schema = "iglu:com.snowplowanalytics.snowplow/social_interaction/jsonschema/1-0-0"
    payload = make_payload(
        path="/com.snowplowanalytics.iglu/v1",
        querystring=f"schema={schema}&eid=a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        content_type=JSON,
        body=json.dumps([{"action": "like", "network": "x"}] * 2).encode(),
    )
    events, _ = enrich(pipeline(), payload)
    assert len({event["event_id"] for event in events}) == 2


def test_a_redirect_tells_what_is_wrong_with_the_entities_it_carries(pipeline: Open) -> None:
    payload = make_payload(path="/r/tp2", querystring="u=https://acme.example&e=pv&co=broken", content_type=None)
    events, (failure,) = enrich(pipeline(), payload)
    assert (events, failure["type"], failure["code"]) == ([], "schema_violations", "not_json")


def test_settings_of_an_adapter_that_there_is_not_or_that_are_wrong_are_refused(pipeline: Open) -> None:
    with pytest.raises(PluginError, match="carrier_pigeon"):
        pipeline(adapters={"carrier_pigeon": {}})
    with pytest.raises(SettingsError, match=r"enrich\.adapters\.segment\.vendors"):
        pipeline(adapters={"segment": {"vendors": "x"}})
