"""The tenth that a score is in, and the label it has.

Equal scores are parted by person_id, so that scoring again parts them alike. Who is who, and in which order people
come, is asked of DuckDB, which puts on disk what is beyond its memory; of each person a few numbers come back.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from catchment.predict.definition import Labels

DECILES = 10
LABELS = ("Low", "Medium", "High")
MEMORY = "256MB"
ROWS = 100_000
"""So many rows pass at once."""
_PLACES = pa.schema([("place", pa.int32())])
_PEOPLE = pa.schema([*_PLACES, ("person_id", pa.string()), ("score", pa.float64())])


class Ranking:
    """Two lots of people by their places: the `fresh`, who were just scored, and the `kept`, whose scores stand."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def add(self, lot: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Take in the people of one lot, each at the place where it comes; once for each lot."""
        self._connection.register("incoming", pa.RecordBatchReader.from_batches(_PEOPLE, _placed(batches)))
        self._connection.execute(f"create table {lot} as select * from incoming")
        self._connection.unregister("incoming")

    def twins(self, count: int) -> Any:
        """Give per place of the `count` fresh people the place where the same person is kept, -1 for none."""
        found = np.full(count, -1, dtype=np.int32)
        pairs = "select fresh.place as fresh, kept.place as kept from fresh join kept using (person_id)"
        for batch in self._ask(pairs):
            found[batch["fresh"].to_numpy()] = batch["kept"].to_numpy()
        return found

    def rank(self, fresh: int, is_kept: Any) -> tuple[Any, Any]:
        """Give the deciles of the fresh people, of whom there are so many, and of those kept ones who `is_kept`.

        All are ranked together; who is not kept has decile 0.
        """
        self._connection.register("chosen", pa.RecordBatchReader.from_batches(_PLACES, _places(is_kept)))
        deciles = np.zeros(fresh + len(is_kept), dtype=np.int8)
        count, ranked = fresh + int(np.count_nonzero(is_kept)), 0
        everybody = (
            f"select place from (select * from fresh union all select place + {fresh}, person_id, score "
            "from kept semi join chosen using (place)) order by score, person_id"
        )
        for batch in self._ask(everybody):
            ranks = np.arange(ranked, ranked + batch.num_rows)
            deciles[batch["place"].to_numpy()] = ranks * DECILES // count + 1
            ranked += batch.num_rows
        self._connection.unregister("chosen")
        return deciles[:fresh], deciles[fresh:]

    def _ask(self, sql: str) -> Iterator[pa.RecordBatch]:
        yield from self._connection.execute(sql).to_arrow_reader(ROWS)


@contextmanager
def open_ranking(folder: Path) -> Iterator[Ranking]:
    """Open a ranking that puts into `folder` what does not fit into its memory."""
    config: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": str(folder / "spill")}
    with duckdb.connect(":memory:", config=config) as connection:
        yield Ranking(connection)


def label_codes(labels: Labels, deciles: Any, scores: Any) -> Any:
    """Give each person a place in LABELS, by the share of people below or by the score itself."""
    measure = np.asarray(scores) if labels.by == "score" else (np.asarray(deciles) - 1) / DECILES
    codes = (measure >= labels.medium - 1e-9).astype(np.int8)
    codes[measure >= labels.high - 1e-9] = LABELS.index("High")
    return codes


def label_people(labels: Labels, deciles: Any, scores: Any) -> pa.Array:
    """Say High, Medium or Low, by the share of people below or by the score itself."""
    return say_labels(label_codes(labels, deciles, scores))


def say_labels(codes: Any) -> pa.Array:
    """Give the words for places in LABELS."""
    return pa.array(LABELS).take(pa.array(codes))


def _placed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    place = 0
    for batch in batches:
        places = np.arange(place, place + batch.num_rows, dtype=np.int32)
        yield pa.record_batch([pa.array(places), batch["person_id"], batch["score"]], schema=_PEOPLE)
        place += batch.num_rows


def _places(chosen: Any) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(chosen), ROWS):
        places = start + np.flatnonzero(chosen[start : start + ROWS]).astype(np.int32)
        yield pa.record_batch([pa.array(places)], schema=_PLACES)
