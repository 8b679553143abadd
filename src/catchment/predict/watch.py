"""Whether a model may still be believed: drift of people and scores, and what came of what was foreseen."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import ibis
import numpy as np
import pyarrow as pa

from catchment.lake.lake import Lake
from catchment.predict.behaviour import MOMENT, PERSON, TIMESTAMP_TYPE
from catchment.predict.definition import Prediction
from catchment.predict.drift import SCORE, Tally, tell_verdict
from catchment.predict.judge import measure, measure_amounts
from catchment.predict.outcomes import LABEL, happenings, outcomes_of
from catchment.predict.people import Lens, drop, keep, open_lens
from catchment.predict.tracking import Model
from catchment.predict.workshop import Workshop
from catchment.tables import PREDICTION_DRIFT, PREDICTION_OUTCOMES, SCORES

FEWEST = 200
"""Fewer people than this say nothing of drift or of truth."""
AT_ONCE = timedelta(days=1)
"""Only scores given so soon after their look are held to account: later ones leave out who had converted by then."""
KEPT_DAYS = 90
"""Weeks older than this have been judged for good."""
DEVIATIONS = 3.0
"""What came may lie so many standard errors from what was foreseen before somebody should look."""


class Health(NamedTuple):
    """How one prediction stands."""

    prediction: str
    verdict: str
    note: str
    checked_at: datetime | None


def note_drift(prediction: Prediction, champion: Model, tally: Tally, shop: Workshop) -> None:
    """Write how far people have moved; nothing where too few came to tell."""
    if tally.people < FEWEST or not tally.reference:
        return
    limit = prediction.retrain.drift
    rows = [
        {
            "prediction": prediction.name,
            "model_version": champion.version,
            "checked_at": shop.now,
            "feature": name,
            "stability_index": index,
            "people": tally.people,
            "verdict": tell_verdict(index, limit),
        }
        for name, index in tally.indices().items()
    ]
    shop.lake.append(PREDICTION_DRIFT.name, pa.Table.from_pylist(rows, schema=PREDICTION_DRIFT.schema))


def judge_outcomes(prediction: Prediction, shop: Workshop) -> int:
    """Hold the scores whose horizon has passed against what came, week by week; give how many were judged."""
    backend = shop.session.ibis()
    if prediction.outcome is None or SCORES.name not in backend.list_tables():
        return 0
    settled = _settled(prediction, backend, shop.now)
    if not backend.to_pyarrow(settled.count()).as_py():
        return 0
    lens = open_lens(prediction, shop.session, shop.now, shop.settings.history_hours)
    known = lens.clock - timedelta(days=prediction.horizon)  # the lake may lag behind
    settled = settled.filter(settled[MOMENT] <= ibis.literal(known, TIMESTAMP_TYPE))
    rows = [
        {
            "prediction": prediction.name,
            "model_version": version,
            "observed_week": week,
            "judged_at": shop.now,
            **_hold_to_account(prediction, label, score),
        }
        for week in sorted(backend.to_pyarrow(settled.select("week").distinct())["week"].to_pylist())
        for version, label, score in _what_came(prediction, lens, settled, week)
    ]
    shop.lake.merge(PREDICTION_OUTCOMES.name, pa.Table.from_pylist(rows, schema=PREDICTION_OUTCOMES.schema))
    return sum(row["people"] for row in rows)


def _settled(prediction: Prediction, backend: Any, now: datetime) -> Any:
    """Give the first score of each look that was given at once and whose horizon has passed."""
    until = now - timedelta(days=prediction.horizon)
    scores = backend.table(SCORES.name)
    scores = scores.filter(
        scores["prediction"] == prediction.name,
        scores[MOMENT] <= ibis.literal(until, TIMESTAMP_TYPE),
        scores[MOMENT] > ibis.literal(until - timedelta(days=KEPT_DAYS), TIMESTAMP_TYPE),
        scores.scored_at <= scores[MOMENT] + ibis.interval(days=AT_ONCE.days),
    )
    first = scores.group_by([PERSON, MOMENT, "model_version"]).agg(score=scores.score.argmin(scores.scored_at))
    return first.mutate(week=first[MOMENT].truncate("W").cast(TIMESTAMP_TYPE))


def _what_came(prediction: Prediction, lens: Lens, settled: Any, week: datetime) -> Iterator[tuple[str, Any, Any]]:
    """Give of one week the labels that came and the scores that foresaw them, version by version."""
    scored = keep(lens.backend, settled.filter(settled.week == ibis.literal(week, TIMESTAMP_TYPE)), "scored")
    looks = scored.select(PERSON, MOMENT).distinct()
    outcome = outcomes_of(prediction, looks, happenings(prediction, lens.backend, lens.events))
    same = [scored[PERSON] == outcome.outcome_person, scored[MOMENT] == outcome.outcome_at]
    told = keep(lens.backend, scored.inner_join(outcome, same).select("model_version", "score", LABEL), "told")
    for version in sorted(
        lens.backend.to_pyarrow(told.select("model_version").distinct())["model_version"].to_pylist()
    ):
        found = lens.backend.to_pyarrow(told.filter(told.model_version == version).select(LABEL, "score"))
        yield version, found[LABEL].to_numpy(), found["score"].to_numpy()
    drop(lens.backend, told)
    drop(lens.backend, scored)


def _hold_to_account(prediction: Prediction, label: Any, score: Any) -> dict[str, Any]:
    people, predicted, observed = len(label), float(score.mean()), float(label.mean())
    told: dict[str, Any] = {"people": people, "predicted": predicted, "observed": observed}
    if people < FEWEST or len(np.unique(label)) < 2:
        return told | {"verdict": "too few to tell"}
    metrics = measure_amounts(label, score) if prediction.is_value else measure(label, score)
    spread = float(np.std(label - score)) / people**0.5
    is_off = abs(observed - predicted) > DEVIATIONS * spread
    named = {name: metrics.get(name) for name in ("calibration_error", "roc_auc", "average_precision")}
    return told | named | {"verdict": "off" if is_off else "as foreseen"}


def tell_health(prediction: Prediction, lake: Lake) -> Health:
    """Say in a word how a prediction stands, by its latest checks."""
    of = [("prediction", "=", prediction.name)]
    drift = lake.read(PREDICTION_DRIFT.name, filters=of).to_pylist()
    outcomes = lake.read(PREDICTION_OUTCOMES.name, filters=of).to_pylist()
    checked = max((row["checked_at"] for row in drift), default=None)
    latest = [row for row in drift if row["checked_at"] == checked]
    drifted = [row for row in latest if row["verdict"] == "drifted"]
    judged = [row for row in outcomes if row["verdict"] != "too few to tell"]
    last = max(judged, key=lambda row: (row["observed_week"], row["judged_at"]), default=None)
    notes = []
    if drifted:
        named = ", ".join(f"{row['feature']} {row['stability_index']:.2f}" for row in drifted[:3])
        notes.append(f"drifted: {named}")
    if last is not None:
        notes.append(
            f"{last['people']} people of the week of {last['observed_week']:%Y-%m-%d}: foreseen "
            f"{last['predicted']:.4f}, came {last['observed']:.4f}"
        )
    if not latest:
        return Health(prediction.name, "unwatched", "; ".join(notes) or "too few people to compare yet", checked)
    is_off = last is not None and last["verdict"] == "off"
    verdict = "drifted" if drifted else "off" if is_off else "healthy"
    top = max(latest, key=lambda row: row["stability_index"])
    notes = notes or [f"largest drift: {top['feature']} {top['stability_index']:.3f}"]
    return Health(prediction.name, verdict, "; ".join(notes), checked)


def has_drifted(prediction: Prediction, lake: Lake, version: str) -> bool:
    """Say whether the scores, or half of the features, of a model's people drifted at the last check."""
    rows = lake.read(
        PREDICTION_DRIFT.name, filters=[("prediction", "=", prediction.name), ("model_version", "=", version)]
    ).to_pylist()
    checked = max((row["checked_at"] for row in rows), default=None)
    latest = [row for row in rows if row["checked_at"] == checked]
    drifted = {row["feature"] for row in latest if row["stability_index"] >= prediction.retrain.drift}
    return SCORE in drifted or len(drifted) * 2 > max(len(latest), 1)
