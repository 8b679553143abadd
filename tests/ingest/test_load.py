"""Sources merge into their table, or are refused with the place and the mend."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catchment.errors import CatchmentError, SettingsError
from catchment.ingest.load import load_source
from catchment.lake.lake import Lake
from catchment.plugin import build_plugin

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 5, 2, 12, tzinfo=UTC)
HEADER = "date,platform,campaign,impressions,clicks,spend,currency\n"
ROW = "2026-04-01,google,spring,1000,20,35.50,EUR\n"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def load(folder: Path, lake: Lake, now: datetime = NOW, **settings: Any) -> int:
    block = {"type": "files", "path": "spend*.csv", **settings}
    source = build_plugin("ingest/sources", block, place="ingest.sources.ad_spend")
    return load_source("ad_spend", source, lake, folder, now)


def test_a_file_loaded_twice_is_in_the_lake_once(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "spend.csv").write_text(HEADER + ROW)
    assert load(tmp_path, lake) == 1
    assert load(tmp_path, lake, LATER) == 0
    (row,) = lake.read("ad_spend").to_pylist()
    assert (row["spend"], row["clicks"], row["ingested_at"]) == (35.5, 20, NOW)


def test_a_changed_row_replaces_the_old_and_says_when(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "spend.csv").write_text(HEADER + ROW)
    load(tmp_path, lake)
    (tmp_path / "spend.csv").write_text(HEADER + ROW.replace("35.50", "40"))
    assert load(tmp_path, lake, LATER) == 1
    (row,) = lake.read("ad_spend").to_pylist()
    assert (row["spend"], row["ingested_at"]) == (40.0, LATER)


def test_of_a_row_in_two_files_the_later_file_counts(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "spend_1.csv").write_text(HEADER + ROW)
    (tmp_path / "spend_2.csv").write_text(HEADER + ROW.replace("35.50", "41"))
    assert load(tmp_path, lake) == 1
    assert lake.read("ad_spend")["spend"].to_pylist() == [41.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER + ROW.replace("35.50", "lots"), "spend.csv, column 'spend', row 1 is 'lots'"),
        (HEADER.replace("spend", "cost") + ROW, "spend.csv has no column 'spend'"),
        (HEADER + ROW.replace("google", ""), "spend.csv, column 'platform', row 1 is empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path: Path, lake: Lake, content: str, says: str) -> None:
    (tmp_path / "spend.csv").write_text(content)
    with pytest.raises(CatchmentError, match=says) as refused:
        load(tmp_path, lake)
    assert refused.value.hint
    assert not lake.exists("ad_spend")


def test_their_column_names_may_differ(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "spend.csv").write_text(HEADER.replace("spend", "cost") + ROW)
    assert load(tmp_path, lake, columns={"spend": "cost"}) == 1


def test_no_file_and_no_such_table_are_told_apart(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(CatchmentError, match="No file matches"):
        load(tmp_path, lake)
    source = build_plugin("ingest/sources", {"type": "files", "path": "x.csv"}, place="test")
    with pytest.raises(SettingsError, match="fills no table"):
        load_source("ads", source, lake, tmp_path, NOW)


def test_json_lines_are_read_and_a_broken_line_is_named(tmp_path: Path, lake: Lake) -> None:
    line = '{"lead_id": "1", "user_id": "u1", "email": "a@b.co", "stage": "won", '
    line += '"stage_tstamp": "2026-04-02T10:00:00Z", "amount": 5.0, "currency": "EUR"}\n'
    (tmp_path / "leads.jsonl").write_text(line)
    source = build_plugin("ingest/sources", {"type": "files", "path": "leads.jsonl"}, place="test")
    assert load_source("crm_leads", source, lake, tmp_path, NOW) == 1
    (tmp_path / "leads.jsonl").write_text(line + "{oops\n")
    with pytest.raises(CatchmentError, match=r"leads.jsonl, line 2 is not JSON"):
        load_source("crm_leads", source, lake, tmp_path, NOW)
