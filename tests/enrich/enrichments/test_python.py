"""A function of the project runs over batches."""

from pathlib import Path

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

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
def test_it_cannot_lose_events_in_silence(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "python", "function": "mine:shrink"}, page="home")
    assert row["page_title"] == "home"
    assert "other rows" in row["contexts_com_snowplowanalytics_snowplow_failure_1"][0]["errors"][0]


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("function", ["absent:enrich", "mine:absent"])
def test_a_function_that_is_not_there_is_told(enrich_one: EnrichOne, function: str) -> None:
    with pytest.raises(SettingsError, match="python enrichment"):
        enrich_one({"type": "python", "function": function})
