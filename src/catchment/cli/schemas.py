"""Schemas, before they are published."""

from pathlib import Path
from typing import Annotated, Any

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell

schema = typer.Typer(no_args_is_help=True, help="Judge schemas before they are published.")
app.add_typer(schema, name="schema")


@schema.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="A registry's folder; by default the project's own.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name every fault in a registry's folder: file and place. Ends with 1 where there is an error.

    Example: catchment schema lint schemas
    """
    _report("schema lint", open_project(project).lint_schemas(folder), as_json)


@schema.command()
def check(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Say what each version breaks: of the one before, and of what the lake holds. Ends with 1 where it says less.

    Example: catchment schema check --json
    """
    _report("schema check", open_project(project).check_schemas(), as_json)


def _report(verb: str, findings: list[Any], as_json: bool) -> None:
    tell(verb, findings, as_json)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
