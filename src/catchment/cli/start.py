"""Start a project, and see how it stands."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, bars, open_project, tell
from catchment.errors import CatchmentError
from catchment.project import Project


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where; it may hold other files.")] = Path(),
    example: Annotated[str, typer.Option(help="Which example to start from.")] = "saas",
) -> None:
    """Make a project from an example."""
    project = Project.init(folder, example)
    typer.echo(f"{project.folder.resolve()} is a project now; `catchment up` starts it.")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one where a demo was stopped.")] = Path(),
    visitors: Annotated[int, typer.Option(help="How many.")] = 10_000,
    seed: int = 1,
) -> None:
    """Tell the whole product on simulated visitors: from a click to a campaign."""
    from catchment.demo import give_demo

    give_demo(folder, visitors, seed, bars)


@app.command()
def up(project: ProjectOption = None) -> None:
    """Start collector, console and the loop that keeps everything current, until stopped."""
    from catchment.demo import stay_up

    stay_up(open_project(project))


@app.command()
def run(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Do once whatever is due, from enrich to measure; after a stop, the same call goes on."""
    open_project(project).run(lambda verb, report: tell(verb, report, as_json))


@app.command()
def check(project: ProjectOption = None) -> None:
    """Read every setting and definition, and ask every destination whether it knows us."""
    opened = open_project(project)
    with opened.sandbox():
        for place, count in opened.check().items():
            typer.echo(f"ok  {place}: {count}")


@app.command()
def status(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Say what waits, what stands in the lake and how each verb last ended."""
    tell("status", open_project(project).status(), as_json)


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


@app.command("sign-in")
def sign_in(project: ProjectOption = None) -> None:
    """Print a link that signs in to the running console, once."""
    from catchment.serve.signin import one_time_link

    opened = open_project(project)
    typer.echo(one_time_link(opened.settings.serve, opened.folder))


@app.command()
def console(project: ProjectOption = None) -> None:
    """Serve the console until stopped; `catchment sign-in` prints the link."""
    from catchment.serve.server import serve_console

    serve_console(open_project(project).folder)


@app.command()
def simulate(
    visitors: Annotated[int, typer.Option(help="How many.")] = 10_000,
    seed: int = 1,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the events of simulated visitors to the running collector."""
    from catchment.simulate.run import simulate as send

    opened = open_project(project)
    report = send(visitors, seed, opened.collector_url, opened.folder, now=datetime.now(UTC))
    tell("simulate", report, as_json)


@app.command()
def sandbox(project: ProjectOption = None) -> None:
    """Serve the stand-ins for destination APIs until stopped."""
    from catchment.sandbox.server import serve_sandbox

    opened = open_project(project)
    serve_sandbox(opened.settings.sandbox, opened.folder)
