"""The verbs on the command line; every error is one line with its mend, every report a table or JSON."""

import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from catchment.errors import CatchmentError
from catchment.project import Project
from catchment.report import show

app = typer.Typer(
    name="catchment", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
errors = Console(stderr=True)

ProjectOption = Annotated[
    Path | None, typer.Option("--project", help="The project's folder; by default the one we are in.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
NameArgument = Annotated[str | None, typer.Argument(help="Only the one of this name.")]


def main() -> None:
    """Run the command line; ends with 1 for an error that a person can mend and 130 for Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except CatchmentError as error:
        errors.print(f"[red bold]error[/] {_escape(error)}", highlight=False, soft_wrap=True)
        if error.hint:
            errors.print(f"[green]mend[/]  {_escape(error.hint)}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print("stopped; `catchment run` goes on from here")
        raise SystemExit(130) from None


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where; it may hold other files.")] = Path(),
    example: Annotated[str, typer.Option(help="Which example to start from.")] = "saas",
) -> None:
    """Make a project from an example."""
    project = Project.init(folder, example)
    typer.echo(f"{project.folder.resolve()} is a project now; `catchment up` starts it.")


@app.command()
def check(project: ProjectOption = None) -> None:
    """Read every setting and definition, and ask every destination whether it knows us."""
    opened = Project.open(project)
    with opened.sandbox():
        for place, count in opened.check().items():
            typer.echo(f"ok  {place}: {count}")


@app.command()
def collect(project: ProjectOption = None) -> None:
    """Serve the collector until stopped."""
    Project.open(project).collect()


@app.command()
def enrich(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Turn waiting payloads into events and failed events."""
    _print("enrich", Project.open(project).enrich(), as_json)


@app.command()
def ingest(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Load ad spend, CRM leads and other declared sources."""
    _print("ingest", Project.open(project).ingest(), as_json)


@app.command()
def build(
    project: ProjectOption = None,
    select: Annotated[str | None, typer.Option(help="dbt's selector.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the models with dbt."""
    _print("build", Project.open(project).build(select), as_json)


@app.command()
def train(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Train and register the predictions' models."""
    _print("train", Project.open(project).train(name), as_json)


@app.command()
def score(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Score everybody with each prediction's champion."""
    _print("score", Project.open(project).score(name), as_json)


@app.command()
def refresh(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Recompute the audiences' members."""
    _print("refresh", Project.open(project).refresh(name), as_json)


@app.command()
def sync(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Bring destinations level with their audiences."""
    opened = Project.open(project)
    with opened.sandbox():
        _print("sync", opened.sync(name), as_json)


@app.command()
def measure(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Put what campaigns cost beside what came of them."""
    _print("measure", Project.open(project).measure(), as_json)


@app.command()
def run(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Do once whatever is due, from enrich to measure; after a stop, the same call goes on."""
    Project.open(project).run(lambda verb, report: _print(verb, report, as_json))


@app.command()
def status(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Say what waits, what stands in the lake and how each verb last ended."""
    _print("status", Project.open(project).status(), as_json)


@app.command()
def plugins(kind: Annotated[str | None, typer.Argument(help="For example enrich/enrichments.")] = None) -> None:
    """List the plugins and their settings, your own among them."""
    from catchment.errors import ProjectNotFound
    from catchment.plugin import KINDS, list_plugins

    try:
        folder = Project.open().folder
    except ProjectNotFound:
        folder = None
    if kind is not None and kind not in KINDS:
        raise CatchmentError(f"There is no kind of plugin '{kind}'.", hint=f"Kinds are: {', '.join(KINDS)}.")
    for each in (kind,) if kind else KINDS:
        typer.echo(each)
        for name, plugin in list_plugins(each, folder).items():
            about = (plugin.__doc__ or "").splitlines()[0]
            typer.echo(f"  {name}: {about}")
            for field, facts in plugin.model_fields.items():
                typer.echo(f"      {field}: {facts.description or 'needed' if facts.is_required() else facts.default}")


@app.command()
def simulate(
    visitors: Annotated[int, typer.Option(help="How many.")] = 10_000,
    seed: int = 1,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the events of simulated visitors to the running collector."""
    from catchment.simulate.run import simulate as send

    opened = Project.open(project)
    report = send(visitors, seed, opened.collector_url, opened.folder, now=datetime.now(UTC))
    _print("simulate", report, as_json)


@app.command()
def sandbox(project: ProjectOption = None) -> None:
    """Serve the stand-ins for Braze, Salesforce and Meta until stopped."""
    from catchment.sandbox.server import serve_sandbox

    opened = Project.open(project)
    serve_sandbox(opened.settings.sandbox, opened.folder)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one where a demo was stopped.")] = Path(),
    visitors: Annotated[int, typer.Option(help="How many.")] = 10_000,
    seed: int = 1,
) -> None:
    """Tell the whole product on simulated visitors: from a click to a campaign."""
    from catchment.demo import give_demo

    give_demo(folder, visitors, seed)


@app.command("sign-in")
def sign_in(project: ProjectOption = None) -> None:
    """Print a link that signs in to the running console, once."""
    from catchment.serve.signin import one_time_link

    opened = Project.open(project)
    typer.echo(one_time_link(opened.settings.serve, opened.folder))


@app.command()
def console(project: ProjectOption = None) -> None:
    """Serve the console until stopped; `catchment sign-in` prints the link."""
    from catchment.serve.server import serve_console

    serve_console(Project.open(project).folder)


@app.command()
def up(project: ProjectOption = None) -> None:
    """Start collector, console and the loop that keeps everything current, until stopped."""
    from catchment.demo import stay_up

    stay_up(Project.open(project))


def _end(number: int, frame: Any) -> None:
    """End as Ctrl-C does, so that what was started is stopped."""
    raise SystemExit(128 + number)


def _print(verb: str, report: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({verb: report}, default=_plain).decode())
    else:
        show(verb, report)


def _plain(value: Any) -> Any:
    to_list: Callable[[], Any] | None = getattr(value, "to_pylist", None)
    return to_list() if to_list is not None else vars(value) if hasattr(value, "__dict__") else str(value)


def _escape(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))
