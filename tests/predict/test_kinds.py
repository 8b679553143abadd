"""Every kind of prediction learns, is judged by its own measures, and scores."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from catchment.errors import LakeError, ModelError, TooFewExamples
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.examples import read_examples
from catchment.predict.people import open_lens

from .acme import DAYS, NOW, START, Site, World, event, make_world, prediction, site

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")

QUICK = {"search": {"trials": 1}, "learner": {"type": "lightgbm", "trees": 40, "learning_rate": 0.1}}


OWN = '''
"""A learner of one's own."""

import numpy
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from catchment.predict.learner import Learner


class Clicks(Learner):
    """Believes in clicks alone."""

    def build(self, task):
        """Give a line over one column."""
        return make_pipeline(make_column_transformer(("passthrough", ["link_clicks"])), LogisticRegression())

    def explain(self, model, features, frame):
        """Give what clicks add."""
        found = numpy.zeros((len(frame), len(features.names)))
        found[:, list(features.names).index("link_clicks")] = frame.link_clicks + 1
        return found
'''


@pytest.fixture
def project(tmp_path: Path, lay_out_store: Callable[[Path], Path]) -> Path:
    return lay_out_store(tmp_path)


def regulars(count: int = 160) -> Site:
    """People of whom half come each second day to the end, and half stop one day; those who read little stop."""
    chance = np.random.default_rng(4)
    events = []
    for number in range(count):
        person, leaves = f"p{number:03}", number % 2 == 0
        last = chance.integers(15, DAYS - 20) if leaves else DAYS
        for day in range(number % 3, int(last), 2):
            moment = START + timedelta(days=day, hours=9)
            pings = 1 if leaves else 5
            for place, kind in enumerate(["page_view", *["page_ping"] * pings]):
                then, visit = moment + timedelta(seconds=10 * place), f"{person}/{day}"
                events.append(event(person, 100 * day + place, kind, then, domain_sessionid=visit))
    return Site(events, [], {})


CHURN = prediction(
    kind="churn",
    who="people",
    outcome={"event": "any"},
    horizon_days=10,
    observe={"every_days": 5, "history_days": 45},
    **QUICK,
)


def test_churn_is_the_absence_of_events_and_people_are_parted_by_time_and_person(project: Path) -> None:
    world = make_world(project, regulars())
    with world.workshop() as shop:
        examples = read_examples(CHURN, open_lens(CHURN, shop.session, shop.now, 24))
    learned, held = examples.development.people, examples.holdout.people
    assert not set(learned[PERSON].to_pylist()) & set(held[PERSON].to_pylist())
    assert max(learned[MOMENT].to_pylist()) + timedelta(days=10) <= min(held[MOMENT].to_pylist())
    report = world.train(CHURN)
    assert report.roc_auc is not None
    assert report.roc_auc > 0.7
    scored = world.score(CHURN)
    active = {row["domain_userid"] for row in world.site.events if row["derived_tstamp"] > NOW - timedelta(days=10)}
    assert scored.scored == len(active)


def test_a_history_too_short_to_part_says_so(project: Path) -> None:
    world = make_world(project, regulars(150))
    short = CHURN.model_copy(update={"observe": CHURN.observe.model_copy(update={"history_days": 5})})
    with pytest.raises(TooFewExamples, match="no look at people was over before the first"):
        world.train(short)


def test_a_value_is_foreseen_as_an_amount(project: Path) -> None:
    world = make_world(project, site(1200))
    wanted = prediction(kind="value", **QUICK)
    report = world.train(wanted)
    assert report.roc_auc is None
    assert report.metrics["gini"] > 0.15
    assert abs(report.metrics["bias"]) < 0.5
    assert {"mae", "rmse"} <= set(report.metrics)
    assert "gini" in report.intervals
    assert not world.train(wanted).promoted
    world.score(wanted)
    scores = [row["score"] for row in world.scores()]
    assert np.mean(scores) == pytest.approx(np.mean(world.holdout()["label"].to_numpy()), rel=0.6)


def test_a_lookalike_resembles_its_seed_and_is_none_of_it(project: Path) -> None:
    world = make_world(project, site(600))
    by_email = {row["domain_userid"] for row in world.site.events if row.get("mkt_medium") == "email"}
    seed = sorted(by_email)[: len(by_email) // 2]
    wanted = prediction(kind="lookalike", seed="fans", outcome=..., horizon_days=..., **QUICK)
    with pytest.raises(LakeError, match="seed: no audience has members yet") as raised:
        world.train(wanted)
    assert raised.value.hint == "catchment refresh fans"
    members = {
        "audience": ["fans"] * len(seed),
        PERSON: seed,
        "left_at": pa.array([None] * len(seed), pa.timestamp("us", "UTC")),
    }
    world.lake.overwrite("audience_members", pa.table(members))
    quality = world.train(wanted).roc_auc
    assert quality is not None
    assert quality > 0.8
    world.score(wanted)
    rows = sorted(world.scores(), key=lambda row: -row["score"])
    assert not {row[PERSON] for row in rows} & set(seed)
    likely = {row[PERSON] for row in rows[: len(by_email) - len(seed)]}
    assert len(likely & by_email) > 0.8 * len(likely)


def test_purchases_and_events_are_outcomes_too(project: Path) -> None:
    bought = [
        event("a", 1, "page_view", START),
        event("a", 2, "transaction", START + timedelta(days=2), tr_total=30, domain_sessionid="a/2"),
        event("a", 3, "transaction", START + timedelta(days=3), tr_total=12, domain_sessionid="a/2"),
        event("b", 1, "page_view", START),
        event("b", 2, "sign_up", START + timedelta(days=2), domain_sessionid="b/2"),
        event("c", 9, "x", NOW),
    ]
    world = make_world(project, Site(bought, [], {}))
    from catchment.predict.people import read_examples_table

    def labels(**keys: object) -> dict[str, float]:
        wanted = prediction(**keys)
        with world.workshop() as shop:
            rows = read_examples_table(wanted, open_lens(wanted, shop.session, shop.now, 24)).to_pylist()
        return {row[PERSON]: row["label"] for row in rows}

    assert labels(outcome={"purchase": True}) == {"a": 1.0, "b": 0.0}
    assert labels(outcome={"purchase": True}, kind="value") == {"a": 42.0, "b": 0.0}
    assert labels(outcome={"event": "sign_up"}) == {"a": 0.0, "b": 1.0}
    assert labels(outcome={"event": "transaction", "value": "tr_total"}, kind="value") == {"a": 42.0, "b": 0.0}


def test_xgboost_is_another_learner_with_reasons_of_its_own(project: Path) -> None:
    world = make_world(project, site(900))
    wanted = prediction(learner={"type": "xgboost", "trees": 40}, search={"trials": 2})
    report = world.train(wanted)
    assert report.roc_auc is not None
    assert report.roc_auc > 0.6
    world.score(wanted)
    assert all(len(row["reasons"]) == 3 for row in world.scores())


def test_a_learner_of_ones_own_trains_and_gives_reasons(project: Path) -> None:
    own = project / "plugins" / "predict" / "learners" / "clicks.py"
    own.parent.mkdir(parents=True)
    own.write_text(OWN)
    world = make_world(project, site(300))
    wanted = prediction(learner={"type": "clicks"}, search={"trials": 1})
    world.train(wanted)
    world.score(wanted)
    assert {reason.split(":")[0] for row in world.scores() for reason in row["reasons"]} == {"link clicks"}


def test_a_model_of_somebody_else_scores_by_its_uri(project: Path) -> None:
    world: World = make_world(project, site(500))
    world.train(prediction(**QUICK))
    from catchment.predict.tracking import locate_store

    registry, _ = locate_store(world.settings, project)
    theirs = prediction(name="borrowed", model={"uri": "models:/signup/1", "registry": registry})
    world.score(prediction(**QUICK))
    report = world.score(theirs)
    assert report.model_version == "models:/signup/1"
    by_name = {
        name: {row[PERSON]: row["score"] for row in world.scores() if row["prediction"] == name}
        for name in ("signup", "borrowed")
    }
    assert by_name["borrowed"] == pytest.approx(by_name["signup"])


def bold(model_input: pandas.DataFrame) -> pandas.Series:
    """A model that nobody of ours made: it wants whole numbers, and says who clicks and is German."""
    assert str(model_input["link_clicks"].dtype) == "int64"
    return (model_input["link_clicks"] + (model_input["geo_country"] == "DE")) / 10.0


@pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning")
def test_any_pyfunc_is_given_its_columns_in_the_types_that_it_asks_for(project: Path) -> None:
    world: World = make_world(project, site(200))
    columns = [ColSpec("long", "link_clicks"), ColSpec("string", "geo_country")]
    signature = ModelSignature(Schema(columns), Schema([ColSpec("double")]))
    mlflow.pyfunc.save_model(project / "theirs", python_model=bold, signature=signature, pip_requirements=[])
    world.score(prediction(model={"uri": str(project / "theirs")}))
    clicks = dict.fromkeys(world.site.truth, 0)
    german = dict.fromkeys(world.site.truth, False)
    for row in world.site.events:
        clicks[row["domain_userid"]] += row["event_name"] == "link_click"
        german[row["domain_userid"]] |= row.get("geo_country") == "DE"
    scores = {row[PERSON]: row["score"] for row in world.scores()}
    assert len(scores) > 150
    assert scores == {person: pytest.approx((clicks[person] + german[person]) / 10) for person in scores}


@pytest.mark.filterwarnings("ignore:.*Add type hints:UserWarning")
def test_a_model_that_cannot_be_used_is_named_with_what_to_do(project: Path) -> None:
    world: World = make_world(project, site(20))
    mlflow.pyfunc.save_model(project / "mute", python_model=lambda model_input: model_input, pip_requirements=[])
    for uri, fault in (("mute", "has no signature"), ("gone", "cannot be loaded")):
        with pytest.raises(ModelError, match=rf"The model .*{uri} of 'signup' {fault}"):
            world.score(prediction(model={"uri": str(project / uri)}))
