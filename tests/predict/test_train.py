"""Training on people whose truth the tests know: real LightGBM, real MLflow, real Delta."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from catchment.errors import DefinitionError, LakeError, TooFewExamples
from catchment.lake.lake import Lake
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction
from catchment.predict.examples import read_examples
from catchment.predict.tracking import locate_store, open_tracking
from catchment.predict.train import TrainReport, train

from .acme import HORIZON, NOW, attached, fill, prediction, visitors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # MLflow 3.17 on pandas 3

SETTINGS = PredictSettings()
BASELINE = {"type": "logistic"}


@dataclass
class World:
    folder: Path
    lake: Lake
    people: pa.Table

    def train(self, wanted: Prediction | None = None, now: datetime = NOW) -> TrainReport:
        with attached(self.lake) as session:
            return train(wanted or prediction(), session, SETTINGS, self.folder, now, lake=self.lake)

    def holdout(self) -> pa.Table:
        return pq.read_table(self.folder / ".catchment" / "predictions" / "signup" / "holdout.parquet")

    def raw_frame(self) -> Any:
        with attached(self.lake) as session:
            return session.query("select * from first_touch_features order by person_id").read_all().to_pandas()


def make_world(folder: Path, people: pa.Table) -> World:
    return World(folder, fill(Lake(str(folder / "lake")), people), people)


@pytest.fixture
def project(tmp_path: Path, lay_out_store: Callable[[Path], Path]) -> Path:
    return lay_out_store(tmp_path)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]
) -> tuple[World, TrainReport]:
    world = make_world(lay_out_store(tmp_path_factory.mktemp("project")), visitors(3000))
    return world, world.train(prediction(baseline=BASELINE))


@pytest.fixture
def registry(trained: tuple[World, TrainReport]) -> Iterator[Any]:
    uri, _ = locate_store(SETTINGS, trained[0].folder)
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def run_of(registry: Any, report: TrainReport) -> Any:
    return registry.get_run(registry.get_model_version(report.prediction, report.model_version).run_id)


def test_a_model_finds_the_signal(trained: tuple[World, TrainReport]) -> None:
    world, report = trained
    truth = dict(zip(world.people["person_id"].to_pylist(), world.people["truth"].to_pylist(), strict=True))
    held = world.holdout()
    best = roc_auc_score(held["label"], [truth[person] for person in held["person_id"].to_pylist()])
    assert report.roc_auc > 0.6
    assert report.roc_auc > best - 0.08
    assert report.average_precision > report.metrics["prevalence"]
    assert report.metrics["lift_at_10"] > 1.3
    assert report.metrics["calibration_error"] < 0.1


def test_the_baseline_is_judged_on_the_same_people(trained: tuple[World, TrainReport]) -> None:
    _, report = trained
    assert report.baseline["prevalence"] == report.metrics["prevalence"]
    assert report.baseline["roc_auc"] > 0.6


def test_the_holdout_file_is_what_the_report_says(trained: tuple[World, TrainReport]) -> None:
    world, report = trained
    held = world.holdout()
    assert held.column_names == ["person_id", "label", "score"]
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


def test_people_who_converted_before_are_never_learned_from_nor_judged(trained: tuple[World, TrainReport]) -> None:
    world, report = trained
    before = world.people.filter(world.people["converted_before"])["person_id"]
    assert not pc.any(pc.is_in(world.holdout()["person_id"], value_set=before.combine_chunks())).as_py()
    settled = pc.less_equal(
        world.people["observed_tstamp"], pa.scalar(_clock(world) - timedelta(days=HORIZON), pa.timestamp("us", "UTC"))
    )
    watched = world.people.filter(pc.and_(settled, pc.invert(world.people["converted_before"])))
    assert report.rows == watched.num_rows


def test_the_label_honours_the_horizon(trained: tuple[World, TrainReport]) -> None:
    world, _ = trained
    rows = {row["person_id"]: row for row in world.people.to_pylist()}
    late = 0
    for held in world.holdout().to_pylist():
        row = rows[held["person_id"]]
        within = row["converted"] and row["first_conversion_tstamp"] - row["observed_tstamp"] <= timedelta(days=HORIZON)
        late += row["converted"] and not within
        assert held["label"] == int(within)
    assert late > 0


def _clock(world: World) -> datetime:
    seen = world.people.filter(pc.invert(world.people["converted_before"]))
    last = max(pc.max(seen[name]).as_py() for name in ("observed_tstamp", "first_conversion_tstamp"))
    return min(NOW, last)


def test_a_lake_that_lags_behind_teaches_nobody_that_silence_is_no(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), visitors(600))
    with attached(lake) as session:
        at_once, much_later = (read_examples(prediction(), session, now) for now in (NOW, NOW + timedelta(days=90)))
    assert much_later.clock == at_once.clock
    assert much_later.rows == at_once.rows


def test_who_may_still_convert_is_not_learned_from(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), visitors(600))
    middle = NOW - timedelta(days=20)
    with attached(lake) as session:
        examples = read_examples(prediction(), session, middle)
    assert examples.clock == middle
    assert examples.holdout.last <= middle - timedelta(days=HORIZON)


def test_a_run_tells_what_was_done(trained: tuple[World, TrainReport], registry: Any) -> None:
    world, report = trained
    run = run_of(registry, report)
    assert run.data.metrics["roc_auc"] == pytest.approx(report.roc_auc)
    assert {"average_precision", "log_loss", "brier", "lift_at_10", "baseline_roc_auc"} <= set(run.data.metrics)
    assert run.data.params["learner"] == "lightgbm"
    version = world.lake.version("first_touch_features")
    assert run.data.tags["catchment.delta_version.first_touch_features"] == str(version)
    figures = {artifact.path for artifact in registry.list_artifacts(run.info.run_id, "figures")}
    names = ("roc", "precision_recall", "calibration", "gain", "lift", "feature_importance")
    assert figures == {f"figures/{name}.png" for name in names}
    assert {"curves.json", "feature_importance.json"} <= {
        artifact.path for artifact in registry.list_artifacts(run.info.run_id)
    }


def test_what_bears_the_signal_is_worth_most(trained: tuple[World, TrainReport], registry: Any) -> None:
    run_id = run_of(registry, trained[1]).info.run_id
    worth = mlflow.artifacts.load_dict(f"runs:/{run_id}/feature_importance.json")
    assert set(list(worth)[:2]) == {"mkt_medium", "engaged_time_in_s"}
    assert worth["absolute_time_in_s"] == 0.0
    assert not {"mkt_term", "person_id", "domain_userid", "converted", "converted_before"} & set(worth)


def test_the_champion_loads_from_the_registry_and_takes_a_raw_frame(
    trained: tuple[World, TrainReport], registry: Any
) -> None:
    world, _ = trained
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    champion = mlflow.pyfunc.load_model("models:/signup@champion")
    assert champion.metadata.signature is not None
    assert champion.metadata.saved_input_example_info is not None
    frame = world.raw_frame()
    loaded = dict(zip(frame["person_id"], champion.predict(frame)[:, 1], strict=True))
    held = world.holdout()
    assert [loaded[person] for person in held["person_id"].to_pylist()] == pytest.approx(held["score"].to_pylist())


def test_the_same_data_gives_the_same_model_and_the_champion_stays(trained: tuple[World, TrainReport]) -> None:
    world, first = trained
    before = world.holdout()
    second = world.train()
    assert world.holdout().equals(before)
    assert (first.promoted, second.promoted) == (True, False)
    assert second.champion_version == first.model_version != second.model_version


def test_a_worse_model_does_not_become_champion_and_a_better_one_does(project: Path) -> None:
    world = make_world(project, visitors(1500))
    blind = {"include": ["country"]}
    third = world.train(prediction(learner=BASELINE, features={"include": ["country", "session_link_clicks"]}))
    worse = world.train(prediction(learner=BASELINE, features=blind))
    assert not worse.promoted
    assert worse.champion_version == third.model_version
    assert worse.champion_metrics["roc_auc"] == pytest.approx(third.roc_auc)
    better = world.train(prediction(learner=BASELINE))
    assert better.promoted
    assert better.champion_version == better.model_version
    with open_tracking(SETTINGS, world.folder) as tracking:
        versions = tracking.versions("signup")
    assert [(one.version, one.champion) for one in versions] == [("3", True), ("2", False), ("1", False)]
    assert versions[0].metrics["roc_auc"] == pytest.approx(better.roc_auc)


def test_a_champion_whose_column_is_gone_makes_way(project: Path) -> None:
    world = make_world(project, visitors(600))
    world.train(prediction(learner=BASELINE))
    fill(world.lake, world.people.drop_columns(["engaged_time_in_s"]))
    assert world.train(prediction(learner=BASELINE)).promoted


@pytest.mark.parametrize(
    ("people", "fact"),
    [
        (visitors(40), r"\d+ people of 'first_touch_features' were watched for 14 days by 2026-.*; 50 are needed"),
        (visitors(200, signal=-9.0), "slice 0 converted; both kinds are needed"),
    ],
)
def test_too_few_conversions_say_so(tmp_path: Path, people: pa.Table, fact: str) -> None:
    world = make_world(tmp_path, people)
    with pytest.raises(TooFewExamples, match=fact) as raised:
        world.train()
    assert "predictions/signup.yml" in str(raised.value)
    assert "horizon_days" in raised.value.hint


def test_a_table_that_was_never_built_is_named(tmp_path: Path) -> None:
    world = make_world(tmp_path, visitors(60))
    with pytest.raises(LakeError, match="no table 'accounts' yet"):
        world.train(prediction(table="accounts"))


@pytest.mark.parametrize(
    ("keys", "fault", "mend"),
    [
        ({"target": "convertd"}, "target: the table 'first_touch_features' has no column 'convertd'", "'converted'"),
        ({"target": "country"}, "target: 'country' is string, not a boolean", "converted"),
        ({"features": {"include": ["contry"]}}, "features.include: 'contry' is no feature", "'country'"),
        ({"features": {"include": ["converted"]}}, "features.include: 'converted' is no feature", "country"),
        ({"features": {"exclude": ["mkt_trm"]}}, "features.exclude: 'mkt_trm' is no feature", "'mkt_term'"),
    ],
)
def test_a_column_that_does_not_fit_is_named_with_its_mend(
    tmp_path: Path, keys: dict[str, Any], fault: str, mend: str
) -> None:
    world = make_world(tmp_path, visitors(60))
    with pytest.raises(DefinitionError) as raised:
        world.train(prediction(**keys))
    assert str(raised.value).startswith("predictions/signup.yml: ")
    assert fault in str(raised.value)
    assert mend in raised.value.hint


def test_training_leaves_mlflow_as_it_found_it(trained: tuple[World, TrainReport]) -> None:
    world, _ = trained
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        with open_tracking(SETTINGS, world.folder):
            assert mlflow.get_tracking_uri().startswith("sqlite:///")
        assert mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    finally:
        mlflow.set_tracking_uri(None)
