"""Who is who, and why."""

from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell

identity = typer.Typer(no_args_is_help=True, help="Who is who, and why.")
app.add_typer(identity, name="identity")


@identity.command()
def show(
    identifier: Annotated[str, typer.Argument(help="KIND:VALUE, a bare value, or a person_id.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell of a person: identifiers, what links them, what they were before, merges, and what was refused.

    For example: catchment identity show user_id:ada
    """
    tell("identity", open_project(project).identity(identifier), as_json)


@identity.command("match")
def match_records(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Find records that describe the same person with Splink, as `model.identity.matching` says.

    The next `catchment build` joins people by what was found; `catchment run` does both when records changed.

    For example: catchment identity match
    """
    tell("match", open_project(project).match(), as_json)


@identity.command()
def resolve(
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Form everybody anew, of these pairs alone.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Form people of the pairs that another engine than DuckDB has found and left in the lake as `identity_news`.

    On DuckDB `catchment build` does so itself.

    For example: catchment identity resolve
    """
    tell("resolve", open_project(project).resolve_identity(full_refresh=full_refresh), as_json)
