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
