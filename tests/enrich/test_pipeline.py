"""Payloads become events or failures, and nothing is lost between them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import Pipeline, open_pipeline
from catchment.errors import PluginError, SettingsError
from catchment.event import ATOMIC
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from catchment.tables import FAILED_EVENTS, OFFSET
from tests.enrich.conftest import NOW, RECEIVED, TP2, Open, make_batch, make_event, make_payload, to_table

LINK_CLICK = "iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1"
UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0"
WEB_PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0"
VIEW_ID = "f3a1d4a0-6d2e-4d3b-9f5e-0d8f6b1f0d10"


def ms(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def described(schema: str, data: Any, wrapper: str = UNSTRUCT) -> str:
    inner: Any = {"schema": schema, "data": data}
    return json.dumps({"schema": wrapper, "data": inner if wrapper == UNSTRUCT else [inner]})


def base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def enrich_one(pipeline: Pipeline, **parameters: str) -> dict[str, Any]:
    enriched = pipeline.enrich(to_table(make_batch(make_event(**parameters))), NOW)
    assert enriched.failed.to_pylist() == []
    row: dict[str, Any] = enriched.events.to_pylist()[0]
    return row


def fail_one(pipeline: Pipeline, **parameters: str) -> dict[str, Any]:
    enriched = pipeline.enrich(to_table(make_batch(make_event(**parameters))), NOW)
    assert enriched.events.num_rows == 0
    row: dict[str, Any] = enriched.failed.to_pylist()[0]
    return row


def test_events_have_every_atomic_column_in_order(pipeline: Open) -> None:
    events = pipeline().enrich(to_table(make_batch(make_event())), NOW).events
    assert events.column_names[: len(ATOMIC)] == [column.name for column in ATOMIC]
    assert [events.schema.field(column.name).type for column in ATOMIC] == [column.type for column in ATOMIC]
    assert events.column_names[-1] == OFFSET


def test_a_batch_without_events_has_the_same_columns(pipeline: Open) -> None:
    enriched = pipeline().enrich(to_table(), NOW)
    assert (enriched.received, enriched.events.num_rows) == (0, 0)
    assert enriched.failed.column_names == [*FAILED_EVENTS.schema.names, OFFSET]


def test_a_page_view_is_read_in_full(pipeline: Open) -> None:
    row = enrich_one(
        pipeline(), eid="A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", aid="site", vid="3", res="1920x1080", cookie="1",
        url="https://www.acme.example:8443/pricing?utm_medium=cpc&utm_source=google&gclid=abc#plans",
        refr="https://www.google.com/search?q=planning+software", page="Pricing\there",
    )  # fmt: skip
    expected = {
        "event": "page_view", "event_vendor": "com.snowplowanalytics.snowplow", "event_name": "page_view",
        "event_format": "jsonschema", "event_version": "1-0-0", "event_id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "app_id": "site", "domain_sessionidx": 3, "dvce_screenwidth": 1920, "dvce_screenheight": 1080,
        "br_cookies": True,
        "page_urlscheme": "https",
        "page_urlhost": "www.acme.example", "page_urlport": 8443, "page_urlpath": "/pricing",
        "page_urlfragment": "plans", "mkt_medium": "cpc", "mkt_source": "google", "mkt_clickid": "abc",
        "mkt_network": "Google", "refr_urlhost": "www.google.com", "refr_medium": "search", "refr_source": "Google",
        "refr_term": "planning software", "page_title": "Pricing    here", "user_ipaddress": "198.18.0.7",
        "collector_tstamp": RECEIVED, "etl_tstamp": NOW, "v_collector": "catchment-test",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_the_query_string_of_a_post_wins_over_its_body(pipeline: Open) -> None:
    payload = make_batch(make_event(aid="body"), querystring="aid=query")
    assert pipeline().enrich(to_table(payload), NOW).events["app_id"].to_pylist() == ["query"]


def test_a_pixel_request_is_an_event(pipeline: Open) -> None:
    payload = make_payload(path="/i", querystring="e=pv&p=web&tv=x&page=A%20page&uid=", content_type=None)
    row = pipeline().enrich(to_table(payload), NOW).events.to_pylist()[0]
    assert (row["page_title"], row["user_id"]) == ("A page", None)


@pytest.mark.parametrize("is_base64", [False, True])
def test_a_self_describing_event_and_its_entity_get_typed_columns(pipeline: Open, is_base64: bool) -> None:
    event = described(LINK_CLICK, {"targetUrl": "https://acme.example/x", "elementClasses": ["a"]})
    entity = described(WEB_PAGE, {"id": VIEW_ID}, CONTEXTS)
    plain = {"ue_pr": event, "co": entity}
    coded = {"ue_px": base64url(event), "cx": base64url(entity)}
    row = enrich_one(pipeline(), e="ue", **(coded if is_base64 else plain))
    click = row["unstruct_event_com_snowplowanalytics_snowplow_link_click_1"]
    assert (click["target_url"], click["element_classes"]) == ("https://acme.example/x", ["a"])
    assert row["contexts_com_snowplowanalytics_snowplow_web_page_1"] == [{"id": VIEW_ID}]
    assert (row["event"], row["event_name"], row["event_version"]) == ("unstruct", "link_click", "1-0-1")


@pytest.mark.parametrize(
    ("parameters", "code", "names"),
    [
        ({"e": "nonsense"}, "invalid_parameter", "e:"),
        ({"p": "fridge"}, "invalid_parameter", "p:"),
        ({"eid": "not-a-uuid"}, "invalid_parameter", "eid:"),
        ({"vid": "99999999999"}, "invalid_parameter", "vid:"),
        ({"dtm": "yesterday"}, "invalid_parameter", "dtm:"),
        ({"res": "wide"}, "invalid_parameter", "res:"),
        ({"e": "se", "se_va": "much"}, "invalid_parameter", "se_va"),
        ({"e": "ue"}, "invalid_parameter", "ue_pr"),
        ({"e": "ue", "ue_pr": "{"}, "not_json", "ue_pr"),
        ({"cx": "***"}, "not_base64", "cx"),
        ({"co": "{}"}, "wrapper", "co"),
        ({"co": described("iglu:com.acme/unheard_of/jsonschema/1-0-0", {}, CONTEXTS)}, "unknown_schema", "unheard_of"),
        ({"co": described(WEB_PAGE, {"id": 7}, CONTEXTS)}, "invalid", "$.id"),
        ({"co": described(WEB_PAGE, {}, CONTEXTS).replace('"data": {}', '"x": 1')}, "not_self_describing", "contexts"),
    ],
)
def test_what_is_wrong_is_said_and_the_original_is_kept(
    pipeline: Open, parameters: dict[str, str], code: str, names: str
) -> None:
    row = fail_one(pipeline(), **parameters)
    assert (row["code"], row["type"]) == (code, "schema_violations")
    assert names in row["message"]
    assert json.loads(row["original"])["parameters"] == make_event(**parameters)


def test_all_faults_of_an_event_are_told_at_once(pipeline: Open) -> None:
    row = fail_one(pipeline(), p="fridge", vid="x", co="{}")
    assert len(json.loads(row["errors"])) == 3
    assert "2 more" in row["message"]


def test_one_bad_event_does_not_take_its_batch_along(pipeline: Open) -> None:
    batch = make_batch(make_event(), {"e": "pv"}, make_event(nonsense="1"), "text", make_event(aid=None))
    enriched = pipeline().enrich(to_table(batch), NOW)
    assert (enriched.received, enriched.events.num_rows, enriched.failed.num_rows) == (5, 1, 4)
    assert set(enriched.failed["type"].to_pylist()) == {"tracker_protocol_violations"}
    assert enriched.failed["event_index"].to_pylist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"body": b"not json"}, "tracker_protocol_violations"),
        ({"body": b'{"schema": "iglu:a/b/jsonschema/1-0-0", "data": []}'}, "tracker_protocol_violations"),
        ({"body": b"{}", "content_type": "text/plain"}, "tracker_protocol_violations"),
        ({}, "tracker_protocol_violations"),
        ({"path": "/com.nobody/v1", "body": b"x"}, "adapter_failures"),
        ({"body": b"{", "headers": ["catchment-oversize: 9999999"]}, "size_violation"),
        ({"body": b"{", "headers": ["catchment-packed: br"]}, "collector_payload_format_violation"),
    ],
)
def test_a_payload_that_cannot_be_parted_is_kept_whole(pipeline: Open, fields: dict[str, Any], kind: str) -> None:
    row = pipeline().enrich(to_table(make_payload(**fields)), NOW).failed.to_pylist()[0]
    assert (row["type"], row["payload"]) == (kind, fields.get("body"))
    assert json.loads(row["original"])["payload"]["path"] == fields.get("path", TP2)


def test_the_moment_of_an_event_is_the_true_one_else_the_devices_by_our_clock(pipeline: Open) -> None:
    wrong = RECEIVED + timedelta(days=40)
    sent = {"dtm": ms(wrong), "stm": ms(wrong + timedelta(seconds=9))}
    assert enrich_one(pipeline(), **sent)["derived_tstamp"] == RECEIVED - timedelta(seconds=9)
    true = datetime(2026, 2, 1, tzinfo=UTC)
    assert enrich_one(pipeline(), **sent, ttm=ms(true))["derived_tstamp"] == true
    assert enrich_one(pipeline(), dtm=ms(wrong))["derived_tstamp"] == RECEIVED


def test_a_device_clock_that_is_absurd_leaves_the_collectors_moment(pipeline: Open) -> None:
    row = enrich_one(pipeline(), dtm="0", stm="253402300799000")
    assert row["derived_tstamp"] == RECEIVED


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"tid": "null", "se_va": "null", "tr_tt": "null"}, {"txn_id": None, "se_value": None, "tr_total": None}),
        ({"tid": "+7", "vid": "007"}, {"txn_id": 7, "domain_sessionidx": 7}),
        ({"se_va": "1e3", "tr_tt": "-12.5"}, {"se_value": 1000.0, "tr_total": Decimal("-12.50")}),
        ({"page": "a\tb\x00\x07c", "aid": ""}, {"page_title": "a    bc", "app_id": None}),
        ({"cookie": "0", "f_pdf": "1"}, {"br_cookies": False, "br_features_pdf": True}),
        ({"nuid": "first", "tnuid": "second"}, {"network_userid": "second"}),
        ({"ip": "198.18.0.9, 10.0.0.1"}, {"user_ipaddress": "198.18.0.9"}),
        ({"ti_na": "older", "ti_nm": ""}, {"ti_name": "older"}),
        ({"dtm": "-86400000"}, {"dvce_created_tstamp": datetime(1969, 12, 31, tzinfo=UTC)}),
        ({"sid": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}, {"domain_sessionid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
    ],
)
def test_values_are_converted_by_the_protocols_table(
    pipeline: Open, parameters: dict[str, str], expected: dict[str, Any]
) -> None:
    row = enrich_one(pipeline(), **parameters)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"tid": "1.0"}, {"tid": "2147483648"}, {"tid": "9" * 30}, {"se_va": "0x10"}, {"se_va": "NaN"}, {"tr_tt": "1,5"},
        {"cookie": "true"}, {"res": "1x"}, {"vp": "-1x5"}, {"eid": "null"}, {"p": "null"}, {"p": "WEB"},
        {"dtm": "253402300800000"}, {"dtm": "-62135596800001"}, {"dtm": "1.5"}, {"sid": "7"},
    ],
)  # fmt: skip
def test_a_value_that_the_protocols_table_does_not_allow_fails_the_event(
    pipeline: Open, parameters: dict[str, str]
) -> None:
    assert fail_one(pipeline(), **parameters)["code"] == "invalid_parameter"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("is_padded", [False, True])
def test_base64_of_either_alphabet_is_read_padded_or_not(pipeline: Open, encode: Any, is_padded: bool) -> None:
    text = described(LINK_CLICK, {"targetUrl": "https://acme.example/\u00ff\u00fe?>~~\u00bf"})
    coded = encode(text.encode()).decode()
    row = enrich_one(pipeline(), e="ue", ue_px=coded if is_padded else coded.rstrip("="))
    click = row["unstruct_event_com_snowplowanalytics_snowplow_link_click_1"]
    assert click["target_url"].startswith("https://acme.example/")


def test_a_repeat_is_identical(pipeline: Open) -> None:
    payloads = to_table(make_batch(make_event(), make_event(p="fridge")), make_payload(2, body=b"x"))
    first, second = (pipeline().enrich(payloads, NOW) for _ in range(2))
    assert first.events.equals(second.events)
    assert first.failed.equals(second.failed)


def test_an_unknown_enrichment_and_a_missing_database_are_named(pipeline: Open) -> None:
    with pytest.raises(PluginError, match="geo_magic"):
        pipeline(enrichments=[{"type": "geo_magic"}])
    with pytest.raises(SettingsError, match=r"finds no file .*nowhere\.mmdb"):
        pipeline(enrichments=[{"type": "ip_lookup", "path": "nowhere.mmdb"}])


values = st.one_of(st.text(max_size=20), st.none(), st.integers(), st.just(described(WEB_PAGE, {"id": 1}, CONTEXTS)))
names = st.sampled_from(["e", "p", "tv", "eid", "dtm", "vid", "res", "co", "cx", "ue_pr", "se_va", "tr_tt", "url", "x"])
bodies = st.one_of(
    st.binary(max_size=40),
    st.lists(st.one_of(st.dictionaries(names, values, max_size=6), st.integers()), max_size=4).map(
        lambda events: make_batch(*events)["body"]
    ),
    st.lists(
        st.dictionaries(names, st.text(max_size=9), max_size=3).map(lambda more: make_event(**more)), max_size=4
    ).map(lambda events: make_batch(*events)["body"]),
)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("project")
    return open_pipeline(EnrichSettings(), open_resolver(SchemaSettings(), folder), folder)


@settings(max_examples=150)
@given(contents=st.lists(bodies, max_size=5), query=st.text(max_size=12), path=st.sampled_from([TP2, "/i", "/a/b"]))
def test_whatever_arrives_becomes_events_or_failures(
    standing: Pipeline, contents: list[bytes], query: str, path: str
) -> None:
    payloads = [make_payload(n, body=body, querystring=query, path=path) for n, body in enumerate(contents)]
    enriched = standing.enrich(to_table(*payloads), NOW)
    assert enriched.received == enriched.events.num_rows + enriched.failed.num_rows
    offsets = {*enriched.events[OFFSET].to_pylist(), *enriched.failed[OFFSET].to_pylist()}
    assert offsets == set(range(len(contents)))
    assert pa.types.is_string(enriched.failed.schema.field("original").type)
