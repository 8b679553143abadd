"""Scores that were just worked out beside those that stand: how all rank together, and which rows say something new.

Rows wait on disk and pass batch by batch; of each person the score, the decile, the label and a place are in memory.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from catchment.lake.lake import Lake
from catchment.lake.rows import Rows
from catchment.predict.definition import Labels
from catchment.predict.draft import Draft
from catchment.predict.rank import LABELS, ROWS, label_codes, open_ranking, say_labels
from catchment.tables import PROPENSITY_SCORES

SCHEMA = PROPENSITY_SCORES.schema
WORKED = pa.schema([SCHEMA.field(name) for name in ("person_id", "observed_at", "score", "reasons")])
"""What is known of a person before the others are: the rest depends on the rank."""


class Standing:
    """The scores of one prediction as they stood when this was made, whatever is written meanwhile.

    `is_current` says of each row whether the version that speaks now gave it.
    """

    def __init__(self, prediction: str, lake: Lake, version: str) -> None:
        self._chosen = ds.field("prediction") == prediction
        name = PROPENSITY_SCORES.name
        self._rows = Rows.of(lake.delta(name)) if lake.exists(name) else ds.dataset(SCHEMA.empty_table())
        told = [self._numbers(batch, version) for batch in self.batches("model_version", "score", "decile", "label")]
        kinds = (np.float64, np.int8, np.int8, np.bool_)
        self.scores, self.deciles, self.labels, self.is_current = (
            np.concatenate([np.empty(0, kind), *(batch[place] for batch in told)]) for place, kind in enumerate(kinds)
        )

    def __len__(self) -> int:
        return len(self.scores)

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Give these columns of the rows, all where none is named, in an order that stays the same."""
        schema = pa.schema([SCHEMA.field(name) for name in columns or SCHEMA.names])
        scanner = self._rows.scanner(
            schema.names, filter=self._chosen, batch_size=ROWS, batch_readahead=1, fragment_readahead=1
        )
        for batch in scanner.to_batches():
            yield from pa.Table.from_batches([batch]).cast(schema).to_batches()

    @staticmethod
    def _numbers(batch: pa.RecordBatch, version: str) -> tuple[Any, ...]:
        unknown = pc.index_in(batch["label"], pa.array(LABELS)).fill_null(-1)
        return (
            batch["score"].to_numpy(),
            batch["decile"].to_numpy().astype(np.int8),
            unknown.to_numpy().astype(np.int8),
            pc.equal(batch["model_version"], version).to_numpy(zero_copy_only=False),
        )


class Verdict(NamedTuple):
    """What is said of the people of one lot, and of whom it differs from what stands."""

    deciles: Any
    labels: Any
    is_news: Any


class Comparison:
    """The fresh scores, and those of the same version that stand of others, ranked together."""

    def __init__(self, draft: Draft, standing: Standing, labels: Labels, folder: Path) -> None:
        self._draft, self._standing = draft, standing
        with open_ranking(folder) as ranking:
            ranking.add("fresh", draft.batches())
            ranking.add("kept", standing.batches("person_id", "score"))
            self._twins = ranking.twins(len(draft.scores))
            self._is_kept = standing.is_current.copy()
            self._is_kept[self._twins[self._twins >= 0]] = False
            fresh, kept = ranking.rank(len(draft.scores), self._is_kept)
        self._fresh = self._judge_fresh(fresh, label_codes(labels, fresh, draft.scores))
        self._kept = self._judge_kept(kept, label_codes(labels, kept, standing.scores))

    def _judge_fresh(self, deciles: Any, labels: Any) -> Verdict:
        before, scores = self._standing, self._draft.scores
        is_news = self._twins < 0
        known = np.flatnonzero(~is_news)
        twins = self._twins[known]
        is_news[known] = (
            ~before.is_current[twins]
            # As bits, so that what is not a number is the same as itself.
            | (before.scores[twins].view(np.int64) != scores[known].view(np.int64))
            | (before.deciles[twins] != deciles[known])
            | (before.labels[twins] != labels[known])
        )
        return Verdict(deciles, labels, is_news)

    def _judge_kept(self, deciles: Any, labels: Any) -> Verdict:
        differs = (self._standing.deciles != deciles) | (self._standing.labels != labels)
        return Verdict(deciles, labels, self._is_kept & differs)

    @cached_property
    def changed(self) -> int:
        """Count the rows that say something else than those that stood; reasons alone are no news."""
        return int(np.count_nonzero(self._fresh.is_news) + np.count_nonzero(self._kept.is_news))

    @property
    def labels(self) -> dict[str, int]:
        """Count the people who were ranked by their label."""
        codes = np.bincount(self._fresh.labels, minlength=len(LABELS))
        codes += np.bincount(self._kept.labels[self._is_kept], minlength=len(LABELS))
        return {label: int(count) for label, count in zip(LABELS, codes, strict=True) if count}

    def news(self, same: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        """Give the rows that changed, with what is the `same` for all of them."""
        yield from _told(self._draft.batches(), self._fresh, same)
        if self._kept.is_news.any():
            yield from _told(self._standing.batches(*WORKED.names), self._kept, same)

    def others(self) -> Iterator[pa.RecordBatch]:
        """Give the rows that stand and stay as they are."""
        stays = ~self._kept.is_news
        stays[self._twins[(self._twins >= 0) & self._fresh.is_news]] = False
        if stays.any():
            place = 0
            for batch in self._standing.batches():
                yield batch.filter(pa.array(stays[place : place + batch.num_rows]))
                place += batch.num_rows


def _told(batches: Iterable[pa.RecordBatch], verdict: Verdict, same: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    place = 0
    for batch in batches:
        part = slice(place, place + batch.num_rows)
        place += batch.num_rows
        is_news = verdict.is_news[part]
        rows = batch.filter(pa.array(is_news))
        columns = {name: rows[name] for name in WORKED.names}
        columns |= {name: pa.repeat(pa.scalar(same[name], SCHEMA.field(name).type), rows.num_rows) for name in same}
        columns["decile"] = pa.array(verdict.deciles[part][is_news], SCHEMA.field("decile").type)
        columns["label"] = say_labels(verdict.labels[part][is_news])
        yield pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)
