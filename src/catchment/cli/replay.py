"""Failed events, once more."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell
from catchment.errors import SettingsError
from catchment.lake.replays import Choice
from catchment.schema.key import Criterion

ALL = "all"
LISTS = {"type": "types", "schema": "schemas", "app_id": "app_ids", "event_id": "event_ids", "failed_id": "failed_ids"}
MOMENTS = ("since", "until")

Chosen = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=VALUE...",
        help=f"Which failed events: {', '.join((*LISTS, *MOMENTS))}; each fits by one of its values. Or: {ALL}.",
    ),
]
Repair = Annotated[str, typer.Option(help="A function of yours that mends one failed event: module:function.")]


@app.command()
def replay(
    chosen: Chosen,
    repair: Repair = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be sent.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send failed events through enrichment again, exactly once; a replay that was stopped goes on first.

    Example: catchment replay type=schema_violations 'schema=iglu:com.acme/*/jsonschema/1-*-*' since=2026-11-01
    """
    opened, choice = open_project(project), read_choice(chosen)
    if dry_run:
        tell("replay --dry-run", opened.preview_replay(choice, repair=repair), as_json)
    else:
        tell("replay", opened.replay(choice, repair=repair), as_json)


def read_choice(texts: list[str]) -> Choice:
    """Read NAME=VALUE as a choice of failed events; raises SettingsError saying which names and values there are."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if text == ALL:
            continue
        if sign and name in LISTS:
            fields.setdefault(LISTS[name], []).append(_criterion(value) if name == "schema" else value)
        elif sign and name in MOMENTS:
            fields[name] = _moment(name, value)
        else:
            raise SettingsError(
                f"'{text}' chooses nothing.",
                hint=f"Write {ALL}, or NAME=VALUE with a name of: {', '.join((*LISTS, *MOMENTS))}.",
            )
    return Choice(**fields)


def _criterion(text: str) -> Criterion:
    criterion = Criterion.parse(text)
    if criterion is None:
        raise SettingsError(
            f"schema={text} is no schema, nor a pattern of schemas.",
            hint="Write iglu:com.acme/signup/jsonschema/1-0-0, with * for any part.",
        )
    return criterion


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{name}={text} is no moment.", hint=f"Write {name}=2026-11-01 or {name}=2026-11-01T09:30:00Z."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
