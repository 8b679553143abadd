"""What every command shares: the program, its options, and how a report is printed."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from catchment.bars import Bars
from catchment.project import Project
from catchment.report import show

HELP = "From the click to the campaign: collect, enrich, model, predict, build audiences, activate, measure."

app = typer.Typer(
    name="catchment", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP
)

ProjectOption = Annotated[
    Path | None, typer.Option("--project", help="The project's folder; by default the one we are in.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
NameArgument = Annotated[str | None, typer.Argument(help="Only the one of this name.")]


bars = Bars(Console(stderr=True))
"""The bars of this process; whoever ends it closes them."""


def open_project(folder: Path | None) -> Project:
    """Open the project in `folder`, or the one we are in, with bars for its long work."""
    project = Project.open(folder)
    project.progress = bars
    return project


def tell(verb: str, report: Any, as_json: bool) -> None:
    """Print what one verb came to, as a table or as JSON."""
    if as_json:
        typer.echo(orjson.dumps({verb: report}, default=_plain).decode())
    else:
        show(verb, report)


def _plain(value: Any) -> Any:
    to_list: Callable[[], Any] | None = getattr(value, "to_pylist", None)
    return to_list() if to_list is not None else vars(value) if hasattr(value, "__dict__") else str(value)
