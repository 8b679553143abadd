"""Rows that come as a stream: one commit, made anew for each try, with the types of the table."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

from catchment.errors import LakeError
from catchment.lake.lake import Lake

SCHEMA = pa.schema([("person_id", pa.string()), ("score", pa.float64())])


def batches(*names: str) -> Callable[[], pa.RecordBatchReader]:
    def read() -> pa.RecordBatchReader:
        parts = (pa.record_batch([[name], [0.5]], schema=SCHEMA) for name in names)
        return pa.RecordBatchReader.from_batches(SCHEMA, parts)

    return read


def test_what_a_reader_gives_is_appended_in_one_commit(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append_batches("marks", batches("a", "b"))
    lake.append_batches("marks", batches("c"))
    lake.append_batches("marks", batches())
    assert sorted(lake.read("marks")["person_id"].to_pylist()) == ["a", "b", "c"]
    appended = [entry for entry in lake.delta("marks").history() if entry["operation"] == "WRITE"]
    assert len(appended) == 3


def test_a_reader_is_made_anew_when_somebody_else_committed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, write, tries = Lake(str(tmp_path)), Lake._write, []

    def lost_once(self: Lake, table: str, rows: pa.RecordBatchReader, *rest: object, **how: object) -> None:
        tries.append(table)
        if len(tries) == 1:
            rows.read_all()
            raise CommitFailedError("somebody else came first")
        write(self, table, rows, *rest, **how)

    monkeypatch.setattr(Lake, "_write", lost_once)
    lake.append_batches("marks", batches("a", "b"))
    assert (len(tries), sorted(lake.read("marks")["person_id"].to_pylist())) == (2, ["a", "b"])


def test_a_stream_of_another_type_is_refused_rather_than_cast(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append_batches("marks", batches("a"))
    other = pa.table({"person_id": ["b"], "score": ["much"]})
    with pytest.raises(LakeError, match="Column 'score' of table 'marks' is double"):
        lake.append_batches("marks", other.to_reader)
