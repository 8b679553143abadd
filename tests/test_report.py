"""Reports of every shape become rows of a table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pytest

from catchment.report import show, to_rows


class Named(NamedTuple):
    """A report that is a named tuple."""

    table: str
    rows: int


@dataclass(frozen=True)
class Kept:
    """A report that is a dataclass."""

    table: str
    rows: int


def test_a_list_of_reports_is_a_row_each_whatever_they_are_made_of() -> None:
    expected = [{"table": "events", "rows": 1}, {"table": "failed", "rows": 2}]
    assert to_rows([Named("events", 1), Named("failed", 2)]) == expected
    assert to_rows((Kept("events", 1), Kept("failed", 2))) == expected
    assert to_rows(pa.Table.from_pylist(expected)) == expected
    assert to_rows(expected) == expected


def test_one_report_is_one_row() -> None:
    assert to_rows(Named("events", 1)) == to_rows(Kept("events", 1)) == [{"table": "events", "rows": 1}]


def test_what_a_visitor_wrote_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show("trace", {"page_title": "[/b] or [red]"})
    assert "[/b] or [red]" in capsys.readouterr().out


def test_a_value_is_never_cut_off_and_a_moment_is_told_to_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2026, 11, 1, 9, 30, 5, 7, tzinfo=UTC)
    show("a report", [{"value": "x" * 300, "moment": moment}])
    printed = capsys.readouterr().out
    assert printed.count("x") == 300 and "2026-11-01 09:30:05" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("metrics", "baseline", "beside"),
    [
        ({"roc_auc": 0.8, "average_precision": 0.31}, {"roc_auc": 0.78, "average_precision": 0.3}, "0.780, 0.300"),
        ({"gini": 0.51, "mae": 12.0}, {"gini": 0.5, "mae": 13.0}, "0.500, 13.00"),
    ],
)
def test_a_training_is_told_beside_its_baseline_and_with_why_its_model_speaks_or_not(
    capsys: pytest.CaptureFixture[str], metrics: dict[str, float], baseline: dict[str, float], beside: str
) -> None:
    why = "average_precision 0.3100 does not beat 0.3200 of version 1."
    show("train", [{"prediction": "signup", "promoted": False, "metrics": metrics, "baseline": baseline, "why": why}])
    printed = capsys.readouterr().out
    assert beside in printed
    assert all(name.split("_")[0] in printed for name in metrics)
    assert f"signup: {why}" in printed
