"""Training on people whose truth the tests know: real LightGBM, real MLflow, real Delta."""

import logging
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from catchment.errors import DefinitionError, LakeError, TooFewExamples
from catchment.lake.lake import Lake
from catchment.predict.behaviour import PERSON
from catchment.predict.leak import ALONE, ALONE_OF_YOURS, find_leak
from catchment.predict.revision import read_revision
from catchment.predict.tracking import locate_store, open_tracking
from catchment.predict.train import TrainReport

from .acme import HORIZON, LOGISTIC, NOW, SETTINGS, TIME, Site, World, make_world, prediction, site

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # MLflow 3.17 on pandas 3


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]
) -> tuple[World, TrainReport]:
    world = make_world(lay_out_store(tmp_path_factory.mktemp("project")), site(2500))
    return world, world.train(prediction(segments=["geo_country"]))


@pytest.fixture
def registry(trained: tuple[World, TrainReport]) -> Iterator[Any]:
    uri, _ = locate_store(SETTINGS, trained[0].folder)
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def run_of(registry: Any, report: TrainReport) -> Any:
    return registry.get_run(registry.get_model_version(report.prediction, report.model_version).run_id)


def test_a_model_comes_near_to_what_the_truth_itself_reaches(trained: tuple[World, TrainReport]) -> None:
    world, report = trained
    held = world.holdout()
    best = roc_auc_score(held["label"], [world.site.truth[person] for person in held[PERSON].to_pylist()])
    assert report.roc_auc is not None
    assert report.roc_auc > 0.93 * best
    assert report.metrics["lift_at_10"] > 1.3
    assert report.metrics["calibration_error"] < 0.06
    assert report.intervals["roc_auc"][0] < report.roc_auc < report.intervals["roc_auc"][1]


def test_a_baseline_is_always_judged_on_the_same_people(trained: tuple[World, TrainReport]) -> None:
    _, report = trained
    assert report.baseline["prevalence"] == report.metrics["prevalence"]
    assert report.baseline["roc_auc"] > 0.6


def test_the_holdout_file_is_what_the_report_says(trained: tuple[World, TrainReport]) -> None:
    world, report = trained
    held = world.holdout()
    assert (held.num_rows, sum(held["label"].to_pylist())) == (report.holdout_rows, report.holdout_positives)
    assert roc_auc_score(held["label"], held["score"]) == pytest.approx(report.roc_auc)


def test_every_slice_is_later_than_the_one_before_and_no_future_is_used(
    trained: tuple[World, TrainReport], registry: Any
) -> None:
    params = run_of(registry, trained[1]).data.params
    moments = [
        datetime.fromisoformat(params[f"{name}.{end}"])
        for name in ("training", "validation", "holdout")
        for end in ("first", "last")
    ]
    assert moments == sorted(moments)
    assert moments[1] < moments[2]
    assert moments[3] < moments[4]
    assert moments[-1] <= NOW - timedelta(days=HORIZON)


def test_a_run_tells_what_was_done(trained: tuple[World, TrainReport], registry: Any) -> None:
    world, report = trained
    run = run_of(registry, report)
    wanted = {"f2", "brier", "log_loss", "lift_at_10", "calibration_error", "roc_auc_low", "roc_auc_high"}
    assert wanted | {"baseline_roc_auc", "baseline_f2", "threshold_precision"} <= set(run.data.metrics)
    assert run.data.params["learner"] == "lightgbm"
    assert run.data.params["search.trials"] == "2"
    for table in ("events", "conversions"):
        assert run.data.tags[f"catchment.delta_version.{table}"] == str(world.lake.version(table))
    assert run.data.tags["catchment.version"]
    figures = {artifact.path for artifact in registry.list_artifacts(run.info.run_id, "figures")}
    names = ("roc", "precision_recall", "calibration", "gain", "lift", "feature_importance", "contributions")
    assert figures == {f"figures/{name}.png" for name in names}


def test_a_run_holds_the_tables_that_people_decide_by(trained: tuple[World, TrainReport], registry: Any) -> None:
    run_id = run_of(registry, trained[1]).info.run_id

    def document(name: str) -> Any:
        return mlflow.artifacts.load_dict(f"runs:/{run_id}/{name}.json")

    deciles = document("deciles")["deciles"]
    assert [row["decile"] for row in deciles] == list(range(10, 0, -1))
    assert deciles[-1]["gain"] == pytest.approx(1.0)
    confusion = document("confusion")
    assert sum(confusion[name] for name in ("found", "wasted", "missed", "left")) == trained[1].holdout_rows
    assert confusion["cost"] <= min(confusion["cost_of_nobody"], confusion["cost_of_everybody"]) * 1.1
    assert {row["value"] for row in document("segments")["segments"]} == {"DE", "FR", "US"}
    worth, moved = document("feature_importance"), document("contributions")
    for found in (worth, moved):
        assert {"first_mkt_medium", "link_clicks"} <= set(list(found)[:5])
    assert not {PERSON, "observed_at", "label", "happened_at", "happened_before"} & set(worth)


def test_the_champion_loads_from_the_registry_where_catchment_is_not_needed(
    trained: tuple[World, TrainReport], registry: Any
) -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    champion = mlflow.pyfunc.load_model("models:/signup@champion")
    assert champion.metadata.signature is not None
    assert champion.metadata.saved_input_example_info is not None
    assert "catchment" not in " ".join(mlflow.pyfunc.get_model_dependencies("models:/signup@champion", "pip"))
    example = champion.input_example
    assert ((champion.predict(example)[:, 1] > 0) & (champion.predict(example)[:, 1] < 1)).all()


def test_the_same_data_gives_the_same_model_and_the_champion_stays_and_it_is_said_why(
    trained: tuple[World, TrainReport], registry: Any
) -> None:
    world, first = trained
    before = world.holdout()
    second = world.train(prediction(segments=["geo_country"]))
    assert world.holdout().equals(before)
    assert (first.promoted, second.promoted) == (True, False)
    assert second.champion_version == first.model_version != second.model_version
    assert f"does not beat {second.metrics['average_precision']:.4f} of version 1 on the same" in second.why
    assert registry.get_model_version("signup", second.model_version).description == second.why


def test_a_worse_model_does_not_become_champion_and_a_better_one_does(
    tmp_path: Path, lay_out_store: Callable[[Path], Path]
) -> None:
    world = make_world(lay_out_store(tmp_path), site(900))
    fast = {"learner": LOGISTIC, "search": {"trials": 1}}
    first = world.train(prediction(**fast, features={"include": ["geo_country", "link_clicks"]}))
    worse = world.train(prediction(**fast, features={"include": ["geo_country"]}))
    assert not worse.promoted
    assert worse.champion_version == first.model_version
    assert worse.champion_metrics["roc_auc"] == pytest.approx(first.roc_auc)
    hardly = world.train(prediction(**fast, promote={"by": 0.5}))
    assert not hardly.promoted
    assert "must be by 0.5 at least" in hardly.why
    better = world.train(prediction(**fast))
    assert better.promoted
    assert "beats" in better.why
    with open_tracking(SETTINGS, world.folder) as tracking:
        versions = tracking.versions("signup")
    assert [(one.version, one.champion) for one in versions] == [("4", True), ("3", False), ("2", False), ("1", False)]


def planted(folder: Path, **columns: Any) -> World:
    """A table of one's own, one row per visitor, true since the first event."""
    world = make_world(folder, site(600))
    first = {row["domain_userid"]: row["derived_tstamp"] for row in reversed(world.site.events)}
    people = sorted(first)
    horizon = timedelta(days=HORIZON)
    converted = {
        row["person_id"]: row["cv_tstamp"]
        for row in world.site.conversions
        if row["cv_tstamp"] - first[row["person_id"]] < horizon
    }
    given = {name: [make(person, converted.get(person)) for person in people] for name, make in columns.items()}
    since = pa.array([first[person] for person in people], TIME)
    world.lake.overwrite("accounts", pa.table({PERSON: people, "observed_tstamp": since, **given}))
    return world


@pytest.mark.parametrize(
    "leak",
    [
        lambda person, then: int(then is not None),
        lambda person, then: "customer" if then is not None else "prospect",
        lambda person, then: None if then is None else 3.0,
        lambda person, then: "vip" if then is not None and int(person[-1]) % 2 else "other",
        lambda person, then: int(then is not None or person[-1] == "0"),
    ],
    ids=["flag", "stage", "filled only afterwards", "half of them marked", "a page of thanks that others see too"],
)
def test_a_column_that_knows_the_answer_is_refused_by_its_name(tmp_path: Path, leak: Callable[..., Any]) -> None:
    world = planted(tmp_path, size=lambda person, then: int(person[-2:]), account_state=leak)
    wanted = prediction(features={"sources": ["events", "accounts"]})
    with pytest.raises(DefinitionError, match=r"predictions/signup.yml: features: 'account_state' leaks: ") as raised:
        world.train(wanted)
    assert "features.exclude" in raised.value.hint


def test_all_columns_that_know_the_answer_are_named_at_once_and_can_be_trusted(
    tmp_path: Path, lay_out_store: Callable[[Path], Path]
) -> None:
    knows = {"thanks": lambda person, then: int(then is not None), "size": lambda person, then: int(person[-2:])}
    world = planted(lay_out_store(tmp_path), stage=lambda person, then: "won" if then else "open", **knows)
    keys = {"learner": LOGISTIC, "search": {"trials": 1}}
    with pytest.raises(DefinitionError) as raised:
        world.train(prediction(features={"sources": ["events", "accounts"]}, **keys))
    assert [line.split("'")[1] for line in str(raised.value).splitlines()] == ["thanks", "stage"]
    assert "features.exclude: [thanks, stage]" in str(raised.value.hint)
    trusted = {"sources": ["events", "accounts"], "trusted": ["thanks", "stage"]}
    assert world.train(prediction(features=trusted, **keys)).roc_auc > 0.99


def test_our_own_features_are_believed_more_than_columns_that_only_say_since_when_they_were_true() -> None:
    chance = np.random.default_rng(3)
    did = chance.random(4000) < 0.1
    column = pandas.Series(np.where(did, chance.random(4000) < 0.97, chance.random(4000) < 0.1).astype(float))
    halves = np.array_split(np.arange(4000), 2)
    folds = [(halves[0], halves[1]), (halves[1], halves[0])]
    assert "ROC AUC of 0.9" in find_leak(column, did, is_category=False, folds=folds, limit=ALONE_OF_YOURS)
    assert find_leak(column, did, is_category=False, folds=folds, limit=ALONE) == ""


def test_luck_with_few_people_is_no_leak_and_knowing_of_few_people_is_one() -> None:
    did = np.arange(60) < 5
    lucky = pandas.Series(np.where(did, 50.0 + 3 * np.arange(60), np.arange(60.0)))
    half = np.array_split(np.random.default_rng(1).permutation(60), 2)
    folds = [(half[0], half[1]), (half[1], half[0])]
    assert roc_auc_score(did, lucky) > ALONE_OF_YOURS
    assert find_leak(lucky, did, is_category=False, folds=folds) == ""
    assert "ROC AUC of 1.000" in find_leak(pandas.Series(did * 1.0), did, is_category=False, folds=folds)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("link_click", "'link_click' is no feature"), ("first_mkt_medium", "is text, which rises nowhere")],
)
def test_a_direction_for_what_is_no_number_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    wanted = prediction(learner={"type": "lightgbm", "monotone": {name: 1}})
    with pytest.raises(DefinitionError, match=rf"predictions/signup.yml: learner.monotone: .*{fault}") as raised:
        make_world(tmp_path, site(300)).train(wanted)
    assert "link_clicks" in str(raised.value.hint)


def test_a_run_names_the_commit_of_the_project(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com")
    assert read_revision(tmp_path) is None
    (tmp_path / "catchment.yml").write_text("name: acme\n")
    for step in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Begin")):
        subprocess.run([*git, *step], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert read_revision(tmp_path) == head
    (tmp_path / "catchment.yml").write_text("name: other\n")
    assert read_revision(tmp_path) == f"{head}-dirty"


def test_a_strong_but_honest_feature_is_no_leak(tmp_path: Path, lay_out_store: Callable[[Path], Path]) -> None:
    world = planted(
        lay_out_store(tmp_path), size=lambda person, then: int(person[-2:]), state=lambda person, then: then is not None
    )
    kept = {"sources": ["events", "accounts"], "exclude": ["state"]}
    assert world.train(prediction(features=kept, learner=LOGISTIC, search={"trials": 1})).promoted


@pytest.mark.parametrize(
    ("made", "fact"),
    [
        (site(40), r"\d+ people were watched for 14 days by 2026-.*; 50 are needed"),
        (Site(site(200).events, [], {}), "slice 0 did it; both kinds are needed"),
    ],
)
def test_too_few_conversions_say_so(tmp_path: Path, made: Site, fact: str) -> None:
    with pytest.raises(TooFewExamples, match=fact) as raised:
        make_world(tmp_path, made).train()
    assert "predictions/signup.yml" in str(raised.value)
    assert "horizon_days" in raised.value.hint


def test_a_lake_without_events_says_what_to_do(tmp_path: Path) -> None:
    world = World(tmp_path, Lake(str(tmp_path / "lake")), Site([], [], {}))
    with pytest.raises(LakeError, match="the lake has no events yet"):
        world.train()


@pytest.mark.parametrize(
    ("keys", "fault", "mend"),
    [
        ({"features": {"include": ["geo_contry"]}}, "features.include: 'geo_contry' is no feature", "'geo_country'"),
        ({"features": {"include": ["label"]}}, "features.include: 'label' is no feature", "geo_country"),
        ({"segments": ["geo_contry"]}, "segments: 'geo_contry' is no feature", "'geo_country'"),
        ({"features": {"sources": ["event"]}}, "features.sources: the lake has no table 'event'", "'events'"),
        ({"features": {"sources": ["plans"]}}, "features.as_of: 'plans' has no column 'observed_tstamp'", "as_of"),
        (
            {"outcome": {"event": "any", "value": "tr_totl"}, "kind": "value"},
            "outcome.value: 'tr_totl' is no number",
            "'tr_total'",
        ),
    ],
)
def test_a_column_that_does_not_fit_is_named_with_its_mend(
    tmp_path: Path, keys: dict[str, Any], fault: str, mend: str
) -> None:
    world = make_world(tmp_path, site(60))
    world.lake.overwrite("plans", pa.table({PERSON: ["a"], "plan": ["free"]}))
    with pytest.raises(DefinitionError) as raised:
        world.train(prediction(**keys))
    assert str(raised.value).startswith("predictions/signup.yml: ")
    assert fault in str(raised.value)
    assert mend in raised.value.hint
    assert "catchment_" not in raised.value.hint  # the tables that a session works with are no choice


@pytest.mark.parametrize(
    ("outcome", "fault", "mend"),
    [
        ({"conversion": "sign_up"}, "outcome.conversion: the lake has no conversion 'sign_up' yet", "'signup'"),
        ({"event": "signup"}, "outcome.event: the lake has no event 'signup' yet", "'sign_up'"),
    ],
)
def test_an_outcome_that_the_lake_does_not_know_is_named_with_those_it_does(
    tmp_path: Path, outcome: dict[str, str], fault: str, mend: str
) -> None:
    with pytest.raises(TooFewExamples) as raised:
        make_world(tmp_path, site(300)).train(prediction(outcome=outcome))
    assert f"predictions/signup.yml: {fault}" in str(raised.value)
    assert f"Did you mean {mend}?" in raised.value.hint


def test_training_leaves_mlflow_as_it_found_it(trained: tuple[World, TrainReport]) -> None:
    world, _ = trained
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        with open_tracking(SETTINGS, world.folder):
            assert mlflow.get_tracking_uri().startswith("sqlite:///")
        assert mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    finally:
        mlflow.set_tracking_uri(None)
