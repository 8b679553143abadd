"""The tour: one folder, simulated visitors, every stage once, a table for each; and staying up afterwards."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from catchment.collect.server import serve_collector
from catchment.errors import CatchmentError
from catchment.listen import require_free_port, running
from catchment.observe import Progress, say_nothing
from catchment.project import Project
from catchment.project.current import Loop
from catchment.project.follow import FollowUp
from catchment.report import console, show
from catchment.settings import FILE_NAME

LONGEST_PAUSE_S = 60.0
"""Between two tries of a loop that something stands in the way of."""


def give_demo(folder: Path, visitors: int, seed: int, progress: Progress = say_nothing) -> None:
    """Run the main job on simulated visitors; in a folder where it was stopped, go on.

    Raises PortInUse where collector, console or sandbox cannot listen.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    project = Project.open(folder) if (folder / FILE_NAME).is_file() else Project.init(folder)
    project.progress = progress
    with ExitStack() as stack:
        stack.enter_context(serving_collector(project))
        link = stack.enter_context(serving_console(project))
        stack.enter_context(project.sandbox())
        show("simulate", _simulate(project, visitors, seed))
        project.run(show)
        show("conservation", project.conservation())
        for comparison in _judge(project):
            show("model against the truth, on the held-out visitors", comparison)
        console.print(f"The whole tour took {time.monotonic() - began:.0f} s.")
        if sys.stdin.isatty() and sys.stdout.isatty():
            console.print(
                f"Console: [bold]{link}[/] (the link signs in once). Ctrl-C stops everything.", soft_wrap=True
            )
            keep_current(project)
        console.print(f"`catchment up` in {folder.resolve()} opens the console on it.", soft_wrap=True)


def stay_up(project: Project) -> None:
    """Serve collector, console and sandbox, and keep the lake current until stopped."""
    with serving_collector(project), serving_console(project) as link, project.sandbox():
        console.print(f"Collector: {project.collector_url}")
        console.print(f"Console: {link} (the link signs in once)", soft_wrap=True)
        keep_current(project)


@contextmanager
def serving_collector(project: Project) -> Iterator[None]:
    """Have the collector listen while the block lasts; raises PortInUse."""
    place = project.settings.collect
    require_free_port(place.host, place.port, "collect.port")
    health = f"{project.collector_url}/health"
    with running(serve_collector, place, project.folder, health_url=health, name="collector"):
        yield


@contextmanager
def serving_console(project: Project) -> Iterator[str]:
    """Have the console listen while the block lasts, and give the link that signs in once; raises PortInUse."""
    from catchment.serve.server import serve_console
    from catchment.serve.signin import one_time_link

    place = project.settings.serve
    require_free_port(place.host, place.port, "serve.port")
    health = f"http://{place.host}:{place.port}/api/v1/health"
    with running(serve_console, project.folder, health_url=health, name="console"):
        yield one_time_link(place, project.folder)


def keep_current(project: Project, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Enrich, keep the lake up, and now and then do all that follows.

    What stands in the way is told once, and tried again after a pause that grows.
    """
    follow = FollowUp(project.folder, project.settings.up.run_every_minutes)
    try:
        _keep_current(project, follow, sleep)
    finally:
        follow.stop()


def _keep_current(project: Project, follow: FollowUp, sleep: Callable[[float], None]) -> None:
    pause = project.settings.enrich.interval_s
    loop = Loop(project)
    told, wait = "", pause
    while True:
        try:
            loop.turn()
            follow.look()
            project.sync_scheduled()
        except CatchmentError as error:
            if str(error) != told:
                told = str(error)
                console.print(f"enrich waits: {escape(told)} {escape(error.hint)}", style="yellow", soft_wrap=True)
            wait = min(2 * wait, max(pause, LONGEST_PAUSE_S))
        else:
            if told:
                console.print("enrich goes on", style="green")
            told, wait = "", pause
        sleep(wait)


def _simulate(project: Project, visitors: int, seed: int) -> Any:
    from catchment.simulate.run import simulate

    def tell(done: int, total: int) -> None:
        project.progress("visitors arrive", done, total)

    return simulate(visitors, seed, project.collector_url, project.folder, now=project.clock(), progress=tell)


def _judge(project: Project) -> Iterator[list[dict[str, Any]]]:
    """Compare each model with the simulator's own probabilities: nothing can rank better than those."""
    import polars as pl
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth_file = project.folder / ".catchment/simulation/truth.csv"
    for prediction in project.predictions():
        held_out = project.folder / ".catchment/predictions" / prediction.name / "holdout.parquet"
        if not held_out.is_file() or not truth_file.is_file():
            raise CatchmentError(f"{held_out} is missing.", hint=f"`catchment train {prediction.name}` writes it.")
        rows = pl.read_parquet(held_out).join(
            pl.read_csv(truth_file), left_on="person_id", right_on="domain_userid", suffix="_true"
        )
        yield [
            {
                "ranked by": who,
                "visitors": rows.height,
                "ROC AUC": float(roc_auc_score(rows["label"], rows[column])),
                "average precision": float(average_precision_score(rows["label"], rows[column])),
            }
            for who, column in ((f"model {prediction.name}", "score"), ("simulator's truth", "true_probability"))
        ]
