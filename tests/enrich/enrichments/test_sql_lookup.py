"""A database is asked about events."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catchment.errors import SettingsError, TransientError
from tests.enrich.enrichments.conftest import EnrichOne

BLOCK: dict[str, Any] = {
    "type": "sql_lookup", "url": "sqlite:///crm.db", "query": "select plan, seats from customers where id = :user",
    "inputs": {"user": "user_id"}, "entity": "iglu:com.acme/customer/jsonschema/1-0-0",
    "output": {"plan": "string", "seats": "integer"},
}  # fmt: skip
ENTITY = "contexts_com_acme_customer_1"


@pytest.fixture
def database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
        connection.execute("create table customers (id text, plan text, seats integer)")
        connection.execute("insert into customers values ('ada', 'team', 12)")


@pytest.mark.usefixtures("database")
def test_the_answer_is_an_entity(enrich_one: EnrichOne) -> None:
    assert enrich_one(BLOCK, uid="ada")[ENTITY] == [{"plan": "team", "seats": 12}]
    assert enrich_one(BLOCK, uid="nobody")[ENTITY] is None
    assert enrich_one(BLOCK)[ENTITY] is None


def test_a_database_that_does_not_answer_flags_the_event_or_makes_the_batch_wait(enrich_one: EnrichOne) -> None:
    (failure,) = enrich_one(BLOCK, uid="ada")["contexts_com_snowplowanalytics_snowplow_failure_1"]
    assert failure["component_name"] == "catchment.enrich.sql_lookup"
    with pytest.raises(TransientError):
        enrich_one({**BLOCK, "on_error": "wait"}, uid="ada")


@pytest.mark.usefixtures("database")
def test_a_query_that_the_database_refuses_flags_the_event(enrich_one: EnrichOne) -> None:
    (failure,) = enrich_one({**BLOCK, "query": "select plan from customers where id = :user and :other"}, uid="ada")[
        "contexts_com_snowplowanalytics_snowplow_failure_1"
    ]
    assert "The database refused the query" in failure["errors"][0]


def test_a_url_or_an_entity_that_is_none_is_told(enrich_one: EnrichOne) -> None:
    for wrong in ({"url": "crm"}, {"entity": "customer"}):
        with pytest.raises(SettingsError):
            enrich_one({**BLOCK, **wrong})
