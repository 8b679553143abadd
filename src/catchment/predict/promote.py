"""Who may speak: a challenger takes the champion's place only by beating it on the same held-out people."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from catchment.predict.definition import Prediction
from catchment.predict.examples import Slice
from catchment.predict.judgement import measures
from catchment.predict.people import feature_frame
from catchment.predict.resample import SMALLER, draw, share_better
from catchment.predict.tracking import Model


class Ruling(NamedTuple):
    """Whether a challenger was promoted, and why or why not."""

    promoted: bool
    why: str
    champion_version: str
    champion_metrics: Mapping[str, float]


def rule(prediction: Prediction, standing: Model | None, held: Slice, score: Any, version: str) -> Ruling:
    """Compare a challenger's scores of the holdout with those of the standing champion."""
    if standing is None:
        return Ruling(True, "There was no champion.", version, {})
    lost = sorted(set(standing.features.names) - set(held.people.column_names))
    if lost:
        return Ruling(True, f"The champion, version {standing.version}, reads '{lost[0]}', which is gone.", version, {})
    metric = prediction.metric
    theirs = standing.score(feature_frame(held.people, standing.features))
    # F2 of each at the threshold that serves it best: each model has a scale of its own.
    ours, beaten = (measures(prediction, held.label, each, None) for each in (score, theirs))
    gained = (beaten[metric] - ours[metric]) if metric in SMALLER else (ours[metric] - beaten[metric])
    won = gained > 0 and gained >= prediction.promote.by
    sure = share_better(metric, held.label, score, theirs, draw(len(held.label)))
    asked = f" and must be by {prediction.promote.by:g} at least" if prediction.promote.by and not won else ""
    how = "" if sure is None else f"; better in {sure:.0%} of resamples"
    why = (
        f"{metric} {ours[metric]:.4f} {'beats' if won else 'does not beat'} {beaten[metric]:.4f} of version "
        f"{standing.version} on the same {len(held.label)} people{asked}{how}."
    )
    return Ruling(won, why, version if won else standing.version, beaten)
