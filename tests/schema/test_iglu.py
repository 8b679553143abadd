"""Registries over HTTP: what they answer is judged by, and while they do not answer nothing is judged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catchment.errors import RegistryUnavailable, SettingsError
from catchment.schema import SchemaSettings
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver, open_resolver
from tests.schema.registry_server import RegistryServer, serving_registry

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def key(uri: str = "iglu:com.acme/thing/jsonschema/1-0-0") -> SchemaKey:
    parsed = SchemaKey.parse(uri)
    assert parsed is not None
    return parsed


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving_registry() as server:
        yield server


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(folder: Path, *blocks: dict[str, Any], clock: Clock | None = None, **settings: Any) -> Resolver:
    resolver = open_resolver(SchemaSettings(registries=list(blocks), **settings), folder)
    return Resolver(resolver.registries, folder, SchemaSettings(**settings), clock or Clock())


def iglu(server: RegistryServer, **fields: Any) -> dict[str, Any]:
    return {"type": "iglu", "url": server.url, "attempts": 1, "timeout_s": 5, **fields}


def test_a_schema_is_fetched_and_judges(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    resolver = opened(tmp_path, iglu(server))
    assert resolver.validate(key(), {"n": 1}) == []
    assert [fault.keyword for fault in resolver.validate(key(), {})] == ["required"]
    assert server.asked == ["/schemas/com.acme/thing/jsonschema/1-0-0"]


def test_the_key_is_sent_as_apikey_and_a_refused_one_makes_the_batch_wait(
    server: RegistryServer, tmp_path: Path
) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    server.api_key = "b6d3a6f4-right"
    assert opened(tmp_path, iglu(server, api_key="b6d3a6f4-right")).find(key()) is not None
    with pytest.raises(RegistryUnavailable, match="refused our key") as caught:
        opened(tmp_path, iglu(server, api_key="b6d3a6f4-wrong")).find(key())
    assert "api_key" in caught.value.hint
    assert "b6d3a6f4" not in str(caught.value) + caught.value.hint


def test_only_not_found_means_that_there_is_none(server: RegistryServer, tmp_path: Path) -> None:
    resolver = opened(tmp_path, iglu(server))
    assert resolver.validate(key(), {})[0].code == "unknown_schema"


@pytest.mark.parametrize("status", [400, 401, 403, 418, 429, 500, 502, 503, 504])
def test_any_other_answer_makes_the_batch_wait(server: RegistryServer, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(RegistryUnavailable, match=str(status)):
        opened(tmp_path, iglu(server)).validate(key(), {})


def test_an_answer_that_is_no_json_makes_the_batch_wait(server: RegistryServer, tmp_path: Path) -> None:
    server.garbage = True
    with pytest.raises(RegistryUnavailable, match="something else than JSON"):
        opened(tmp_path, iglu(server)).validate(key(), {})


def test_a_registry_that_is_too_slow_makes_the_batch_wait(server: RegistryServer, tmp_path: Path) -> None:
    server.delay_s = 30
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        opened(tmp_path, iglu(server, timeout_s=0.2)).validate(key(), {})


def test_a_registry_that_is_down_makes_the_batch_wait_and_is_used_again_when_back(
    server: RegistryServer, tmp_path: Path
) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    server.status = 503
    resolver = opened(tmp_path, iglu(server))
    with pytest.raises(RegistryUnavailable):
        resolver.validate(key(), {"n": 1})
    server.status = None
    assert resolver.validate(key(), {"n": 1}) == []


def test_one_bad_answer_is_asked_again_before_anybody_waits(server: RegistryServer, tmp_path: Path) -> None:
    answers = iter([500, None])
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    answer = server.answer

    def fail_once(path: str, sent_key: str | None) -> tuple[int, bytes]:
        server.status = next(answers)
        return answer(path, sent_key)

    server.answer = fail_once  # type: ignore[method-assign]
    assert opened(tmp_path, iglu(server, attempts=2)).find(key()) is not None


def test_a_schema_that_was_known_outlives_its_registry(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    clock = Clock()
    resolver = opened(tmp_path, iglu(server), clock=clock)
    column = resolver.column(key())
    assert column is not None
    server.stop()
    clock.now = 1_000_000
    assert resolver.validate(key(), {"n": 1}) == []
    kept = resolver.column(key())
    assert kept is not None
    assert kept.type == column.type
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        resolver.validate(key("iglu:com.acme/other/jsonschema/1-0-0"), {})


def test_answers_are_remembered_and_so_is_that_there_is_none(server: RegistryServer, tmp_path: Path) -> None:
    clock = Clock()
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    other = key("iglu:com.acme/other/jsonschema/1-0-0")
    resolver = opened(tmp_path, iglu(server), clock=clock, cache_ttl_s=100, missing_ttl_s=10)
    for _ in range(3):
        resolver.find(key())
        resolver.find(other)
    assert len(server.asked) == 2
    clock.now = 11
    server.keep("com.acme/other/jsonschema/1-0-0", OBJECT)
    assert resolver.find(other) is not None
    resolver.find(key())
    assert len(server.asked) == 3
    clock.now = 101
    resolver.find(key())
    assert len(server.asked) == 4


def test_what_strangers_make_up_does_not_fill_the_memory(server: RegistryServer, tmp_path: Path) -> None:
    resolver = opened(tmp_path, iglu(server), cache_size=100)
    for number in range(150):
        resolver.find(key(f"iglu:com.evil/x{number}/jsonschema/1-0-0"))
    assert len(resolver._known) == 100


def test_vendor_prefixes_come_before_priorities_and_priorities_before_places(tmp_path: Path) -> None:
    with serving_registry() as first, serving_registry() as second, serving_registry() as ours:
        for server in (first, second, ours):
            server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
        resolver = opened(
            tmp_path,
            iglu(first, priority=5),
            iglu(second, priority=1),
            iglu(ours, priority=9, vendor_prefixes=["com.acme"], only_these_vendors=True),
        )
        resolver.find(key())
        assert (len(first.asked), len(second.asked), len(ours.asked)) == (0, 0, 1)
        resolver.find(key("iglu:com.acmes/thing/jsonschema/1-0-0"))
        assert (len(first.asked), len(second.asked), len(ours.asked)) == (1, 1, 1)
        assert [len(each.asked) for each in (second, first)] == [1, 1]


def test_a_registry_that_is_down_does_not_hide_what_another_has(server: RegistryServer, tmp_path: Path) -> None:
    server.status = 500
    with serving_registry() as other:
        other.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
        assert opened(tmp_path, iglu(server), iglu(other)).validate(key(), {"n": 1}) == []


def test_all_versions_of_a_model_share_a_column_whether_or_not_they_can_be_listed(
    server: RegistryServer, tmp_path: Path
) -> None:
    for version, name in (("1-0-0", "n"), ("1-0-1", "m"), ("1-1-0", "k"), ("2-0-0", "x")):
        server.keep(
            f"com.acme/thing/jsonschema/{version}", {"type": "object", "properties": {name: {"type": "integer"}}}
        )
    tried = opened(tmp_path, iglu(server))
    column = tried.column(key())
    assert column is not None
    assert [field.name for field in column.type] == ["n", "m", "k"]
    server.lists["/schemas/com.acme/thing/jsonschema/1"] = [
        f"iglu:com.acme/thing/jsonschema/{version}" for version in ("1-0-0", "1-0-1", "1-1-0")
    ]
    listed = opened(tmp_path, iglu(server))
    assert listed.versions(key()) == tried.versions(key())


def test_a_superseded_schema_is_judged_by_the_one_that_supersedes_it(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", {**OBJECT, "$supersededBy": "1-0-1"})
    server.keep("com.acme/thing/jsonschema/1-0-1", {**OBJECT, "required": ["m"]})
    resolver = opened(tmp_path, iglu(server))
    assert str(resolver.superseding(key())) == "iglu:com.acme/thing/jsonschema/1-0-1"
    assert resolver.validate(key(), {"m": 1}) == []
    assert resolver.validate(key(), {"n": 1})[0].schema == "iglu:com.acme/thing/jsonschema/1-0-1"


def test_a_schema_never_supersedes_itself_or_a_newer_one(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", {**OBJECT, "$supersededBy": "1-0-0"})
    assert opened(tmp_path, iglu(server)).superseding(key()) == key()


def test_a_reference_to_another_document_is_never_fetched(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", {"$ref": f"{server.url}/schemas/com.acme/secret/jsonschema/1-0-0"})
    faults = opened(tmp_path, iglu(server)).validate(key(), {})
    assert [fault.code for fault in faults] == ["unusable_schema"]
    assert server.asked == ["/schemas/com.acme/thing/jsonschema/1-0-0"]


def test_an_iglu_resolver_file_is_understood(server: RegistryServer, tmp_path: Path) -> None:
    server.keep("com.acme/thing/jsonschema/1-0-0", OBJECT)
    server.api_key = "secret"
    repositories = [
        {"name": "Ours", "priority": 0, "vendorPrefixes": ["com.acme"],
         "connection": {"http": {"uri": server.url, "apikey": "secret"}}},
        {"name": "Embedded", "priority": 1, "vendorPrefixes": [], "connection": {"embedded": {"path": "/iglu"}}},
    ]  # fmt: skip
    content = {
        "schema": "iglu:com.snowplowanalytics.iglu/resolver-config/jsonschema/1-0-1",
        "data": {"cacheSize": 500, "repositories": repositories},
    }
    (tmp_path / "resolver.json").write_text(json.dumps(content))
    resolver = open_resolver(SchemaSettings(registries=[], resolver="resolver.json"), tmp_path)
    assert resolver.find(key()) is not None
    assert resolver.find(key("iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0")) is not None
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"schema": "iglu:com.acme/x/jsonschema/1-0-0"}', "[]",
                '{"schema": "iglu:com.snowplowanalytics.iglu/resolver-config/jsonschema/1-0-1", "data": {}}']
)  # fmt: skip
def test_a_resolver_file_that_is_none_is_named_with_the_mend(tmp_path: Path, content: str) -> None:
    (tmp_path / "resolver.json").write_text(content)
    with pytest.raises(SettingsError, match=r"resolver\.json") as caught:
        open_resolver(SchemaSettings(resolver="resolver.json"), tmp_path)
    assert caught.value.hint
