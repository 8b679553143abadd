"""What changed since the last run is read from Delta's log, and is what a comparison of all rows finds."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.activate import planning, state
from catchment.activate.changes import Changes, find_changes
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.mapping import read_sources
from catchment.activate.planning import Wishes
from catchment.activate.state import State
from catchment.errors import DefinitionError

from .conftest import PEOPLE, World, person
from .test_modes import Notebook

CONTENT = {"name": "noted", "destination": "notebook", "model": "people", "identifiers": {"id": "person_id"}}


def declared(**changes: Any) -> Sync:
    content = {**CONTENT, "fields": {"email": "email", "seen": "last_seen_tstamp"}, **changes}
    return parse_sync(content, "syncs/noted.yml")


@pytest.fixture(params=["change feed", "files"])
def fed(request: pytest.FixtureRequest, world: World) -> World:
    feed = {"delta.enableChangeDataFeed": "true"} if request.param == "change feed" else None
    people = pa.Table.from_pylist([person(number) for number in range(6)], PEOPLE)
    write_deltalake(world.lake.path("people"), people.slice(0, 3), configuration=feed)
    write_deltalake(world.lake.path("people"), people.slice(3), mode="append")
    return world


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time that all rows are read."""
    noted: list[str] = []
    whole: Callable[..., Any] = planning.read_sources

    def read(sync: Sync, *arguments: Any) -> Any:
        noted.append(sync.name)
        return whole(sync, *arguments)

    monkeypatch.setattr(planning, "read_sources", read)
    return noted


def merge(world: World, *people: dict[str, Any]) -> None:
    rows = pa.Table.from_pylist(list(people), PEOPLE)
    merging = world.lake.delta("people").merge(rows, "t.person_id = s.person_id", source_alias="s", target_alias="t")
    merging.when_matched_update_all().when_not_matched_insert_all().execute()


def test_changed_new_and_gone_rows_are_found_without_reading_the_others(fed: World, reads: list[str]) -> None:
    notebook = Notebook(name="notebook")
    fed.carry(declared(), notebook)
    assert reads == ["noted"]
    notebook.told()
    merge(fed, person(1, email="new@acme.co"), person(9))
    fed.lake.delta("people").delete("person_id = 'p0004'")
    report = fed.carry(declared(), notebook)
    assert reads == ["noted"]
    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 1, 4)
    said = {(operation, row["id"]) for operation, rows in notebook.told() for row in rows}
    assert said == {("upsert", "p0001"), ("upsert", "p0009"), ("remove", "p0004")}
    report = fed.carry(declared(), notebook)
    assert (report.unchanged, notebook.told(), reads) == (6, [], ["noted"])


def test_rows_that_only_moved_between_files_are_not_sent(fed: World) -> None:
    notebook = Notebook(name="notebook")
    fed.carry(declared(), notebook)
    notebook.told()
    fed.lake.delta("people").optimize.compact()
    merge(fed, person(2, engaged_time_in_s=999))
    report = fed.carry(declared(), notebook)
    assert (report.unchanged, notebook.told()) == (6, [])


@pytest.mark.parametrize("why", ["mapping", "full", "vacuum", "retry"])
def test_where_the_log_does_not_tell_all_rows_are_compared(fed: World, reads: list[str], why: str) -> None:
    from catchment.activate.caller import Unanswered

    notebook = Notebook(name="notebook")
    if why == "retry":
        notebook._answers = [Unanswered("no", code="503")]
    fed.carry(declared(), notebook)
    sync = declared(fields={"email": "email"}) if why == "mapping" else declared()
    if why == "vacuum":
        merge(fed, *(person(number, email="x@acme.co") for number in range(6)))
        fed.lake.delta("people").optimize.compact()
        fed.lake.delta("people").vacuum(0, dry_run=False, enforce_retention_duration=False)
    report = fed.carry(sync, notebook, Wishes(is_full=why == "full"))
    is_told = why != "vacuum" or len(reads) == 1
    assert is_told or len(reads) == 2
    assert report.status == "ok"
    assert {row["last_status"] for row in fed.lake.read("sync_state").to_pylist()} == {"sent"}


CHANGES = st.lists(st.tuples(st.sampled_from("mdo"), st.integers(0, 7), st.sampled_from("ab")), max_size=4)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_the_log_and_the_comparison_of_all_rows_come_to_the_same(
    fed: World, changes: list[tuple[str, int, str]]
) -> None:
    notebook = Notebook(name="notebook")
    fed.carry(declared(), notebook)
    for kind, number, letter in changes:
        if kind == "m":
            merge(fed, person(number, email=f"{letter}@{number}.co"))
        elif kind == "d":
            fed.lake.delta("people").delete(f"person_id = 'p{number:04}'")
        else:
            fed.lake.delta("people").optimize.compact()
    fed.carry(declared(), notebook)
    rows = pl.DataFrame(pl.from_arrow(fed.lake.read("people"))).sort("person_id")
    held = pl.DataFrame(pl.from_arrow(fed.lake.read("sync_state"))).filter(pl.col("payload").is_not_null())
    assert sorted(held["row_key"]) == rows["person_id"].to_list()
    told = dict(zip(held["row_key"], held["payload"].str.json_path_match("$.email"), strict=True))
    assert told == dict(zip(rows["person_id"], rows["email"], strict=True))
    assert fed.carry(declared(), notebook, Wishes(is_full=False)).unchanged == rows.height


class Elsewhere(Notebook):
    """The same kind of place, at another address."""

    @property
    def address(self) -> str:
        return "elsewhere"


def test_another_address_is_another_place_though_nothing_else_changed(fed: World) -> None:
    assert fed.carry(declared(), Notebook()).sent == 6
    assert fed.carry(declared(), Notebook()).sent == 0
    assert fed.carry(declared(), Elsewhere()).sent == 6
    assert fed.carry(declared(), Elsewhere()).sent == 0


def test_what_one_sync_writes_down_rewrites_no_file_of_another(fed: World) -> None:
    def files(name: str) -> set[str]:
        return {path for path in fed.lake.delta("sync_state").file_uris() if f"sync={name}/" in path}

    other = declared().model_copy(update={"name": "other"})
    fed.carry(other, Notebook())
    fed.carry(declared(), Notebook())
    before, mine = files("other"), files("noted")
    fed.settle([person(number, email=f"new{number}@acme.co") for number in range(6)])
    fed.carry(declared(), Notebook())
    assert files("other") == before and not files("noted") & mine


def compared(world: World, notebook: Notebook) -> Changes:
    def read() -> pa.RecordBatchReader:
        return read_sources(declared(), world.ground().session, world.lake)

    return find_changes(read, declared(), notebook, State(world.lake, declared(), notebook), is_full=False)


def test_a_state_too_large_to_be_held_is_compared_in_parts(fed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(name="notebook")
    fed.carry(declared(), notebook)
    merge(fed, person(1, email="new@acme.co"), person(9))
    fed.lake.delta("people").delete("person_id = 'p0004'")
    whole = compared(fed, notebook)
    monkeypatch.setattr(state, "AT_ONCE", 2)
    parts = compared(fed, notebook)
    assert sorted(whole.rows["_row_key"]) == sorted(parts.rows["_row_key"]) == ["p0001", "p0009"]
    assert whole.gone.to_list() == parts.gone.to_list() != []
    assert whole.quiet == parts.quiet == {"sent": 4}


def test_a_key_that_stands_twice_is_refused_though_one_of_its_rows_was_told(fed: World) -> None:
    notebook = Notebook(name="notebook")
    fed.carry(declared(), notebook)
    again = pa.Table.from_pylist([person(3, email="other@acme.co")], PEOPLE)
    write_deltalake(fed.lake.path("people"), again, mode="append")
    with pytest.raises(DefinitionError, match="1 have another's"):
        compared(fed, notebook)


def test_what_a_killed_run_left_is_tidied_by_the_next_though_it_has_nothing_to_tell(
    fed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = Notebook(name="notebook")
    with monkeypatch.context() as patch:
        patch.setattr(State, "compact", lambda state: None)  # as if killed before it
        fed.carry(declared(), notebook)
    assert fed.lake.read("sync_state").num_rows > 6
    report = fed.carry(declared(), notebook)
    assert (report.unchanged, report.sent) == (6, 0)
    assert sorted(fed.lake.read("sync_state")["row_key"].to_pylist()) == [f"p{number:04}" for number in range(6)]
    before = fed.lake.version("sync_state")
    fed.carry(declared(), notebook)
    assert fed.lake.version("sync_state") == before
