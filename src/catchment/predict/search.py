"""Look for good options of a learner, within a budget of trials and time; what was tried is never tried twice."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from catchment.predict.definition import Prediction
from catchment.predict.examples import Examples
from catchment.predict.learner import Learner, Task

Progress = Callable[[int, int, str], None]
"""Told how many of how many steps are done, and what goes on."""
SETTLED = "settled"


class Found(NamedTuple):
    """The best options, and what the search came to."""

    learner: Learner
    loss: float
    trials: int
    pruned: int
    resumed: int
    seconds: float


def search(
    prediction: Prediction, learner: Learner, examples: Examples, task: Task, folder: Path, progress: Progress
) -> Found:
    """Try the options as they stand, then others; an interrupted search goes on where it was stopped.

    Trials are noted in `folder`; those of another definition or of other people do not count.
    """
    began = time.monotonic()
    study = _open_study(prediction, examples, folder)
    done = len([trial for trial in study.trials if trial.state.is_finished()])
    prepared = learner.prepare(task, examples.train.labelled(), examples.validation.labelled())
    if not study.trials:
        study.enqueue_trial({})
    budget = prediction.search

    def attempt(trial: Any) -> float:
        tried = learner if trial.number == 0 else learner.vary(trial)
        settled, loss = tried.settle(task, prepared, _watch(trial))
        trial.set_user_attr(SETTLED, settled.model_dump(mode="json"))
        return loss

    def tell(study: Any, trial: Any) -> None:
        progress(len(study.trials), budget.trials, f"trial {trial.number + 1}, best loss {_best(study):.4f}")

    if done < budget.trials:
        study.optimize(attempt, n_trials=budget.trials - done, timeout=budget.seconds, callbacks=[tell])
    best = study.best_trial
    states = [trial.state.name for trial in study.trials]
    return Found(
        learner=type(learner)(**best.user_attrs[SETTLED]),
        loss=float(best.value),
        trials=len(states),
        pruned=states.count("PRUNED"),
        resumed=done,
        seconds=time.monotonic() - began,
    )


def _open_study(prediction: Prediction, examples: Examples, folder: Path) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    people = examples.development
    name = f"{prediction.digest()}/{len(people.label)}/{int(people.label.sum())}/{people.last.isoformat()}"
    return optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(folder / "search.log"))),
        sampler=optuna.samplers.TPESampler(seed=20, n_startup_trials=8),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=30, interval_steps=10),
        load_if_exists=True,
    )


def _watch(trial: Any) -> Callable[[int, float], None]:
    import optuna

    def watch(step: int, loss: float) -> None:
        if step % 10 == 0:
            trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned

    return watch


def _best(study: Any) -> float:
    values = [trial.value for trial in study.trials if trial.value is not None]
    return min(values, default=float("nan"))
