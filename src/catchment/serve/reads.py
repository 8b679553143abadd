"""Questions that the console asks of the lake; each answers for an empty lake too."""

import json
from datetime import UTC, datetime
from typing import Any

from catchment.project import Project
from catchment.serve.answers import (
    Audience,
    Decile,
    Event,
    Events,
    Fact,
    FailedEvent,
    FailedEvents,
    FailureReason,
    Models,
    ModelTable,
    ModelVersion,
    Prediction,
    Receipt,
    Size,
    Sync,
    SyncRun,
)  # fmt: skip

MODEL_TABLES = (
    *("page_views", "sessions", "users", "user_mapping", "people", "conversions", "first_touch_features"),
    "campaign_performance",
)


def ask(project: Project, table: str, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run a query over `table` and others; no rows where `table` was never written."""
    if not project.lake.exists(table):
        return []
    with project.engine.attach(project.lake) as session:
        rows: list[dict[str, Any]] = session.query(sql, parameters).read_all().to_pylist()
    return rows


def read_events(project: Project, limit: int, event_name: str | None) -> Events:
    """Give the latest events, of one kind or of all."""
    kinds = ask(
        project, "events",
        "select coalesce(event_name, '?') as label, count(*) as value from events group by 1 order by 2 desc",
    )  # fmt: skip
    columns = ", ".join(name for name in Event.model_fields if name != "useragent_family")
    rows = ask(
        project, "events",
        f"select {columns}, br_family as useragent_family from events "
        "where $name is null or event_name = $name order by collector_tstamp desc, derived_tstamp desc limit $limit",
        {"name": event_name, "limit": limit},
    )  # fmt: skip
    return Events(total=sum(row["value"] for row in kinds), kinds=[Fact(**row) for row in kinds], events=[
        Event(**row) for row in rows
    ])  # fmt: skip


def read_failed_events(project: Project, limit: int, code: str | None) -> FailedEvents:
    """Give failed events by reason, and the latest of one reason or of all."""
    reasons = ask(
        project, "failed_events",
        "select type, code, schema as failed_schema, min(message) as example, count(*) as events, "
        "max(collector_tstamp) as last_seen from failed_events group by 1, 2, 3 order by events desc",
    )  # fmt: skip
    rows = ask(
        project, "failed_events",
        "select failed_id, collector_tstamp, type, code, message, app_id, errors, original from failed_events "
        "where $code is null or code = $code order by collector_tstamp desc limit $limit",
        {"code": code, "limit": limit},
    )  # fmt: skip
    events = [
        FailedEvent(**{**row, "errors": json.loads(row["errors"]), "original": json.loads(row["original"])})
        for row in rows
    ]
    total = sum(row["events"] for row in reasons)
    return FailedEvents(total=total, reasons=[FailureReason(**row) for row in reasons], events=events)


def read_models(project: Project) -> Models:
    """Give the derived tables, and each prediction with its registered versions and the spread of its scores."""
    from catchment.predict.tracking import open_tracking

    tables = []
    for name in MODEL_TABLES:
        if project.lake.exists(name):
            table = project.lake.delta(name)
            built = table.history(1)[0]["timestamp"]
            moment = datetime.fromtimestamp(built / 1000, UTC)
            tables.append(ModelTable(name=name, rows=table.count(), version=table.version(), built_at=moment))
    predictions = []
    with open_tracking(project.settings.predict, project.folder) as tracking:
        for prediction in project.predictions():
            versions = [
                ModelVersion(
                    version=made.version,
                    is_champion=made.champion,
                    trained_at=datetime.fromtimestamp(made.created_ms / 1000, UTC),
                    metrics=dict(made.metrics),
                )
                for made in tracking.versions(prediction.name)
            ]
            predictions.append(_prediction(project, prediction, versions))
    return Models(tables=tables, predictions=predictions)


def _prediction(project: Project, prediction: Any, versions: list[ModelVersion]) -> Prediction:
    deciles = ask(
        project, "propensity_scores",
        "select decile, count(*) as people, avg(score) as mean_score from propensity_scores "
        "where prediction = $name group by 1 order by 1 desc",
        {"name": prediction.name},
    )  # fmt: skip
    labels = ask(
        project, "propensity_scores",
        "select label, count(*) as value from propensity_scores where prediction = $name "
        "group by 1 order by min(score) desc",
        {"name": prediction.name},
    )  # fmt: skip
    return Prediction(
        name=prediction.name,
        description=prediction.description,
        versions=versions,
        deciles=[Decile(**row) for row in deciles],
        labels=[Fact(**row) for row in labels],
    )


def read_audiences(project: Project) -> list[Audience]:
    """Give each audience with its history, oldest first."""
    rows = project.lake.read("audience_runs").sort_by("refreshed_at").to_pylist()
    syncs = project.syncs()
    found = []
    for audience in project.audiences():
        history = [
            Size(**{name: row[name] for name in Size.model_fields}) for row in rows if row["audience"] == audience.name
        ]
        found.append(
            Audience(
                name=audience.name,
                description=audience.description,
                definition=(project.folder / audience.file).read_text(),
                size=history[-1].size if history else 0,
                history=history,
                syncs=[sync.name for sync in syncs if sync.audience == audience.name],
            )
        )
    return found


def read_syncs(project: Project, runs: int = 20) -> list[Sync]:
    """Give each sync with its latest runs."""
    rows = project.lake.read("sync_runs").sort_by([("started_at", "descending")]).to_pylist()
    return [
        Sync(
            name=sync.name,
            description=sync.description,
            audience=sync.audience,
            destination=sync.destination,
            fields={name: str(source) for name, source in sync.fields.items()},
            runs=[
                SyncRun(**{name: row[name] for name in SyncRun.model_fields})
                for row in rows
                if row["sync"] == sync.name
            ][:runs],
        )
        for sync in project.syncs()
    ]


def read_receipts(project: Project, sync: str, run_id: str | None, limit: int) -> list[Receipt]:
    """Give what became of the rows of one run, or of the latest rows of all; those not accepted come first."""
    rows = ask(
        project, "sync_rows",
        "select row_key, operation, status, code, reason, payload, sent_at from sync_rows "
        "where sync = $sync and ($run_id is null or run_id = $run_id) "
        "order by case when status in ('sent', 'ok') then 1 else 0 end, sent_at desc limit $limit",
        {"sync": sync, "run_id": run_id, "limit": limit},
    )  # fmt: skip
    return [Receipt(**row) for row in rows]
