"""Visitors of a small website, whose true probability to convert is known to the tests alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.plugin import build_plugin
from catchment.predict.definition import Prediction, parse_prediction

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 60
NOW = START + timedelta(days=DAYS)
HORIZON = 14
TIME = pa.timestamp("us", "UTC")


def visitors(count: int, *, seed: int = 1, signal: float = 1.0) -> pa.Table:
    """Give `first_touch_features` and, in `truth`, the probability to convert within the horizon."""
    chance = np.random.default_rng(seed)
    channel = chance.choice(["search", "email", "paid", "direct"], count)
    engaged = chance.gamma(2.0, 40.0, count).round()
    clicks = chance.poisson(1.0, count)
    effect = np.select([channel == "email", channel == "paid"], [1.2, 0.6], 0.0)
    logit = -2.6 + signal * (effect + 0.9 * np.log1p(engaged / 30) + 0.3 * clicks - 0.9)
    truth = 1 / (1 + np.exp(-logit))
    converts = chance.random(count) < truth
    late = chance.random(count) < 0.05
    observed = [START + timedelta(seconds=int(at)) for at in np.sort(chance.random(count) * DAYS * 86400)]
    delay = np.where(converts, chance.random(count) * (HORIZON - 1), HORIZON + 1)
    happened = [at + timedelta(days=float(days)) for at, days in zip(observed, delay, strict=True)]
    known = [(does or too_late) and at <= NOW for does, too_late, at in zip(converts, late, happened, strict=True)]
    before = chance.random(count) < 0.02
    medium = np.where(channel == "direct", None, channel)
    return pa.table(
        {
            "person_id": [f"person-{number:05}" for number in chance.permutation(count)],
            "domain_userid": [f"cookie-{number:05}" for number in range(count)],
            "first_touch_tstamp": pa.array(observed, TIME),
            "mkt_medium": pa.array(medium.tolist(), pa.string()),
            "mkt_term": pa.array([None] * count, pa.string()),
            "refr_source": pa.array([None] * count, pa.string()),
            "session_hour": pa.array([9] * count, pa.int32()),
            "engaged_time_in_s": pa.array(engaged, pa.int64()),
            "vertical_percentage_scrolled": pa.array(chance.random(count) * 100),
            "session_link_clicks": pa.array([None if click > 3 else int(click) for click in clicks], pa.int32()),
            "is_mobile": pa.array([None if draw < 0.1 else draw < 0.5 for draw in chance.random(count)], pa.bool_()),
            "absolute_time_in_s": pa.array([None] * count, pa.int64()),
            "country": pa.array(chance.choice(["DE", "FR", "US"], count).tolist(), pa.string()),
            "observed_tstamp": pa.array(observed, TIME),
            "converted_before": pa.array(before.tolist(), pa.bool_()),
            "converted": pa.array(known, pa.bool_()),
            "first_conversion_tstamp": pa.array(
                [at if knows else None for at, knows in zip(happened, known, strict=True)], TIME
            ),
            "truth": pa.array(truth),
        }
    )


def fill(lake: Lake, people: pa.Table) -> Lake:
    lake.overwrite("first_touch_features", people.drop_columns(["truth"]))
    return lake


def prediction(**keys: Any) -> Prediction:
    content = {
        "name": "signup",
        "horizon_days": HORIZON,
        "learner": {"type": "lightgbm", "trees": 200, "patience": 20, "learning_rate": 0.1},
        "features": {"exclude": ["mkt_term"]},
    }
    return parse_prediction(content | keys, "predictions/signup.yml")


@contextmanager
def attached(lake: Lake) -> Iterator[Session]:
    engine = build_plugin("lake/engines", {"type": "duckdb"}, place="test")
    with engine.attach(lake) as session:
        yield session
