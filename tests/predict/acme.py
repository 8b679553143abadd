"""Visitors of a small website as events of a lake, whose true probability to convert is known to the tests alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catchment.lake.lake import Lake
from catchment.plugin import build_plugin
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction, parse_prediction
from catchment.predict.score import ScoreReport, Since, score
from catchment.predict.train import TrainReport, train
from catchment.predict.workshop import Workshop
from catchment.tables import EVENTS

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 60
NOW = START + timedelta(days=DAYS)
HORIZON = 14
TIME = pa.timestamp("us", "UTC")
SETTINGS = PredictSettings(threads=1)
EVENTS_SCHEMA = pa.unify_schemas([EVENTS.schema, pa.schema([("load_tstamp", TIME)])])
CONVERSIONS = pa.schema(
    [
        ("cv_id", pa.string()),
        ("cv_type", pa.string()),
        ("cv_tstamp", TIME),
        ("cv_value", pa.float64()),
        ("person_id", pa.string()),
    ]
)


@dataclass
class Site:
    """What happened on the site, and the truth about it."""

    events: list[dict[str, Any]]
    conversions: list[dict[str, Any]]
    truth: dict[str, float]


def event(person: str, number: int, name: str, at: datetime, **columns: Any) -> dict[str, Any]:
    """One event that arrived when it happened, of the person's first session unless told otherwise."""
    return {
        "event_id": f"{person}/{number}",
        "event_name": name,
        "domain_userid": person,
        "domain_sessionid": f"{person}/1",
        "derived_tstamp": at,
        "dvce_created_tstamp": at,
        "collector_tstamp": at,
        "load_tstamp": at,
        "page_urlpath": "/",
        "page_url": "https://acme.example/",
        **columns,
    }


def conversion(person: str, at: datetime, value: float = 1.0) -> dict[str, Any]:
    return {"cv_id": f"{person}/{at}", "cv_type": "signup", "cv_tstamp": at, "cv_value": value, "person_id": person}


def site(count: int, *, seed: int = 1, signal: float = 1.0) -> Site:
    """Let visitors come: channel, clicks and time bear the signal; one in twenty converts after the horizon."""
    chance = np.random.default_rng(seed)
    channel = chance.choice(["search", "email", "paid", "direct"], count)
    beats, clicks = chance.poisson(3.0, count), chance.poisson(1.0, count)
    effect = np.select([channel == "email", channel == "paid"], [1.2, 0.6], 0.0)
    logit = -2.4 + signal * (effect + 0.9 * np.log1p(beats / 3) + 0.5 * np.minimum(clicks, 3) - 1.1)
    truth = 1 / (1 + np.exp(-logit))
    converts, late = chance.random(count) < truth, chance.random(count) < 0.05
    came = np.sort(chance.random(count) * DAYS * 86400)
    country = chance.choice(["DE", "FR", "US"], count)
    made = Site([], [], {})
    for number in range(count):
        person, at = f"person-{number:05}", START + timedelta(seconds=float(came[number]))
        told = {
            "mkt_medium": None if channel[number] == "direct" else str(channel[number]),
            "geo_country": country[number],
        }
        kinds = ["page_view", *["page_ping"] * int(beats[number]), *["link_click"] * int(clicks[number])]
        moments = [at + timedelta(seconds=10 * place) for place in range(len(kinds))]
        made.events += [
            event(person, place, kind, moment, **told)
            for place, (kind, moment) in enumerate(zip(kinds, moments, strict=True))
        ]
        made.truth[person] = float(truth[number])
        delay = 0.1 + chance.random() * (HORIZON - 1) if converts[number] else HORIZON + 1.0
        then = moments[-1] + timedelta(days=float(delay))
        if (converts[number] or late[number]) and then <= NOW:
            made.conversions.append(conversion(person, then, value=float(10 + 5 * clicks[number])))
            made.events.append(event(person, 99, "sign_up", then, domain_sessionid=f"{person}/2", **told))
    return made


def fill(lake: Lake, made: Site) -> Lake:
    events = [{**event, "collector_date": event["collector_tstamp"].date()} for event in made.events]
    lake.overwrite("events", pa.Table.from_pylist(events, schema=EVENTS_SCHEMA))
    lake.overwrite("conversions", pa.Table.from_pylist(made.conversions, schema=CONVERSIONS))
    return lake


def prediction(**keys: Any) -> Prediction:
    content = {
        "name": "signup",
        "outcome": {"conversion": "signup"},
        "horizon_days": HORIZON,
        "learner": {"type": "lightgbm", "learning_rate": 0.1, "trees": 150, "patience": 20},
        "search": {"trials": 2},
    }
    return parse_prediction(
        {key: value for key, value in (content | keys).items() if value is not ...}, "predictions/signup.yml"
    )


LOGISTIC = {"type": "logistic", "strength": 0.3}


@dataclass
class World:
    """A project folder with a lake of visitors."""

    folder: Path
    lake: Lake
    site: Site
    settings: PredictSettings = SETTINGS

    @contextmanager
    def workshop(self, now: datetime = NOW) -> Iterator[Workshop]:
        engine = build_plugin("lake/engines", {"type": "duckdb", "threads": 1}, place="test")
        with engine.attach(self.lake) as session:
            yield Workshop(session, self.lake, self.settings, self.folder, now)

    def train(self, wanted: Prediction | None = None, now: datetime = NOW) -> TrainReport:
        with self.workshop(now) as shop:
            return train(wanted or prediction(), shop)

    def score(self, wanted: Prediction | None = None, now: datetime = NOW, since: Since | None = None) -> ScoreReport:
        with self.workshop(now) as shop:
            return score(wanted or prediction(), shop, since)

    def holdout(self) -> pa.Table:
        return pq.read_table(self.folder / ".catchment" / "predictions" / "signup" / "holdout.parquet")

    def scores(self, table: str = "propensity_scores") -> list[dict[str, Any]]:
        return self.lake.read(table).to_pylist()


def make_world(folder: Path, made: Site, **settings: Any) -> World:
    return World(folder, fill(Lake(str(folder / "lake")), made), made, SETTINGS.model_copy(update=settings))
