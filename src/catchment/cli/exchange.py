"""Events of other pipelines come in, ours go out."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell
from catchment.errors import SettingsError

ENRICHED, FAILED = "enriched", "failed"

Since = Annotated[str | None, typer.Option(help="Received at or after this moment: 2026-11-01 or 2026-11-01T09:30Z.")]
Until = Annotated[str | None, typer.Option(help="Received before this moment.")]
Schemas = Annotated[list[str] | None, typer.Option("--schema", help="The Iglu URI of a column no registry names.")]


@app.command("import")
def import_(
    kind: Annotated[
        str, typer.Argument(help="enriched: Snowplow's enriched TSV. raw: CollectorPayloads or JSON lines.")
    ],
    places: Annotated[list[str], typer.Argument(help="Files, folders or URLs; gzip or plain.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring files of an existing Snowplow pipeline into the lake; the same content comes in once.

    Example: catchment import enriched s3://acme-archive/enriched/2026/11/
    """
    tell("import", open_project(project).import_files(kind, places), as_json)


@app.command()
def compare(
    places: Annotated[list[str], typer.Argument(help="Files, folders or URLs of Snowplow's enriched TSV.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what another pipeline has and the lake has not, and in which columns both tell an event differently.

    Example: catchment compare s3://acme-archive/enriched/2026/11/01/
    """
    tell("compare", open_project(project).compare(places), as_json)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help="enriched: events as Snowplow's TSV. failed: failed events as bad rows.")],
    place: Annotated[str, typer.Argument(help="A file or URL; packed where it ends in .gz.")],
    since: Since = None,
    until: Until = None,
    schemas: Schemas = None,
    project: ProjectOption = None,
) -> None:
    """Write events, or failed events, as Snowplow writes them.

    Example: catchment export enriched events.tsv.gz --since 2026-11-01
    """
    opened, start, end = open_project(project), _moment(since), _moment(until)
    if kind == ENRICHED:
        count = opened.export_enriched(place, since=start, until=end, schemas=tuple(schemas or ()))
    elif kind == FAILED:
        count = opened.export_failed(place, since=start, until=end)
    else:
        raise SettingsError(f"There is no '{kind}' to export.", hint=f"Say {ENRICHED} or {FAILED}.")
    typer.echo(f"{count:,} lines stand in {place}.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text} is no moment.", hint="Write 2026-11-01 or 2026-11-01T09:30Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
