"""Give people a score by the champion, a decile among the others, a label, and the reasons in plain words."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import ModelError
from catchment.event import TIMESTAMP
from catchment.lake.lake import Lake
from catchment.plugin import build_plugin
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.calibrate import base_model
from catchment.predict.definition import EVENTS, Labels, Prediction
from catchment.predict.drift import Tally
from catchment.predict.learner import Learner
from catchment.predict.people import Lens, feature_frame, open_lens, stream_people
from catchment.predict.tracking import Model
from catchment.predict.watch import note_drift
from catchment.predict.weigh import tell_reasons
from catchment.predict.workshop import Workshop, open_champion
from catchment.tables import PROPENSITY_SCORES, SCORES

Scores = npt.NDArray[np.float64]
Given = TypeVar("Given")
Made = TypeVar("Made")

DECILES = 10
RECENT_DAYS = 7
"""Drift is looked for among people of so many days, or of a horizon where that is longer."""
FRESH = timedelta(days=1)
"""Behaviour ages: even who did nothing is scored again after so long."""
SCHEMA = PROPENSITY_SCORES.schema
_WORKED = pa.schema([SCHEMA.field(name) for name in (PERSON, MOMENT, "score", "reasons")])


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
    lens = open_lens(prediction, shop.session, shop.now, shop.settings.history_hours)
    standing = _read_standing(prediction, shop.lake)
    is_whole = since is None or not _is_part_enough(prediction, champion, standing, since, shop.now)
    tally = Tally(champion.reference)
    after = None if is_whole or since is None else since.loaded_until
    fresh = _work_out(prediction, champion, lens, tally, shop.settings.threads, after)
    kept = standing.filter(pc.equal(standing["model_version"], champion.version)).select(_WORKED.names)
    rows = _rank(prediction, champion, pa.concat_tables([fresh, _without(kept, fresh)]), shop.now)
    changed = _changed(rows, standing)
    _write(prediction, shop.lake, changed, standing)
    if is_whole:
        note_drift(prediction, champion, tally, shop)
    counts = pc.value_counts(rows["label"]).to_pylist()
    return ScoreReport(
        prediction=prediction.name,
        model_version=champion.version,
        scored=fresh.num_rows,
        changed=changed.num_rows,
        labels={count["values"]: count["counts"] for count in counts},
        whole=is_whole,
        loaded_until=lens.times.last_load,
    )


def score_frame(champion: Model, folder: Any, frame: Any) -> tuple[Scores, pa.Array]:
    """Give the scores of a feature frame, and per row the reasons; none where the model cannot tell them."""
    scores = np.asarray(champion.score(frame), dtype=float)
    nothing = pa.array([[]] * len(scores), _WORKED.field("reasons").type)
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


def rank_deciles(people: pa.Array, scores: Scores) -> pa.Array:
    """Give the tenth that each score is in, 10 the highest, all of a size; equal scores are parted by person_id."""
    order = pc.sort_indices(
        pa.table({"score": scores, PERSON: people}), sort_keys=[("score", "ascending"), (PERSON, "ascending")]
    ).to_numpy()
    count = len(scores)
    deciles = np.empty(count, dtype=np.int32)
    deciles[order] = np.arange(count) * DECILES // max(count, 1) + 1
    return pa.array(deciles)


def label_people(labels: Labels, deciles: Any, scores: Any) -> pa.Array:
    """Say High, Medium or Low, by the share of people below or by the score itself."""
    measure = np.asarray(scores) if labels.by == "score" else (np.asarray(deciles) - 1) / DECILES
    lower = np.where(measure >= labels.medium - 1e-9, "Medium", "Low")
    return pa.array(np.where(measure >= labels.high - 1e-9, "High", lower).tolist(), pa.string())


def _is_part_enough(prediction: Prediction, champion: Model, standing: pa.Table, since: Since, now: datetime) -> bool:
    """Say whether nothing but new arrivals can have changed anybody's score."""
    same = standing.num_rows > 0 and pc.any(pc.equal(standing["model_version"], champion.version)).as_py()
    is_young = prediction.who == "first_touch" or now - since.whole_at < FRESH
    return bool(same and is_young and prediction.features.sources == (EVENTS,) and prediction.kind != "lookalike")


def _work_out(
    prediction: Prediction, champion: Model, lens: Lens, tally: Tally, threads: int, since: datetime | None
) -> pa.Table:
    """Score people batch by batch, a few at once; the rest of the lake waits until there is room."""
    recent = pa.scalar(lens.clock - timedelta(days=max(RECENT_DAYS, prediction.horizon)), TIMESTAMP)
    parts = [_WORKED.empty_table()]
    people = _readable(prediction, champion, stream_people(prediction, lens, since=since))
    for batch in _at_once(partial(_score_batch, champion), people, threads):
        is_recent = pc.greater(batch.rows[MOMENT], recent).to_numpy(zero_copy_only=False)
        tally.add(batch.frame[is_recent], batch.rows["score"].to_numpy()[is_recent])
        parts.append(batch.rows)
    return pa.concat_tables(parts)


class _Batch(NamedTuple):
    rows: pa.Table
    frame: Any


def _score_batch(champion: Model, people: pa.Table) -> _Batch:
    frame = feature_frame(people, champion.features)
    scores, reasons = score_frame(champion, None, frame)
    columns = [people[PERSON].cast(pa.string()), people[MOMENT].cast(TIMESTAMP), pa.array(scores), reasons]
    return _Batch(pa.table(columns, schema=_WORKED), frame)


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


def _without(people: pa.Table, others: pa.Table) -> pa.Table:
    return people.filter(pc.invert(pc.is_in(people[PERSON], value_set=others[PERSON])))


def _read_standing(prediction: Prediction, lake: Lake) -> pa.Table:
    table = lake.read(PROPENSITY_SCORES.name, filters=[("prediction", "=", prediction.name)])
    return table.select(SCHEMA.names).cast(SCHEMA)


def _rank(prediction: Prediction, champion: Model, worked: pa.Table, now: datetime) -> pa.Table:
    same = {
        "prediction": prediction.name,
        "model_name": champion.name,
        "model_version": champion.version,
        "scored_at": now,
    }
    scores = worked["score"].to_numpy()
    deciles = rank_deciles(worked[PERSON], scores)
    columns = {
        name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), worked.num_rows) for name, value in same.items()
    }
    columns |= {name: worked[name] for name in _WORKED.names}
    columns |= {"decile": deciles, "label": label_people(prediction.labels, deciles, scores)}
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _changed(rows: pa.Table, standing: pa.Table) -> pa.Table:
    """Keep the rows that say something else than those that stood; reasons alone are no news."""
    says = ["prediction", PERSON, "model_version", "score", "decile", "label"]
    place = pa.array(np.arange(rows.num_rows))
    news = rows.select(says).append_column("place", place).join(standing.select(says), says, join_type="left anti")
    return rows.take(np.sort(news["place"].to_numpy()))


def _write(prediction: Prediction, lake: Lake, changed: pa.Table, standing: pa.Table) -> None:
    """Write what changed into the history, and let it stand from now on, in one commit each.

    The history comes first: who is stopped in between tells of a score twice, and of none too little.
    """
    if not changed.num_rows:
        if not lake.exists(PROPENSITY_SCORES.name):
            lake.append(PROPENSITY_SCORES.name, changed)
        return
    lake.append(SCORES.name, changed)
    if changed.num_rows * 2 < standing.num_rows or not lake.exists(PROPENSITY_SCORES.name):
        lake.merge(PROPENSITY_SCORES.name, changed)
    else:
        where = f"prediction = '{prediction.name}'"
        lake.overwrite(PROPENSITY_SCORES.name, pa.concat_tables([changed, _without(standing, changed)]), where=where)
