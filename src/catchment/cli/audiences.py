"""From scores to members: refresh them, and ask about them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, open_project, tell
from catchment.errors import CatchmentError

audience_app = typer.Typer(no_args_is_help=True, help="Ask about an audience, changing nothing.")
app.add_typer(audience_app, name="audience")

Audience = Annotated[str, typer.Argument(help="The audience's name.")]


@app.command()
def refresh(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Recompute the audiences' members."""
    tell("refresh", open_project(project).refresh(name), as_json)


@audience_app.command()
def preview(
    name: Audience,
    columns: Annotated[list[str] | None, typer.Option("--column", help="Show this column of some members.")] = None,
    by: Annotated[list[str] | None, typer.Option(help="How members spread over this column.")] = None,
    sample: Annotated[int, typer.Option(help="How many members to show.")] = 10,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the file would come to now: the whole, each condition, some members.

    Example: catchment audience preview vip --column country --by mkt_medium
    """
    opened = open_project(project)
    found = opened.preview(opened.audience(name), columns=columns or (), by=by or (), sample=sample)
    if as_json:
        tell("preview", found, as_json)
        return
    typer.echo(f"{name}: {found.size:,} of {found.population:,}")
    tell("each condition on its own", list(found.blocks), as_json)
    if found.sample:
        tell("some members", list(found.sample), as_json)
    for column, shares in found.breakdown.items():
        tell(f"by {column}", list(shares), as_json)


@audience_app.command()
def why(
    name: Audience,
    person: Annotated[str, typer.Argument(help="The person's id.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of each condition whether it holds for one person."""
    opened = open_project(project)
    audience = opened.audience(name)
    reasons = opened.why(audience, person)
    if reasons is None:
        raise CatchmentError(
            f"There is no '{person}' in {audience.parent}.", hint="`catchment trace --person` tells where it looked."
        )
    tell(f"{person} is {'in' if reasons[0].holds else 'not in'} {name}", list(reasons), as_json)


@audience_app.command()
def overlap(
    names: Annotated[list[str] | None, typer.Argument(help="Two or more; without any, all.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count, for each pair of audiences, who would be in both."""
    tell("overlap", list(open_project(project).overlap(names or [])), as_json)


@audience_app.command()
def members(
    name: Audience,
    at: Annotated[datetime | None, typer.Option(help="Who was in then, UTC; for example 2026-11-03.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give who is in an audience, or was on a day."""
    moment = at.replace(tzinfo=UTC) if at is not None else None
    found = open_project(project).members(name, moment)
    if as_json:
        tell("members", found, as_json)
        return
    typer.echo(f"{name}: {found.num_rows:,} {'then' if at else 'now'}")
    counts = Counter(found["arm"].to_pylist())
    tell("arms", [{"arm": arm, "people": count} for arm, count in sorted(counts.items())], as_json)
    tell("the first of them", found.slice(0, 20).select(["person_id", "arm", "entered_at"]), as_json)


@audience_app.command("held-back")
def held_back(
    name: Audience,
    destination: Annotated[str, typer.Argument(help="The destination's name in catchment.yml.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many members a destination may not be sent, by the rule that says so."""
    reasons = open_project(project).held_back(name, destination)
    if as_json:
        tell("held back", reasons, as_json)
        return
    rules = Counter(reasons.values())
    tell("held back", [{"rule": rule, "people": count} for rule, count in sorted(rules.items())], as_json)


@audience_app.command()
def sql(
    name: Audience,
    dialect: Annotated[str, typer.Option(help="duckdb, spark, databricks or snowflake.")] = "duckdb",
    project: ProjectOption = None,
) -> None:
    """Print the query that finds the members."""
    typer.echo(open_project(project).audience_sql(name, dialect), nl=False)


@audience_app.command()
def schema() -> None:
    """Print the JSON Schema of an audience file, for editors."""
    from catchment.audience.definition import json_schema

    typer.echo(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())
