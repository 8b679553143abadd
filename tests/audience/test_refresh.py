"""Refreshing: entered and left are recorded exactly, once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from catchment.audience.definition import Audience
from catchment.audience.refresh import RefreshReport, refresh
from catchment.lake.lake import Lake

from .acme import NOW, attached, audience, fill

FIRST_VISIT = audience({"column": "sessions", "is": 1}, name="first_visit")
LATER = NOW + timedelta(hours=1)
LATEST = NOW + timedelta(hours=2)


def run(lake: Lake, wanted: Audience = FIRST_VISIT, now: Any = NOW) -> RefreshReport:
    with attached(lake) as session:
        return refresh(wanted, session, lake, now)


def stays(lake: Lake) -> set[tuple[Any, ...]]:
    rows = lake.read("audience_members").to_pylist()
    assert len({(row["audience"], row["person_id"], row["entered_at"]) for row in rows}) == len(rows)
    return {(row["person_id"], row["entered_at"], row["left_at"]) for row in rows}


def set_sessions(lake: Lake, **sessions: int) -> None:
    people = [row | {"sessions": sessions.get(row["person_id"], row["sessions"])} for row in _people(lake)]
    lake.overwrite("people", pa.Table.from_pylist(people, lake.read("people").schema))


def _people(lake: Lake) -> list[dict[str, Any]]:
    return [row | {"person_id": row["person_id"] or ""} for row in lake.read("people").to_pylist() if row["person_id"]]


def test_a_first_refresh_lets_everybody_in_who_fits(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    assert run(lake) == RefreshReport("first_visit", size=3, entered=3, left=0)
    assert stays(lake) == {("ann", NOW, None), ("cem", NOW, None), ("eve", NOW, None)}


def test_a_second_refresh_changes_nothing(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    version, before = lake.version("audience_members"), stays(lake)
    assert run(lake, now=LATER) == RefreshReport("first_visit", size=3, entered=0, left=0)
    assert stays(lake) == before
    assert lake.version("audience_members") == version


def test_who_enters_and_who_leaves_is_recorded_exactly(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    set_sessions(lake, ann=2, dia=1)
    assert run(lake, now=LATER) == RefreshReport("first_visit", size=3, entered=1, left=1)
    assert stays(lake) == {("ann", NOW, LATER), ("cem", NOW, None), ("eve", NOW, None), ("dia", LATER, None)}


def test_coming_back_begins_another_stay(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    set_sessions(lake, ann=2)
    run(lake, now=LATER)
    set_sessions(lake, ann=1)
    assert run(lake, now=LATEST) == RefreshReport("first_visit", size=3, entered=1, left=0)
    assert {stay for stay in stays(lake) if stay[0] == "ann"} == {("ann", NOW, LATER), ("ann", LATEST, None)}


def test_a_person_who_is_gone_from_the_lake_leaves(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    lake.overwrite("people", lake.read("people").slice(1))
    assert run(lake, now=LATER) == RefreshReport("first_visit", size=2, entered=0, left=1)


def test_one_audience_does_not_touch_another(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    returning = audience({"column": "sessions", "gt": 1}, name="returning")
    assert run(lake, returning) == RefreshReport("returning", size=2, entered=2, left=0)
    assert run(lake, now=LATER) == RefreshReport("first_visit", size=3, entered=0, left=0)


def test_an_audience_sees_another_that_was_refreshed_in_the_same_session(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    both = {"all": [{"member_of": "first_visit"}, {"column": "mkt_medium", "is_null": True}]}
    with attached(lake) as session:
        refresh(FIRST_VISIT, session, lake, NOW)
        report = refresh(audience(both, name="organic_first_visit"), session, lake, NOW)
    assert report == RefreshReport("organic_first_visit", size=1, entered=1, left=0)


def test_an_audience_of_nobody_is_recorded_too(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    nobody = audience({"column": "sessions", "gt": 99}, name="nobody")
    assert run(lake, nobody) == RefreshReport("nobody", size=0, entered=0, left=0)
    assert lake.read("audience_members").num_rows == 0


def test_each_refresh_is_a_row_of_audience_runs(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake)
    set_sessions(lake, ann=2)
    run(lake, now=LATER)
    rows = sorted(lake.read("audience_runs").to_pylist(), key=lambda row: row["refreshed_at"])
    assert [(row["refreshed_at"], row["size"], row["entered"], row["left"]) for row in rows] == [
        (NOW, 3, 3, 0),
        (LATER, 2, 0, 1),
    ]
    assert {row["definition"] for row in rows} == {FIRST_VISIT.definition()}
