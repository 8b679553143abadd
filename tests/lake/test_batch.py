import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from catchment.errors import LakeError
from catchment.lake.batch import Batch, Outcome, commit_batch, digest_ids
from catchment.lake.lake import Lake
from catchment.tables import BATCHES, EVENTS, FAILED_EVENTS, OFFSET, PAYLOADS

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LOG = "log-1"


def slice_of(first: int, last: int, **columns: pa.Array) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Payloads `first` to `last`: each holds two events, of which every fifth payload's second failed."""
    offsets = range(first, last + 1)
    payloads = rows(PAYLOADS.schema, [{OFFSET: n, "payload_id": f"p{n}"} for n in offsets])
    good = [(n, i) for n in offsets for i in (0, 1) if not _is_bad(n, i)]
    bad = [(n, i) for n in offsets for i in (0, 1) if _is_bad(n, i)]
    with_offset = EVENTS.schema.append(pa.field(OFFSET, pa.int64()))
    events = rows(with_offset, [{OFFSET: n, "event_id": f"e{n}-{i}"} for n, i in good])
    with_offset = FAILED_EVENTS.schema.append(pa.field(OFFSET, pa.int64()))
    failed = rows(with_offset, [{OFFSET: n, "failed_id": f"f{n}-{i}"} for n, i in bad])
    for name, column in columns.items():
        events = events.append_column(name, column)
    return payloads, events, failed


def _is_bad(offset: int, index: int) -> bool:
    return offset % 5 == 0 and index == 1


def rows(schema: pa.Schema, values: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(values, schema=schema)


def commit(lake: Lake, first: int, last: int) -> Batch:
    payloads, events, failed = slice_of(first, last)
    return commit_batch(lake, LOG, payloads, Outcome(events, failed), now=NOW)


def assert_holds_exactly(lake: Lake, last: int) -> None:
    _, events, failed = slice_of(1, last)
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted(events["event_id"].to_pylist())
    assert sorted(lake.read("failed_events")["failed_id"].to_pylist()) == sorted(failed["failed_id"].to_pylist())
    batches = lake.read(BATCHES.name)
    assert pc.sum(batches["payloads"]).as_py() == last
    assert pc.sum(batches["events"]).as_py() == events.num_rows
    assert pc.sum(batches["failed"]).as_py() == failed.num_rows
    assert pc.sum(batches["received"]).as_py() == events.num_rows + failed.num_rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_a_batch_counts_what_came_and_what_became_of_it(lake: Lake) -> None:
    batch = commit(lake, 1, 10)
    ids = digest_ids(lake.read("events")["event_id"].to_pylist())
    assert batch == Batch(
        LOG, 1, 10, payloads=10, received=20, events=18, failed=2, suppressed=0, committed_at=NOW, event_ids=ids
    )
    assert lake.read(BATCHES.name).to_pylist() == [vars(batch)]


def test_every_event_knows_when_it_was_loaded(lake: Lake) -> None:
    commit(lake, 1, 3)
    assert set(lake.read("events")["load_tstamp"].to_pylist()) == {NOW}


def test_the_position_in_the_log_stays_out_of_the_lake(lake: Lake) -> None:
    commit(lake, 1, 5)
    assert OFFSET not in {*lake.read("events").column_names, *lake.read("failed_events").column_names}


def test_a_batch_committed_twice_is_there_once(lake: Lake) -> None:
    commit(lake, 1, 10)
    again = commit(lake, 1, 10)
    assert (again.payloads, again.events, again.failed) == (0, 0, 0)
    assert_holds_exactly(lake, 10)


def test_a_batch_repeated_with_more_behind_it_adds_only_the_more(lake: Lake) -> None:
    commit(lake, 1, 10)
    again = commit(lake, 1, 15)
    assert (again.first_offset, again.last_offset, again.payloads) == (11, 15, 5)
    assert_holds_exactly(lake, 15)


def test_two_logs_do_not_shadow_each_other(lake: Lake) -> None:
    payloads, events, failed = slice_of(1, 5)
    commit_batch(lake, "log-1", payloads, Outcome(events, failed))
    commit_batch(lake, "log-2", payloads, Outcome(events, failed))
    assert lake.read("events").num_rows == 2 * events.num_rows


def test_a_batch_without_a_single_good_event_moves_the_log_on(lake: Lake) -> None:
    payloads, events, failed = slice_of(1, 5)
    commit_batch(lake, LOG, payloads, Outcome(events.slice(0, 0), failed))
    assert [lake.committed(table, LOG) for table in ("events", "failed_events", "batches")] == [5, 5, 5]


def test_a_batch_without_payloads_is_refused(lake: Lake) -> None:
    payloads, events, failed = slice_of(1, 0)
    with pytest.raises(ValueError, match="at least one payload"):
        commit_batch(lake, LOG, payloads, Outcome(events, failed))


def test_a_new_entity_is_a_new_column_and_null_before(lake: Lake) -> None:
    commit(lake, 1, 1)
    users = pa.array([[{"email": "a@acme.test"}], None], pa.list_(pa.struct([("email", pa.string())])))
    payloads, events, failed = slice_of(2, 2, contexts_com_acme_user_1=users)
    commit_batch(lake, LOG, payloads, Outcome(events, failed))
    found = dict(
        zip(*lake.read("events").select(["event_id", "contexts_com_acme_user_1"]).to_pydict().values(), strict=True)
    )
    assert found == {"e1-0": None, "e1-1": None, "e2-0": [{"email": "a@acme.test"}], "e2-1": None}


def test_a_new_field_of_an_entity_is_null_before(lake: Lake) -> None:
    first = pa.array([[{"email": "a@acme.test"}], None], pa.list_(pa.struct([("email", pa.string())])))
    type_ = pa.list_(pa.struct([("email", pa.string()), ("company", pa.string())]))
    second = pa.array([[{"email": "b@acme.test", "company": "Bolt"}], None], type_)
    for offset, users in ((1, first), (2, second)):
        payloads, events, failed = slice_of(offset, offset, contexts_com_acme_user_1=users)
        commit_batch(lake, LOG, payloads, Outcome(events, failed))
    found = [entity for entity in lake.read("events")["contexts_com_acme_user_1"].to_pylist() if entity]
    assert sorted(found, key=str) == [
        [{"email": "a@acme.test", "company": None}],
        [{"email": "b@acme.test", "company": "Bolt"}],
    ]


DYING = """
import os, signal, sys
from catchment.lake.lake import Lake
from tests.lake.test_batch import commit

class DyingLake(Lake):
    def append(self, table, rows, **how):
        if table == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().append(table, rows, **how)

commit(DyingLake(sys.argv[1]), 6, 12)
"""


@pytest.mark.parametrize("table", ["events", "failed_events", "batches"])
@pytest.mark.parametrize("last", [12, 15])
def test_a_process_killed_between_two_tables_loses_and_doubles_nothing(lake: Lake, table: str, last: int) -> None:
    commit(lake, 1, 5)
    root = Path(__file__).parents[2]
    script = [sys.executable, "-c", DYING, lake.uri, table]
    killed = subprocess.run(script, cwd=root, env={"PYTHONPATH": f"{root / 'src'}:{root}"}, check=False)
    assert killed.returncode == -9
    commit(lake, 6, last)
    assert_holds_exactly(lake, last)


def test_a_table_never_written_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match="no table 'events'"):
        lake.delta("events")
