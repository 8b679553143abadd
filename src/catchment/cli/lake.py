"""Look after the lake, and ask it about one event or person."""

from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, tell
from catchment.errors import LakeError
from catchment.project import Project

UserIdOption = Annotated[str | None, typer.Option("--user-id", help="The id that the site logs the person in by.")]
EmailOption = Annotated[str | None, typer.Option("--email", help="An address that events or people tell.")]
CookieOption = Annotated[str | None, typer.Option("--domain-userid", help="The id in the tracker's cookie.")]
PersonOption = Annotated[str | None, typer.Option("--person", help="A person_id of the models.")]

lake = typer.Typer(no_args_is_help=True, help="Look after the lake: upkeep, check, forget.")
app.add_typer(lake, name="lake")


@lake.command()
def upkeep(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Join small files, write checkpoints, remove replaced files; safe while events come in.

    Example: `catchment lake upkeep --json`.
    """
    tell("upkeep", Project.open(project).upkeep(), as_json)


@lake.command()
def check(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Prove that everything the log gave stands in the lake, to the id; ends with 1 where it does not.

    Example: `catchment lake check`.
    """
    balances = Project.open(project).check_lake()
    tell("check", balances, as_json)
    if not all(balance.ok for balance in balances):
        raise LakeError(
            "The lake does not hold what the log gave.",
            hint="The notes above name what to look at; `delta.restore` brings back an earlier version of a table.",
        )


@app.command()
def forget(
    user_id: UserIdOption = None,
    email: EmailOption = None,
    domain_userid: CookieOption = None,
    person: PersonOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person at destinations, in lake, log and files, with all she is known as; `erasures` is the certificate.

    Example: `catchment forget --email jane@acme.example`.
    """
    opened = Project.open(project)
    with opened.sandbox():
        report = opened.forget(user_id=user_id, email=email, domain_userid=domain_userid, person=person)
    tell("forget", report, as_json)


@lake.command("forget")
def forget_here(
    user_id: UserIdOption = None,
    email: EmailOption = None,
    domain_userid: CookieOption = None,
    person: PersonOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person in lake, log and files only, and name the syncs whose destinations still hold her.

    Example: `catchment lake forget --email jane@acme.example`.
    """
    seeds = {"user_id": user_id, "email": email, "domain_userid": domain_userid, "person": person}
    tell("forget", Project.open(project).forget(is_here_only=True, **seeds), as_json)


@app.command()
def trace(
    event_id: Annotated[str | None, typer.Argument(help="The id of an event.")] = None,
    payload: Annotated[str | None, typer.Option(help="The id of a payload instead.")] = None,
    person: Annotated[str | None, typer.Option(help="A person_id instead.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what became of an event in every stage, and where it was looked for.

    Example: `catchment trace 4f5a8d53-32d3-44d4-b8ad-1b2ee18a2700`.
    """
    tell("trace", Project.open(project).trace(event_id, payload=payload, person=person), as_json)
