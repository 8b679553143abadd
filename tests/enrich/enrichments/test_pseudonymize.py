"""What names a person is replaced by a hash."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

USER = "contexts_com_acme_person_1"


def pseudonym(value: str) -> str:
    return hashlib.sha256(f"{value}pepper".encode()).hexdigest()


def write_schema(folder: Path) -> None:
    path = folder / "schemas/com.acme/person/jsonschema/1-0-0"
    path.parent.mkdir(parents=True)
    properties: dict[str, Any] = {
        "fullName": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}},
        "aliases": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "email": {"type": "string"}, "age": {"type": "integer"}, "more": {"type": "object"},
        "phones": {"type": "array", "items": {"type": "object", "properties": {"number": {"type": "string"}}}},
    }  # fmt: skip
    path.write_text(json.dumps({"type": "object", "properties": properties}))


def test_columns_are_hashed_with_a_salt(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "pseudonymize", "columns": ["user_id", "domain_userid"], "salt": "pepper"}, uid="ada")
    assert (row["user_id"], row["domain_userid"]) == (pseudonym("ada"), None)


def test_places_in_entities_are_hashed_and_what_holds_no_text_is_taken_out(
    enrich_one: EnrichOne, tmp_path: Path
) -> None:
    write_schema(tmp_path)
    person = {"email": "a@b.example", "age": 40, "phones": [{"number": "1"}, {"number": "2"}], "more": {"name": "Ada"}}
    inner = [{"schema": "iglu:com.acme/person/jsonschema/1-0-0", "data": person}]
    sent = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": inner}
    paths = {USER: ["$.email", "$.age", "$.phones[*].number", "$.more.name", "$.absent"]}
    row = enrich_one({"type": "pseudonymize", "paths": paths, "salt": "pepper"}, co=json.dumps(sent))
    (found,) = row[USER]
    assert (found["email"], found["age"]) == (pseudonym("a@b.example"), None)
    assert [phone["number"] for phone in found["phones"]] == [pseudonym("1"), pseudonym("2")]
    assert json.loads(found["more"]) == {"name": pseudonym("Ada")}


@pytest.mark.parametrize(
    "path", ["$.fullName", "$.full_name", "$['fullName']", "$.aliases[*].name", "$.aliases.name", "$.tags", "$.tags[1]"]
)
def test_a_place_is_named_as_it_was_sent_or_as_its_column(enrich_one: EnrichOne, tmp_path: Path, path: str) -> None:
    write_schema(tmp_path)
    person = {"fullName": "Ada", "aliases": [{"name": "Ada"}, {"name": "Ada"}], "tags": ["x", "Ada"]}
    inner = [{"schema": "iglu:com.acme/person/jsonschema/1-0-0", "data": person}]
    sent = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": inner}
    (found,) = enrich_one({"type": "pseudonymize", "paths": {USER: [path]}, "salt": "pepper"}, co=json.dumps(sent))[
        USER
    ]
    whole = {
        "full": found["full_name"],
        "aliases": [alias["name"] for alias in found["aliases"]],
        "tags": found["tags"],
    }
    place = next(name for name in ("full", "aliases", "tags") if f".{name}" in path.replace("['", "."))
    hashed = {"full": pseudonym("Ada"), "aliases": [pseudonym("Ada")] * 2, "tags": [pseudonym("x"), pseudonym("Ada")]}
    hashed["tags"] = ["x", pseudonym("Ada")] if path == "$.tags[1]" else hashed["tags"]
    plain = {"full": "Ada", "aliases": ["Ada", "Ada"], "tags": ["x", "Ada"]}
    assert whole == {**plain, place: hashed[place]}


@pytest.mark.parametrize("paths", [{"person": ["$.email"]}, {USER: ["email"]}, {USER: ["$..email"]}])
def test_a_path_that_would_protect_nobody_is_refused(enrich_one: EnrichOne, paths: dict[str, list[str]]) -> None:
    with pytest.raises(SettingsError, match="paths"):
        enrich_one({"type": "pseudonymize", "paths": paths, "salt": "pepper"})


def test_only_anonymous_events_if_wished(enrich_one: EnrichOne) -> None:
    block = {"type": "pseudonymize", "columns": ["user_id"], "salt": "pepper", "anonymous_only": True}
    assert enrich_one(block, uid="ada")["user_id"] == "ada"
    assert enrich_one(block, uid="ada", request={"headers": ["SP-Anonymous: *"]})["user_id"] == pseudonym("ada")


def test_whose_a_pseudonym_is_can_be_kept_apart(enrich_one: EnrichOne, tmp_path: Path) -> None:
    enrich_one({"type": "pseudonymize", "columns": ["user_id"], "salt": "pepper", "mapping_path": "m.db"}, uid="ada")
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        assert connection.execute("select pseudonym, value from mapping").fetchall() == [(pseudonym("ada"), "ada")]
