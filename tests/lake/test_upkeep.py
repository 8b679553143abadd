import multiprocessing
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catchment.errors import LakeError
from catchment.lake import UpkeepSettings, layout
from catchment.lake.delta_views import load_delta
from catchment.lake.lake import Lake
from catchment.lake.layout import CHECKPOINT_COMMITS
from catchment.lake.upkeep import tend
from catchment.tables import AUDIENCE_MEMBERS, EVENTS, OFFSET

DAY = datetime(2026, 3, 1, tzinfo=UTC)
LATER = DAY + timedelta(days=30)
SECRET = "jane@secret.test"


def events(*, first: int, count: int, at: datetime = DAY, name: str | None = None) -> pa.Table:
    rows = [
        {
            "event_id": f"e{number}",
            "user_id": SECRET,
            "domain_userid": f"visitor-{number % 50}-{SECRET}",
            "user_ipaddress": f"{SECRET}-10.0.0.1",
            "collector_tstamp": at,
            "load_tstamp": at,
            "event_name": name or ("page_view", "page_ping", "link_click")[number % 3],
            "page_url": "https://acme.test/" + f"{number}" * 20,
            OFFSET: number,
        }
        for number in range(first, first + count)
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS.schema.append(pa.field(OFFSET, pa.int64())))


def files(lake: Lake, table: str = "events") -> int:
    return len(lake.delta(table).file_uris())


def log_bytes(lake: Lake) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(lake.uri).glob("*/_delta_log/*")))


def files_read(lake: Lake, where: str) -> int:
    with duckdb.connect() as connection:
        load_delta(connection)
        scan = f"explain analyze select max(page_url) from delta_scan('{lake.path('events')}') where {where}"
        plan = connection.execute(scan).fetchall()[0][1]
    return int(re.findall(r"Total Files Read: +(\d+)", plan)[0])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_many_small_files_become_one_and_no_row_is_lost(lake: Lake) -> None:
    for number in range(20):
        lake.append("events", events(first=number, count=1, at=LATER))
    (tended,) = tend(lake, UpkeepSettings(), LATER)
    assert (tended.files_before, tended.files_after) == (20, 1)
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted(f"e{number}" for number in range(20))


def test_upkeep_that_finds_nothing_to_join_leaves_every_file(lake: Lake) -> None:
    lake.append("events", events(first=0, count=5))
    before = lake.delta("events").file_uris()
    tend(lake, UpkeepSettings(), LATER)
    assert lake.delta("events").file_uris() == before


def test_upkeep_makes_no_build_due(lake: Lake) -> None:
    for number in range(20):
        lake.append("events", events(first=number, count=1))
    before = lake.data_version("events")
    tend(lake, UpkeepSettings(), LATER)
    assert lake.version("events") > before
    assert lake.data_version("events") == before


def test_a_day_that_is_over_is_sorted_so_that_one_event_is_in_few_files(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr("catchment.lake.upkeep.MEGABYTE", 150_000)
    for number in range(12):
        lake.append("events", events(first=number * 1000, count=1000))
    tend(lake, UpkeepSettings(target_file_mb=1), LATER)
    total = files(lake)
    assert total >= 6
    assert files_read(lake, "event_name = 'link_click'") <= total // 3 + 1
    joined = files(lake)
    tend(lake, UpkeepSettings(target_file_mb=1), LATER)
    assert files(lake) == joined, "what is sorted already is left alone"


def test_a_day_that_was_joined_while_it_went_on_is_sorted_once_it_is_over(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(layout, "EVENTS_TOGETHER", 500)
    today = datetime.now(UTC)
    for number in range(10):
        lake.append("events", events(first=number * 300, count=300, at=today))
    tend(lake, UpkeepSettings(min_small_files=2), today)
    (joined,) = lake.delta("events").file_uris()
    tend(lake, UpkeepSettings(min_small_files=2), today + timedelta(days=1))
    (sorted_,) = lake.delta("events").file_uris()

    def keys(path: str) -> list[str]:
        return pq.ParquetFile(path).read(["cluster_key"])["cluster_key"].to_pylist()

    assert keys(joined) != sorted(keys(joined))
    assert keys(sorted_) == sorted(keys(joined))
    assert lake.read("events").num_rows == 3000


def test_who_asks_for_one_event_reads_a_part_of_a_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "EVENTS_TOGETHER", 1_000)
    lake.append("events", events(first=0, count=6_000))

    def parts() -> list[set[str]]:
        (path,) = lake.delta("events").file_uris()
        file = pq.ParquetFile(path)
        names = [file.read_row_group(number, ["event_name"])["event_name"] for number in range(file.num_row_groups)]
        return [set(part.to_pylist()) for part in names]

    written = parts()
    assert sum("link_click" in part for part in written) <= 3 < len(written)
    lake.append("events", events(first=6_000, count=10))
    tend(lake, UpkeepSettings(), LATER)
    tended = parts()
    assert sum("link_click" in part for part in tended) <= 3 < len(tended)


def test_a_query_for_one_day_reads_the_files_of_that_day(lake: Lake) -> None:
    for day in range(6):
        lake.append("events", events(first=day, count=3, at=DAY + timedelta(days=day)))
    assert files_read(lake, "event_name = 'page_view' and collector_date >= date '2026-03-05'") == 2


def test_the_log_keeps_statistics_by_which_other_readers_skip_files(lake: Lake) -> None:
    for hour in range(6):
        lake.append("events", events(first=hour, count=3, at=DAY + timedelta(hours=hour), name=f"name{hour % 2}"))
    kept = pa.table(lake.delta("events").get_add_actions(flatten=True)).to_pylist()
    wanted = [file for file in kept if file["max.collector_tstamp"] >= DAY + timedelta(hours=4)]
    assert len(wanted) == 2
    assert {file["min.event_name"] for file in kept} == {"name0", "name1"}


def test_nothing_personal_is_in_the_log_whatever_is_done_with_the_table(lake: Lake) -> None:
    for number in range(CHECKPOINT_COMMITS + 2):
        lake.append("events", events(first=number, count=1))
    lake.overwrite("people", pa.table({"email": [SECRET], "phone": [491511234567], "seen_tstamp": [DAY]}))
    lake.overwrite("people", pa.table({"email": [SECRET], "phone": [491511234567]}))
    members = [{"audience": "a", "person_id": SECRET, "entered_at": DAY}]
    for _ in range(2):
        lake.merge("audience_members", pa.Table.from_pylist(members, AUDIENCE_MEMBERS.schema))
    tend(lake, UpkeepSettings(), LATER)
    written = log_bytes(lake)
    assert b"checkpoint" in b" ".join(path.name.encode() for path in Path(lake.uri).glob("events/_delta_log/*"))
    assert SECRET.encode() not in written
    assert b"491511234567" not in written


def test_a_reader_never_reads_many_commits_behind_a_checkpoint(lake: Lake) -> None:
    for number in range(2 * CHECKPOINT_COMMITS + 10):
        lake.append("runs", pa.table({"run_id": [str(number)]}))
    checkpoints = sorted(Path(lake.path("runs")).glob("_delta_log/*.checkpoint.parquet"))
    newest = int(checkpoints[-1].name[:20])
    assert lake.version("runs") - newest < CHECKPOINT_COMMITS


def test_replaced_files_are_removed_only_after_the_retention(lake: Lake) -> None:
    for number in range(20):
        lake.append("events", events(first=number, count=1))
    tend(lake, UpkeepSettings(), LATER)
    assert len(list(Path(lake.path("events")).glob("collector_date=*/*.parquet"))) == 21


def write(uri: str, writer: int, batches: int) -> None:
    lake = Lake(uri)
    for number in range(batches):
        rows = events(first=number, count=4, at=DAY if number % 2 else LATER)
        lake.append(
            "events",
            rows.set_column(
                rows.column_names.index("event_id"), "event_id", pa.array([f"{writer}-{number}-{n}" for n in range(4)])
            ),
        )


def test_two_writers_and_upkeep_at_the_same_table_lose_nothing(lake: Lake) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(lake.uri, writer, 40)) for writer in (1, 2)]
    for writer in writers:
        writer.start()
    rounds = 0
    while any(writer.is_alive() for writer in writers):
        tend(lake, UpkeepSettings(min_small_files=2), LATER)
        rounds += 1
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert rounds > 1
    wanted = {f"{writer}-{number}-{n}" for writer in (1, 2) for number in range(40) for n in range(4)}
    found = lake.read("events")["event_id"].to_pylist()
    assert sorted(found) == sorted(wanted)


def append_same(uri: str) -> None:
    lake = Lake(uri)
    for last in range(9, 100, 10):
        lake.append("events", events(first=last - 9, count=10), app_id="log-1", offset=last)


def test_two_writers_that_append_the_same_slices_add_them_once(lake: Lake) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_same, args=(lake.uri,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted(f"e{number}" for number in range(100))


def test_a_column_of_another_type_is_refused_rather_than_cast(lake: Lake) -> None:
    lake.append("numbers", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match=r"Column 'a'.* is int64, and rows came as double"):
        lake.append("numbers", pa.table({"a": [1.5]}))
    assert lake.read("numbers").to_pydict() == {"a": [1]}


def test_a_joined_file_is_in_groups_so_that_a_reader_passes_over_other_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catchment.lake.upkeep.ROW_GROUP_ROWS", 100)
    lake = Lake(str(tmp_path / "lake"))
    for first in range(0, 600, 60):
        lake.append("events", events(first=first, count=60))

    tend(lake, UpkeepSettings(min_small_files=2), LATER)

    (uri,) = lake.delta("events").file_uris()
    file = pq.ParquetFile(uri).metadata
    column = file.schema.names.index("event_name")
    kinds = [file.row_group(group).column(column).statistics for group in range(file.num_row_groups)]
    assert file.num_row_groups == 6
    assert sum(kind.min <= "link_click" <= kind.max for kind in kinds) == 2
