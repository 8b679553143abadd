"""Models over a lake at a URL are those of a lake in a folder."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model.build import BuildFailed, Choice
from catchment.model.plan import merged_models
from tests.model.conftest import ALL, Built, append_and_build, empty_project, event, table
from tests.model.test_purity import IDENTITY, SETTINGS, by_day, draw_history, tables
from tests.object_store import object_store, options

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
DAY = 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_store() as url:
        yield url


def place(server: str, name: str) -> LakeSettings:
    return LakeSettings(uri=f"s3://lake/{name}", storage_options=options(server))


def joining() -> list[dict[str, Any]]:
    """A user who is known logs in with a cookie that was nobody's yet."""
    return [event(9_000 + number, seconds=20 * DAY, domain_userid=f"v{number}", user_id="u1") for number in (1, 2)]


def test_models_in_an_object_store_are_those_of_a_folder_however_they_are_built(workshop: Path, server: str) -> None:
    chance = Random(3)
    events = draw_history(chance, visitors=20)
    expected = tables(append_and_build(empty_project(workshop), [*events, *joining()], **SETTINGS))
    there = place(server, "steps")
    batches = by_day(chance, events)  # some events are late
    for batch in [*batches, joining()]:
        told = append_and_build(workshop, batch, place=there, **SETTINGS)
    assert len(batches) > 1 and told.report.plan.startswith("events since")
    assert tables(told) == expected
    stood = versions(told)
    assert versions(append_and_build(workshop, [], place=there, **SETTINGS)) == stood
    whole = append_and_build(workshop, [], Choice(full_refresh=True, slice_events=150), there, **SETTINGS)
    assert tables(whole) == expected


def versions(told: Built) -> dict[str, int | None]:
    return {name: told.lake.version(name) for name in (*merged_models(), *IDENTITY)}


def test_a_session_reads_an_object_store_as_often_as_it_asks(project: Path, server: str) -> None:
    there = place(server, "asked")
    lake = Lake.open(there, project)
    lake.append("events", table([event(1)]))
    with open_engine(there, project).attach(lake) as session:
        counts = [session.query("select count(*) as n from events").read_all()["n"].to_pylist() for _ in range(2)]
        listed = session.ibis().list_tables()
    assert counts == [[1], [1]]
    assert listed == ["events"]


def test_a_table_that_stands_is_never_replaced_by_what_is_new(project: Path) -> None:
    macros = project / "macros"
    macros.mkdir()
    (macros / "blind.sql").write_text("{% macro is_incremental() %}{{ return(false) }}{% endmacro %}")
    first = append_and_build(project, [event(1)], ALL, user_macros="macros")
    before = first.lake.read("visit_days")
    with pytest.raises(BuildFailed, match="stands in the lake"):
        append_and_build(project, [event(2, seconds=DAY, domain_sessionid="s2")], user_macros="macros")
    assert first.lake.read("visit_days") == before
