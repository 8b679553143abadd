"""Rows are chosen by texts also in files that delta-rs wrote anew, as after somebody was forgotten."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from catchment.lake.lake import Lake
from catchment.lake.rows import Rows, choose


def test_rows_are_chosen_in_files_that_a_deletion_wrote_anew(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    ids = [f"e{number}" for number in range(100)]
    lake.append("notes", pa.table({"event_id": ids, "domain_userid": ["a", "b"] * 50}))
    lake.delta("notes").delete("domain_userid = 'a'")
    lake.append("notes", pa.table({"event_id": ["late"], "domain_userid": ["a"]}))
    asked = pc.field("event_id").isin(["e2", "e3", "late"])
    assert sorted(Rows.of(lake.delta("notes")).scanner(filter=asked).to_table()["event_id"].to_pylist()) == [
        "e3",
        "late",
    ]
    data = lake.delta("notes").to_pyarrow_dataset()
    found = [choose(part, data.schema, ["event_id"], asked).to_pylist() for part in data.get_fragments()]
    assert sorted(found, key=str) == [[{"event_id": "e3"}], [{"event_id": "late"}]]
