"""Predictions on simulated visitors: beside what the truth allows, beside the accelerator's recipe, and by the clock.

    python benchmarks/bench_predict.py [--visitors 50000] [--trials 30] [--recipe-trials 3] [--score 1000000 3000000]

The recipe is given as many trials as asked, and its time is scaled up to its own hundred; `--score 0` scores nobody,
and `--visitors 0` only scores. Each scoring is a process of its own, so that its peak memory is known.
Seconds of processor time stand beside those of the clock: on a machine that others use too, only they can be believed.
"""  # fmt: skip

import argparse
import multiprocessing
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from accelerator import follow_recipe
from rich.console import Console
from rich.table import Table
from simulated import simulate_lake
from sklearn.metrics import average_precision_score, fbeta_score, roc_auc_score

from catchment.predict.calibrate import fit_calibrated
from catchment.predict.definition import open_learners
from catchment.predict.examples import Examples, read_examples
from catchment.predict.learner import Task
from catchment.predict.people import open_lens
from catchment.predict.search import search
from catchment.project import Project
from catchment.simulate.run import TRUTH_FILE

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAME = "form_submitted"
RECIPE_TRIALS = 100
LIMITS = {"train": 60.0, "score": 20.0}
console = Console()


def main() -> None:
    asked = _arguments()
    if asked.visitors:
        _train_beside_the_recipe(asked)
    if any(asked.score):
        _tell_scoring([people for people in asked.score if people])


def _train_beside_the_recipe(asked: argparse.Namespace) -> None:
    folder = Path(asked.folder) if asked.folder else Path(tempfile.mkdtemp()) / "bench"
    if (folder / "catchment.yml").is_file():
        project = Project.open(folder)
    else:
        project = simulate_lake(folder, asked.visitors, 1, NOW)
        project.build()
    file = folder / "predictions" / f"{NAME}.yml"
    text = re.sub(r"trials: \d+", f"trials: {asked.trials}", file.read_text())
    file.write_text(re.sub(r"seconds: \d+", "seconds: 600", text))
    shutil.rmtree(folder / ".catchment/predictions" / NAME, ignore_errors=True)
    with _clocked() as whole:
        (report,) = project.train(NAME)
    held = pq.read_table(folder / ".catchment/predictions" / NAME / "holdout.parquet")
    examples = _examples(project)
    with _clocked() as alone:
        _learn(project, examples)
    with _clocked() as theirs:
        recipe = _recipe(examples, asked.recipe_trials)
    truth = _truth(folder, held)
    scores = {"truth": truth, "ours": held["score"].to_numpy(), "the recipe": recipe.score}
    label = held["label"].to_numpy()
    thresholds = {"ours": _threshold(project, report), "the recipe": 0.5}
    _tell_quality(label, scores, thresholds, report)
    clocks = {"ours, from events to the registered model": whole, "ours, from features to the model": alone}
    _tell_time(clocks, report.trials, theirs, recipe.trials)


@dataclass
class _Took:
    """Seconds by the clock, and of the processor."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def _clocked() -> Iterator[_Took]:
    took, wall, cpu = _Took(), time.perf_counter(), time.process_time()
    yield took
    took.wall, took.cpu = time.perf_counter() - wall, time.process_time() - cpu


def _learn(project: Project, examples: Examples) -> None:
    """Do what stands against the recipe: search, calibration and the final fit, of features that were read."""
    (prediction,) = (one for one in project.predictions() if one.name == NAME)
    learner, _ = open_learners(prediction, project.folder)
    task = Task(examples.features, len(examples.development.label), threads=project.settings.predict.threads)
    with tempfile.TemporaryDirectory() as notes:
        found = search(prediction, learner, examples, task, Path(notes), lambda done, total, what: None)
    fit_calibrated(found.learner, task, examples.development)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50_000)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--recipe-trials", type=int, default=3)
    parser.add_argument("--score", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--folder", help="A project of an earlier run, to simulate only once.")
    return parser.parse_args()


def _examples(project: Project) -> Examples:
    (prediction,) = (one for one in project.predictions() if one.name == NAME)
    with project._workshop() as shop:
        return read_examples(prediction, open_lens(prediction, shop.session, shop.now, shop.settings.history_hours))


def _recipe(examples: Examples, trials: int) -> Any:
    parts = [(part.frame, part.label) for part in (examples.train, examples.validation, examples.holdout)]
    return follow_recipe(examples.features, *parts, trials, 1)


def _truth(folder: Path, held: pa.Table) -> Any:
    truth = pl.read_csv(folder / TRUTH_FILE)
    known = dict(zip(truth["domain_userid"], truth["true_probability"], strict=True))
    return np.array([known[person] for person in held["person_id"].to_pylist()])


def _threshold(project: Project, report: Any) -> float:
    from catchment.predict.tracking import open_tracking

    with open_tracking(project.settings.predict, project.folder) as tracking:
        run_id = next(one.run_id for one in tracking.versions(NAME) if one.version == report.model_version)
        return float(tracking._client.get_run(run_id).data.params["threshold.f2"])


def _tell_quality(label: Any, scores: dict[str, Any], thresholds: dict[str, float], report: Any) -> None:
    table = Table(title=f"Quality on {len(label):,} held-out visitors, {int(label.sum()):,} of whom converted")
    for heading in ("ranked by", "ROC AUC", "of truth", "average precision", "of truth", "F2", "Brier", "ECE"):
        table.add_column(heading, justify="left" if heading == "ranked by" else "right")
    best = roc_auc_score(label, scores["truth"]), average_precision_score(label, scores["truth"])
    for who, score in scores.items():
        quality = roc_auc_score(label, score), average_precision_score(label, score)
        f2 = fbeta_score(label, score >= thresholds[who], beta=2) if who in thresholds else float("nan")
        error = float(np.mean((score - label) ** 2))
        table.add_row(
            who, f"{quality[0]:.4f}", f"{quality[0] / best[0]:.1%}", f"{quality[1]:.4f}", f"{quality[1] / best[1]:.1%}",
            f"{f2:.4f}", f"{error:.4f}", f"{_calibration_error(label, score):.4f}",
        )  # fmt: skip
    console.print(table)
    console.print(f"calibration: {report.calibration}; baseline: {report.baseline['average_precision']:.4f} AP")


def _calibration_error(label: Any, score: Any) -> float:
    parts = np.array_split(np.argsort(score, kind="stable"), 10)
    return float(sum(len(part) * abs(score[part].mean() - label[part].mean()) for part in parts) / len(label))


def _tell_time(ours: dict[str, _Took], trials: int, theirs: _Took, recipe_trials: int) -> None:
    scale = RECIPE_TRIALS / recipe_trials
    table = Table(title=f"Time to train; the limit of all of ours is {LIMITS['train']:.0f} s on two cores")
    for heading in ("what", "trials", "by the clock", "of the processor", "recipe takes (processor)"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, took in ours.items():
        table.add_row(
            what, str(trials), f"{took.wall:.1f} s", f"{took.cpu:.1f} s", f"{theirs.cpu * scale / took.cpu:.1f} times"
        )
    said = "the recipe, from features to the model" + ("" if scale == 1 else f", scaled from {recipe_trials} trials")
    table.add_row(said, str(RECIPE_TRIALS), f"{theirs.wall * scale:.0f} s", f"{theirs.cpu * scale:.0f} s", "")
    console.print(table)


def _tell_scoring(counts: list[int]) -> None:
    """Score so many people, with reasons, from a table of features beside one event of each; then once more."""
    limit = LIMITS["score"]
    table = Table(title=f"Scores with reasons into Delta; the limit of a million people is {limit:.0f} s on two cores")
    for heading in ("people", "written", "by the clock", "of the processor", "peak memory"):
        table.add_column(heading, justify="right")
    for people in counts:
        with tempfile.TemporaryDirectory() as folder:
            _in_its_own_process(_prepare, Path(folder) / "many", people)
            for hours in (0, 1):
                report, took, peak = _in_its_own_process(_score, Path(folder) / "many", hours)
                seconds = f"{took.wall:.1f} s", f"{took.cpu:.1f} s"
                table.add_row(f"{report.scored:,}", f"{report.changed:,}", *seconds, f"{peak:.2f} GB")
    console.print(table)


def _in_its_own_process(work: Callable[..., Any], *given: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def _prepare(folder: Path, people: int) -> None:
    project = Project.init(folder)
    _fill_many(project, people)
    (folder / "predictions" / f"{NAME}.yml").write_text(
        f"name: {NAME}\nwho: people\noutcome: {{event: sign_up, repeats: true}}\nhorizon_days: 14\n"
        "observe: {every_days: 14, history_days: 28, most: 40000}\n"
        "features: {sources: [profiles]}\nsearch: {trials: 5}\n"
    )
    project.clock = lambda: NOW
    project.train(NAME)


def _score(folder: Path, hours: int) -> tuple[Any, _Took, float]:
    """Score everybody; give the report, what it took, and the peak of memory of this process alone, in GB."""
    project = Project.open(folder)
    project.clock = lambda: NOW + timedelta(hours=hours)
    with _clocked() as took:
        (report,) = project.score(NAME)
    status = Path("/proc/self/status").read_text()
    return report, took, int(status.split("VmHWM:")[1].split()[0]) / 1e6


def _fill_many(project: Project, people: int) -> None:
    from catchment.event import TIMESTAMP, atomic_schema

    chance = np.random.default_rng(1)
    names = pa.array([f"person-{number:07}" for number in range(people)])
    since = pa.array(np.full(people, np.datetime64(NOW.replace(tzinfo=None) - timedelta(days=50), "us")), TIMESTAMP)
    signal, channel = chance.normal(size=people), chance.choice(["search", "email", "paid", "direct"], people)
    profile = {f"number_{place}": chance.normal(size=people).round(3) for place in range(12)}
    texts = {f"text_{place}": pa.array(chance.choice(["a", "b", "c", "d"], people)) for place in range(4)}
    project.lake.overwrite(
        "profiles",
        pa.table(
            {"person_id": names, "observed_tstamp": since, "signal": signal, "channel": channel, **profile, **texts}
        ),
    )
    does = chance.random(people) < 1 / (1 + np.exp(3.0 - signal - (channel == "email")))
    schema = atomic_schema()
    for prefix, chosen, name, first, last in (
        ("v", np.ones(people, bool), "page_view", 50, 50),
        ("s", does, "sign_up", 45, 1),
    ):
        rows = int(chosen.sum())
        ago = (chance.uniform(last, first, rows) * 86_400e6).astype("timedelta64[us]")
        moment = pa.array(np.datetime64(NOW.replace(tzinfo=None), "us") - ago, TIMESTAMP)
        who = names.filter(pa.array(chosen))
        given = {
            "event_id": pa.array([f"{prefix}{number}" for number in range(rows)]),
            "event_name": pa.repeat(name, rows), "domain_userid": who, "domain_sessionid": who,
            "derived_tstamp": moment, "dvce_created_tstamp": moment, "collector_tstamp": moment, "load_tstamp": moment,
        }  # fmt: skip
        columns = [given.get(field.name, pa.nulls(rows, field.type)) for field in schema]
        project.lake.append("events", pa.table(columns, schema=schema))


if __name__ == "__main__":
    main()
