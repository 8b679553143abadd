from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from catchment.errors import PluginError, SettingsError
from catchment.lake import LakeSettings
from catchment.lake.engine import Engine, Session, open_engine
from catchment.lake.lake import Lake
from catchment.tables import EVENTS


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "it's a lake"))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(LakeSettings(), tmp_path)


def test_each_table_is_a_view_of_its_name(lake: Lake, engine: Engine) -> None:
    lake.overwrite("sessions", pa.table({"a": [1, 2]}))
    lake.overwrite("select", pa.table({"a": [3]}))
    with engine.attach(lake) as session:
        rows = session.query('select a from sessions union all select a from "select" order by a').read_all()
    assert rows["a"].to_pylist() == [1, 2, 3]


def test_a_session_sees_the_events_that_stood_when_it_began_and_the_next_one_all(lake: Lake, engine: Engine) -> None:
    def append(*ids: str) -> None:
        moment = datetime(2026, 5, 1, tzinfo=UTC)
        rows = [{"event_id": id_, "event_name": "x", "collector_tstamp": moment} for id_ in ids]
        lake.append("events", pa.Table.from_pylist(rows, EVENTS.schema))

    def ask(session: Session) -> list[str]:
        return session.query("select event_id from events order by 1").read_all()["event_id"].to_pylist()

    append("1")
    with engine.attach(lake) as session:
        before = ask(session)
        append("2", "3")
        after = ask(session)
    with engine.attach(lake) as session:
        next_one = ask(session)

    assert (before, after, next_one) == (["1"], ["1"], ["1", "2", "3"])


def test_values_are_parameters(lake: Lake, engine: Engine) -> None:
    lake.overwrite("sessions", pa.table({"a": ["x", "it's"]}))
    with engine.attach(lake) as session:
        rows = session.query("select a from sessions where a = $wanted", {"wanted": "it's"}).read_all()
    assert rows["a"].to_pylist() == ["it's"]


def test_a_time_is_utc_whatever_the_machine_says(lake: Lake, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with engine.attach(lake) as session:
        rows = session.query("select cast('2026-01-01 12:00:00' as timestamp with time zone) as noon").read_all()
    assert rows.schema.field("noon").type == pa.timestamp("us", "UTC")
    assert rows["noon"].to_pylist()[0].hour == 12


def test_ibis_sees_the_same_views(lake: Lake, engine: Engine) -> None:
    lake.overwrite("sessions", pa.table({"a": [1, 2]}))
    with engine.attach(lake) as session:
        assert session.ibis().table("sessions").a.sum().to_pyarrow().as_py() == 3


def test_an_engine_that_is_none_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="'duckdbb'") as raised:
        open_engine(LakeSettings(engine={"type": "duckdbb"}), tmp_path)
    assert "duckdb" in raised.value.hint


def test_a_misspelt_engine_setting_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lake\.engine\.memory: is not a setting"):
        open_engine(LakeSettings(engine={"type": "duckdb", "memory": "1GB"}), tmp_path)


def test_an_engine_of_the_project_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "lake" / "engines"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(
        "from catchment.lake.engine import Engine\nclass Mine(Engine):\n    'Mine.'\n    threads: int = 1\n"
    )
    engine = open_engine(LakeSettings(engine={"type": "mine", "threads": 3}), tmp_path)
    assert engine.model_dump() == {"threads": 3}


def test_a_lake_at_a_url_is_listed_and_read_through_delta_rs(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "lake").mkdir()
    lake = Lake(f"file://{tmp_path}/lake")
    assert lake.tables() == []
    lake.overwrite("sessions", pa.table({"a": [1, 2]}))
    lake.append("runs", pa.table({"run_id": ["r"]}))
    assert lake.tables() == ["runs", "sessions"]
    with engine.attach(lake) as session:
        rows = session.query("select a from sessions where a > $least", {"least": 1}).read_all()
    assert rows["a"].to_pylist() == [2]
