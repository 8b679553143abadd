"""Whatever is sent becomes an event or a failed event with its original, and nothing breaks."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import Enriched, Pipeline, open_pipeline
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from catchment.tables import OFFSET
from tests.enrich.conftest import NOW, PAYLOAD_DATA, TP2, make_batch, make_event, make_payload, to_table

CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0"
WEB_PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0"
GEO = "iglu:com.snowplowanalytics.snowplow/geolocation_context/jsonschema/1-0-0"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("project")
    chain = [
        *EnrichSettings().enrichments,
        {"type": "cross_navigation"}, {"type": "bot", "networks": ["198.18.0.0/15"]}, 
        {"type": "http_header", "pattern": ".*"},
        {"type": "cookie", "names": ["a"]}, {"type": "fingerprint"}, {"type": "deduplicate"}, {"type": "ip_anonymize"},
        {"type": "pseudonymize", "columns": ["user_id"], "salt": "s"},
    ]  # fmt: skip
    return open_pipeline(EnrichSettings(enrichments=chain), open_resolver(SchemaSettings(), folder), folder)


def enrich(pipeline: Pipeline, *payloads: dict[str, Any]) -> Enriched:
    enriched = pipeline.enrich(to_table(*payloads), NOW)
    assert enriched.received == enriched.events.num_rows + enriched.failed.num_rows
    offsets = {*enriched.events[OFFSET].to_pylist(), *enriched.failed[OFFSET].to_pylist()}
    assert offsets == {payload[OFFSET] for payload in payloads}
    bodies = {payload[OFFSET]: payload["body"] for payload in payloads}
    for row in enriched.failed.to_pylist():
        assert json.loads(row["original"])["parameters"] is not None or row["payload"] == bodies[row[OFFSET]]
    enriched.events.to_pylist()
    return enriched


def contexts(*items: Any) -> str:
    return json.dumps({"schema": CONTEXTS, "data": list(items)})


def nest(levels: int) -> str:
    return "[" * levels + "]" * levels


def body(item: str) -> bytes:
    return f'{{"schema": "{PAYLOAD_DATA}", "data": [{item}]}}'.encode()


CORPUS: dict[str, bytes] = {
    "deep JSON": nest(100_000).encode(),
    "a parameter 50 deep": body(f'{{"e": "pv", "p": "web", "tv": "x", "aid": {nest(50)}}}'),
    "a parameter 600 deep": body(f'{{"e": "pv", "p": "web", "tv": "x", "aid": {nest(600)}}}'),
    "an entity 600 deep": make_batch(make_event(co=f'{{"schema": "{CONTEXTS}", "data": {nest(600)}}}'))["body"],
    "huge numbers": make_batch(
        make_event(co=contexts({"schema": GEO, "data": {"latitude": 10**400, "longitude": 1}}), tid="9" * 400)
    )["body"],
    "a number past all bounds": make_batch(
        make_event(co=f'{{"schema": "{CONTEXTS}", "data": [{{"schema": "{GEO}", "data": {{"latitude": 1e999}}}}]}}')
    )["body"],
    "NUL bytes": make_batch(make_event(page="\x00a\x00", url="http://a\x00b/\x00", uid="\x00"))["body"],
    "a lone surrogate": body('{"e": "pv", "p": "web", "tv": "\\ud800"}'),
    "invalid UTF-8": b'{"schema": "\xff\xfe", "data": []}',
    "base64 of bytes": make_batch(make_event(cx=base64.b64encode(bytes(range(256))).decode()))["body"],
    "1 MB of one key": body(json.dumps({**make_event(), "x" * 2**20: "1"})),
    "1 MB of one value": make_batch(make_event(page="y" * 2**20, ua="z" * 2**20, url="http://a/?" + "q=1&" * 2**17))[
        "body"
    ],
    "a reference to another document": make_batch(
        make_event(co=contexts({"schema": WEB_PAGE, "data": {"$ref": "http://127.0.0.1:1/x", "id": "1"}}))
    )["body"],
    "a wrapper of wrappers": make_batch(make_event(co=contexts({"schema": CONTEXTS, "data": [{"schema": CONTEXTS}]})))[
        "body"
    ],
    "odd URLs": make_batch(
        *(
            make_event(url=url, refr=url)
            for url in ("http://[::1", "//", "http://:99999/", "javascript:1", "http://a:b@c@d/")
        )
    )["body"],
    "odd links": make_batch(
        *(
            make_event(url=f"http://a/?_sp={link}")
            for link in ("a.99999999999999999999", ".", "a.²", "a.1.b.%FF.c", "a.0")
        )
    )["body"],
    "odd addresses": make_batch(*(make_event(ip=ip) for ip in (",", "::%", "1.2.3.4.5", "::ffff:1.2.3", "x" * 999)))[
        "body"
    ],
}


@pytest.mark.parametrize("name", CORPUS)
def test_nothing_of_the_corpus_breaks_it_or_is_lost(standing: Pipeline, name: str) -> None:
    neighbour = make_batch(make_event(), offset=2)
    enriched = enrich(standing, make_payload(1, body=CORPUS[name]), neighbour)
    assert 2 in {*enriched.events[OFFSET].to_pylist(), *enriched.failed[OFFSET].to_pylist()}


def test_a_batch_of_large_bodies_is_enriched_in_parts_and_whole(standing: Pipeline) -> None:
    large = [make_batch(make_event(page=str(n) + "x" * 12 * 2**20), offset=n) for n in range(1, 5)]
    assert enrich(standing, *large).received == 4


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["schema", "data", "id", "latitude", "$ref", "x"]), inner, max_size=4),
    ),
    max_leaves=12,
)
uris = st.sampled_from([WEB_PAGE, GEO, CONTEXTS, "iglu:a/b/jsonschema/1-0-0", "iglu:", "http://127.0.0.1:1/"])
items = st.one_of(anything, st.builds(lambda schema, data: {"schema": schema, "data": data}, uris, anything))
jsons = st.lists(items, max_size=3).map(lambda found: contexts(*found))
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=24),
    jsons,
    jsons.map(lambda text: base64.urlsafe_b64encode(text.encode()).decode()),
    st.binary(max_size=24).map(lambda some: base64.b64encode(some).decode()),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["null", "http://[", "https://a.example/?_sp=a.1&gclid=1", "1x1", "0", "\x00", "::1"]),
)
TOLD = "co cx ue_pr ue_px url refr ip ua eid sid dtm stm ttm tid se_va tr_tt res cookie page uid aid tr_cu nuid e"
names = st.sampled_from(TOLD.split())
events = st.dictionaries(names, texts, max_size=6).map(lambda more: make_event(**more))
bodies = st.one_of(
    st.binary(max_size=60),
    anything.map(lambda value: json.dumps(value).encode()),
    st.lists(st.one_of(events, events, anything), min_size=1, max_size=4).map(lambda rows: make_batch(*rows)["body"]),
)


@settings(max_examples=150)
@given(
    contents=st.lists(bodies, min_size=1, max_size=4),
    query=st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=30)),
    headers=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
    path=st.sampled_from([TP2, "/i", "/a/b", "", "/"]),
)
def test_every_payload_becomes_events_or_failed_events(
    standing: Pipeline, contents: list[bytes], query: str | None, headers: list[str], path: str
) -> None:
    fields = {"querystring": query, "headers": headers, "path": path}
    enrich(standing, *(make_payload(n, body=content, **fields) for n, content in enumerate(contents)))
