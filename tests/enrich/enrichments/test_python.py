"""A function of the project runs over batches."""

import json
from pathlib import Path

import pytest

from catchment.errors import SettingsError
from tests.enrich.conftest import NOW, Open, make_batch, make_event, to_table
from tests.enrich.enrichments.conftest import EnrichOne

FAILURE = "contexts_com_snowplowanalytics_snowplow_failure_1"
GRADE = "contexts_com_acme_grade_1"

CODE = """
import pyarrow.compute as pc

def enrich(events):
    titles = events["page_title"].to_pylist()
    return {
        "page_title": [title and title.upper() for title in titles],
        "contexts_com_acme_mark_1": [[{"seen": True}] for _ in titles],
        "_drop": [title == "spam" for title in titles],
    }

def rewrite(events):
    return events.set_column(events.column_names.index("user_id"), "user_id", [["me"] * len(events)])

def shrink(events):
    return events.slice(0, 0)

def forget(events):
    return events.drop_columns(["event_id"])

def meddle(events):
    return {"_row": [0] * len(events)}

def scalar(events):
    return {"contexts_com_acme_mark_1": ["a"] * len(events)}

def drop(events):
    return events.append_column("_drop", [[title == "spam" for title in events["page_title"].to_pylist()]])

def number(events):
    return events.set_column(events.column_names.index("user_id"), "user_id", [[7] * len(events)])

def grade(events):
    return {"contexts_com_acme_grade_1": [[{"grade": read(title)}] for title in events["page_title"].to_pylist()]}

def read(title):
    if title == "bad":
        raise RuntimeError(title)
    return {"one": 1, "half": 0.5}.get(title, title)
"""


@pytest.fixture
def code(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)


@pytest.mark.usefixtures("code")
def test_it_sets_columns_and_adds_entities(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "python", "function": "mine:enrich"}, page="home")
    assert (row["page_title"], row["contexts_com_acme_mark_1"]) == ("HOME", [{"seen": True}])
    assert enrich_one({"type": "python", "function": "mine:rewrite"})["user_id"] == "me"


@pytest.mark.usefixtures("code")
def test_an_event_that_it_drops_is_counted_and_kept_among_the_failed(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "python", "function": "mine:enrich"}, page="spam")
    assert (row["type"], row["code"]) == ("dropped_event", "dropped")


@pytest.mark.usefixtures("code")
def test_a_whole_table_may_say_what_is_dropped_and_its_columns_keep_their_types(enrich_one: EnrichOne) -> None:
    assert enrich_one({"type": "python", "function": "mine:drop"}, page="spam")["type"] == "dropped_event"
    assert enrich_one({"type": "python", "function": "mine:drop"}, page="ham")["page_title"] == "ham"
    assert enrich_one({"type": "python", "function": "mine:number"})["user_id"] == "7"


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(("name", "said"), [("forget", "event_id"), ("meddle", "_row"), ("scalar", "objects")])
def test_it_cannot_take_from_an_event_what_the_pipeline_needs(enrich_one: EnrichOne, name: str, said: str) -> None:
    row = enrich_one({"type": "python", "function": f"mine:{name}"}, page="home")
    assert row["page_title"] == "home"
    assert said in row[FAILURE][0]["errors"][0]


@pytest.mark.usefixtures("code")
def test_an_entity_of_changing_types_is_flagged_and_stops_no_batch(pipeline: Open) -> None:
    opened = pipeline(enrichments=[{"type": "python", "function": "mine:grade"}])
    titles = ["half", "one", "bad", "words", "one"]
    enriched = opened.enrich(to_table(make_batch(*(make_event(page=title) for title in titles))), NOW)
    rows = {row["page_title"]: row for row in enriched.events.to_pylist()}
    assert (len(rows), rows["half"][GRADE], rows["one"][GRADE]) == (4, [{"grade": 0.5}], [{"grade": 1.0}])
    assert [rows[title][FAILURE] is not None for title in ("half", "one", "bad", "words")] == [False, False, True, True]
    again = opened.enrich(to_table(make_batch(make_event(page="words"), make_event(page="one"), offset=2)), NOW)
    assert [row[GRADE] for row in again.events.to_pylist()] == [None, [{"grade": 1.0}]]


@pytest.mark.usefixtures("code")
def test_an_entity_has_the_type_of_its_schema(pipeline: Open, tmp_path: Path) -> None:
    path = tmp_path / "schemas/com.acme/grade/jsonschema/1-0-0"
    path.parent.mkdir(parents=True)
    properties = {"grade": {"type": "number"}, "note": {"type": "string"}}
    path.write_text(json.dumps({"type": "object", "properties": properties}))
    opened = pipeline(enrichments=[{"type": "python", "function": "mine:grade"}])
    (row,) = opened.enrich(to_table(make_batch(make_event(page="one"))), NOW).events.to_pylist()
    assert row[GRADE] == [{"grade": 1.0, "note": None}]


@pytest.mark.usefixtures("code")
def test_it_cannot_lose_events_in_silence(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "python", "function": "mine:shrink"}, page="home")
    assert row["page_title"] == "home"
    assert "other rows" in row["contexts_com_snowplowanalytics_snowplow_failure_1"][0]["errors"][0]


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("function", ["absent:enrich", "mine:absent"])
def test_a_function_that_is_not_there_is_told(enrich_one: EnrichOne, function: str) -> None:
    with pytest.raises(SettingsError, match="python enrichment"):
        enrich_one({"type": "python", "function": function})
