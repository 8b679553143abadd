"""Give people a score by the champion, a decile among the others, a label, and the reasons in plain words."""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import ModelError
from catchment.event import TIMESTAMP
from catchment.plugin import build_plugin
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.calibrate import base_model
from catchment.predict.definition import EVENTS, Prediction
from catchment.predict.draft import Draft
from catchment.predict.drift import Tally
from catchment.predict.learner import Learner
from catchment.predict.people import Lens, feature_frame, open_lens, stream_people
from catchment.predict.standing import SCHEMA, WORKED, Comparison, Standing
from catchment.predict.tracking import Model
from catchment.predict.watch import note_drift
from catchment.predict.weigh import tell_reasons
from catchment.predict.workshop import Workshop, open_champion
from catchment.tables import PROPENSITY_SCORES, SCORES

Scores = npt.NDArray[np.float64]
Given = TypeVar("Given")
Made = TypeVar("Made")

RECENT_DAYS = 7
"""Drift is looked for among people of so many days, or of a horizon where that is longer."""
FRESH = timedelta(days=1)
"""Behaviour ages: even who did nothing is scored again after so long."""
FEW = 100_000
"""So many changed scores at most are merged into those that stand; more are written with all others anew."""


@dataclass(frozen=True)
class ScoreReport:
    """What a scoring came to; `changed` are the rows that differ from those that stood."""

    prediction: str
    model_version: str
    scored: int
    changed: int
    labels: dict[str, int]
    whole: bool
    loaded_until: datetime


class Since(NamedTuple):
    """Up to which arrival people were scored before, and when everybody was."""

    loaded_until: datetime
    whole_at: datetime


def score(prediction: Prediction, shop: Workshop, since: Since | None = None) -> ScoreReport:
    """Score with the champion and write what changed, so that scoring twice changes nothing.

    With `since` only people of whom something arrived later are worked out, where that is enough. Raises ModelError
    where no model was trained yet.
    """
    champion = open_champion(prediction, shop.settings, shop.folder)
    standing = Standing(prediction.name, shop.lake, champion.version)
    is_whole = since is None or not _is_part_enough(prediction, standing, since, shop.now)
    after = None if is_whole or since is None else since.loaded_until
    tally = Tally(champion.reference)
    with _scratch(prediction, shop) as folder:
        lens = open_lens(prediction, shop.session, shop.now, shop.settings.history_hours)
        with Draft(folder / "draft.arrow", WORKED) as draft:
            for rows in _work_out(prediction, champion, lens, tally, shop, after):
                draft.add(rows)
        compared = Comparison(draft, standing, prediction.labels, folder)
        _write(prediction, champion, shop, compared, standing)
    if is_whole:
        note_drift(prediction, champion, tally, shop)
    return ScoreReport(
        prediction=prediction.name,
        model_version=champion.version,
        scored=len(draft.scores),
        changed=compared.changed,
        labels=compared.labels,
        whole=is_whole,
        loaded_until=lens.times.last_load,
    )


@contextmanager
def _scratch(prediction: Prediction, shop: Workshop) -> Iterator[Path]:
    """Give an empty folder of the project for what waits; what a killed scoring left there goes first."""
    folder = shop.folder / ".catchment" / "predictions" / prediction.name / "scoring"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def score_frame(champion: Model, folder: Any, frame: Any) -> tuple[Scores, pa.Array]:
    """Give the scores of a feature frame, and per row the reasons; none where the model cannot tell them."""
    scores = _steady(np.asarray(champion.score(frame), dtype=float))
    nothing = pa.array([[]] * len(scores), WORKED.field("reasons").type)
    if champion.learner is None or champion.raw is None or not len(frame):
        return scores, nothing
    learner = cast(
        Learner,
        build_plugin("predict/learners", {"type": champion.learner}, place="learner", project_folder=folder),
    )
    contributions = learner.explain(base_model(champion.raw), champion.features, frame[champion.features.names])
    if contributions is None:
        return scores, nothing
    return scores, tell_reasons(contributions, frame, champion.features)


def _steady(scores: Scores) -> Scores:
    """Round to eight digits (Veltkamp's splitting): the last ones vary with who else was in the batch."""
    spread = scores * (2.0**26 + 1)
    return np.asarray(spread - (spread - scores), dtype=float)


def _is_part_enough(prediction: Prediction, standing: Standing, since: Since, now: datetime) -> bool:
    """Say whether nothing but new arrivals can have changed anybody's score."""
    is_young = prediction.who == "first_touch" or now - since.whole_at < FRESH
    same = bool(standing.is_current.any())
    return same and is_young and prediction.features.sources == (EVENTS,) and prediction.kind != "lookalike"


def _work_out(
    prediction: Prediction, champion: Model, lens: Lens, tally: Tally, shop: Workshop, since: datetime | None
) -> Iterator[pa.Table]:
    """Score people batch by batch, a few at once; the rest of the lake waits until there is room."""
    recent = pa.scalar(lens.clock - timedelta(days=max(RECENT_DAYS, prediction.horizon)), TIMESTAMP)
    people = _readable(prediction, champion, stream_people(prediction, lens, since=since))
    for batch in _at_once(partial(_score_batch, champion, shop.folder), people, shop.settings.threads):
        is_recent = pc.greater(batch.rows[MOMENT], recent).to_numpy(zero_copy_only=False)
        tally.add(batch.frame[is_recent], batch.rows["score"].to_numpy()[is_recent])
        yield batch.rows


class _Batch(NamedTuple):
    rows: pa.Table
    frame: Any


def _score_batch(champion: Model, folder: Path, people: pa.Table) -> _Batch:
    frame = feature_frame(people, champion.features)
    scores, reasons = score_frame(champion, folder, frame)
    columns = [people[PERSON].cast(pa.string()), people[MOMENT].cast(TIMESTAMP), pa.array(scores), reasons]
    return _Batch(pa.table(columns, schema=WORKED), frame)


def _readable(prediction: Prediction, champion: Model, batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Pass batches of people on; raises ModelError where a column is gone that the champion reads."""
    for people in batches:
        missing = sorted(set(champion.features.names) - set(people.column_names))
        if missing:
            raise ModelError(
                f"{prediction.file}: the champion, version {champion.version}, reads '{missing[0]}', which none of "
                f"{', '.join(prediction.features.sources)} has.",
                hint=f"catchment train {prediction.name}",
            )
        if people.num_rows:
            yield people


def _at_once(work: Callable[[Given], Made], batches: Iterable[Given], threads: int) -> Iterator[Made]:
    """Give what comes of each batch, in order; no more wait than there are threads."""
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Made]] = deque()
        for people in batches:
            begun.append(pool.submit(work, people))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def _write(prediction: Prediction, champion: Model, shop: Workshop, compared: Comparison, standing: Standing) -> None:
    """Write what changed into the history, and let it stand from now on, in one commit each.

    The history comes first: who is stopped in between tells of a score twice, and of none too little.
    """
    same = {
        "prediction": prediction.name,
        "model_name": champion.name,
        "model_version": champion.version,
        "scored_at": shop.now,
    }
    news, name = partial(compared.news, same), PROPENSITY_SCORES.name
    is_first = not shop.lake.exists(name)
    if compared.changed:
        shop.lake.append_batches(SCORES.name, partial(_reader, news))
    if is_first:
        shop.lake.append_batches(name, partial(_reader, news))
    elif 0 < compared.changed < min(FEW, len(standing) / 2):
        shop.lake.merge(name, _reader(news).read_all())
    elif compared.changed:
        where = f"prediction = '{prediction.name}'"
        shop.lake.overwrite(name, partial(_reader, news, compared.others), where=where)


def _reader(*parts: Callable[[], Iterator[pa.RecordBatch]]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, chain.from_iterable(part() for part in parts))
