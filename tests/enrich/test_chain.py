"""An enrichment that goes wrong loses nothing of the event but what it would have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from catchment.enrich import EnrichSettings
from catchment.enrich.flag import FAILURE, FAILURE_COLUMN
from catchment.enrich.pipeline import Pipeline, open_pipeline
from catchment.errors import SettingsError, TransientError
from catchment.schema import SchemaSettings
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import open_resolver
from tests.enrich.conftest import NOW, Open, make_batch, make_event, to_table

PICKY = """
from typing import ClassVar
import pyarrow as pa
from catchment.errors import TransientError
from catchment.enrich.enrichment import Enrichment

class Picky(Enrichment):
    'Raises for one title.'
    protects: ClassVar[bool] = {protects}

    def open(self, project_folder):
        def step(events):
            titles = events['page_title'].to_pylist()
            if 'bad' in titles:
                raise RuntimeError('no such title')
            if 'later' in titles:
                raise TransientError('not now')
            return {{'geo_city': pa.array(['Rome'] * len(titles))}}
        return step
"""


def open_picky(folder: Path, *, protects: bool = False, **settings: Any) -> Pipeline:
    plugin = folder / "plugins/enrich/enrichments/picky.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PICKY.format(protects=protects))
    resolver = open_resolver(SchemaSettings(), folder)
    return open_pipeline(EnrichSettings(enrichments=[{"type": "picky"}], **settings), resolver, folder)


def batch(*titles: str) -> Any:
    return to_table(make_batch(*(make_event(page=title) for title in titles)))


def failures(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**entity, "errors": [json.loads(e) for e in entity["errors"]]} for entity in row[FAILURE_COLUMN] or ()]


def test_an_event_goes_on_without_the_enrichment_that_raised_and_says_so(tmp_path: Path) -> None:
    enriched = open_picky(tmp_path).enrich(batch("a", "bad", "c", "d"), NOW)
    assert (enriched.received, enriched.failed.num_rows) == (4, 0)
    rows = enriched.events.to_pylist()
    assert [(row["page_title"], row["geo_city"]) for row in rows] == [
        ("a", "Rome"), ("bad", None), ("c", "Rome"), ("d", "Rome"),
    ]  # fmt: skip
    (failure,) = failures(rows[1])
    assert (failure["component_name"], failure["failure_type"]) == ("catchment.enrich.picky", "enrichment_failures")
    assert failure["errors"][0]["message"] == "The enrichment picky raised RuntimeError: no such title"
    assert failure["timestamp"] == NOW
    assert [failures(row) for row in rows if row["page_title"] != "bad"] == [[], [], []]


def test_strict_mode_fails_the_event_as_snowplow_does(tmp_path: Path) -> None:
    enriched = open_picky(tmp_path, strict=True).enrich(batch("a", "bad", "c"), NOW)
    assert enriched.events["page_title"].to_pylist() == ["a", "c"]
    assert enriched.failed["type"].to_pylist() == ["enrichment_failures"]
    assert json.loads(enriched.failed["original"][0].as_py())["parameters"]["page"] == "bad"


def test_an_enrichment_that_protects_people_lets_no_event_pass_without_it(tmp_path: Path) -> None:
    enriched = open_picky(tmp_path, protects=True).enrich(batch("a", "bad", "c"), NOW)
    assert enriched.events["page_title"].to_pylist() == ["a", "c"]
    assert enriched.failed["type"].to_pylist() == ["enrichment_failures"]


def test_the_batch_waits_for_what_did_not_answer(tmp_path: Path) -> None:
    with pytest.raises(TransientError):
        open_picky(tmp_path).enrich(batch("a", "later"), NOW)


def test_an_over_long_text_is_kept_and_flagged(pipeline: Open) -> None:
    event = make_event(tr_cu="EURO", ti_cu="POUND", page="x" * 3000)
    row = pipeline().enrich(to_table(make_batch(event, make_event())), NOW).events.to_pylist()[0]
    assert (row["tr_currency"], len(row["page_title"])) == ("EURO", 3000)
    (failure,) = failures(row)
    assert failure["failure_type"] == "schema_violations"
    assert {error["path"] for error in failure["errors"]} == {"tr_currency", "ti_currency", "page_title"}


def test_an_over_long_text_fails_in_strict_mode(pipeline: Open) -> None:
    enriched = pipeline(strict=True).enrich(to_table(make_batch(make_event(tr_cu="EURO"), make_event())), NOW)
    assert (enriched.events.num_rows, enriched.failed.to_pylist()[0]["code"]) == (1, "too_long")


def test_a_url_that_cannot_be_parted_flags_the_event_and_is_kept(pipeline: Open) -> None:
    event = make_event(url="https://[nonsense/", refr="https://a.example:port/")
    row = pipeline().enrich(to_table(make_batch(event)), NOW).events.to_pylist()[0]
    assert (row["page_url"], row["page_urlhost"]) == ("https://[nonsense/", None)
    assert failures(row)[0]["errors"][0]["message"].startswith("page_url")


def test_the_failure_column_is_the_one_its_schema_makes(tmp_path: Path) -> None:
    key = SchemaKey.parse("iglu:com.snowplowanalytics.snowplow/failure/jsonschema/1-0-0")
    assert key is not None
    made = open_resolver(SchemaSettings(), tmp_path).column(key)
    assert made is not None
    assert made.type == FAILURE


def test_an_order_in_which_nobody_has_filled_what_is_read_is_refused(pipeline: Open) -> None:
    with pytest.raises(SettingsError, match="campaign reads page_urlquery") as refusal:
        pipeline(enrichments=[{"type": "campaign"}, {"type": "page_url"}])
    assert refusal.value.hint == "Put '- type: page_url' before '- type: campaign'."


def test_an_order_in_which_something_is_read_that_was_blotted_out_is_refused(pipeline: Open) -> None:
    with pytest.raises(SettingsError, match="bot reads user_ipaddress") as refusal:
        pipeline(enrichments=[{"type": "ip_anonymize"}, {"type": "bot"}])
    assert refusal.value.hint == "Put '- type: bot' before '- type: ip_anonymize'."
    pipeline(enrichments=[{"type": "ip_anonymize"}, {"type": "ip_anonymize"}, {"type": "user_agent"}])
