"""One table per stage for people; the facts are the verbs' own reports."""

from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()

HEADINGS = {
    "simulate": "Visitors",
    "enrich": "Enrich: payloads to events",
    "schema lint": "Schemas: faults",
    "schema check": "Schemas: what each version breaks",
    "compare": "Compare: their events and ours",
    "import": "Import: files to events",
    "replay": "Replay: failed events once more",
    "replay --dry-run": "Replay: what would be sent again",
    "build": "Model: events to people",
    "identity": "Identity: who it is, and why",
    "resolve": "Identity: who is who, rows",
    "match": "Identity: records that are alike",
    "train": "Predict: who will convert",
    "score": "Scores",
    "refresh": "Audiences",
    "sync": "Activate: members to destinations",
    "ingest": "Ingest: rows new or changed",
    "measure": "Measure: what campaigns cost and brought",
    "status": "Status",
    "upkeep": "Lake: files joined and removed",
    "check": "Lake: what must add up",
    "conservation": "Conservation: what came in is what came out",
}

EMPTY = {"schema lint": "none", "schema check": "nothing"}
"""What is said where a report has no rows, other than that there was nothing to do."""

COLUMNS = {
    name: tuple(columns.split())
    for name, columns in {
        "train": "prediction rows positives holdout_rows roc_auc average_precision gini mae baseline promoted",
        "sync": "sync added changed removed unchanged skipped sent rejected",
        "measure": "campaign spend visitors conversions qualified_leads cost_per_qualified_lead",
        "score": "prediction scored labels",
        "build": "name rows seconds",
        "identity": "fact what since until detail",
    }.items()
}
"""What of a report stands in the table where not all of it fits; `--json` has everything."""


def show(verb: str, report: Any) -> None:
    """Print what one verb came to."""
    rows = [_judged(row) if verb == "train" else row for row in to_rows(report)]
    heading = HEADINGS.get(verb, verb)
    if not rows:
        console.print(f"[bold]{heading}[/]: {EMPTY.get(verb, 'nothing to do')}")
        return
    told = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in COLUMNS.get(verb, told) if name in told]
    console.print(f"[bold]{heading}[/]")
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for name in names:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_format(row.get(name)) for name in names))
    console.print(table)
    for row in rows if verb == "train" else ():
        console.print(escape(f"{row['prediction']}: {row['why']}"), soft_wrap=True)


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """Put the measures of a training beside those of its baseline, in the order of the columns."""
    names = ("roc_auc", "average_precision") if "roc_auc" in row["metrics"] else ("gini", "mae")
    beside = ", ".join(_format(row["baseline"].get(name)) for name in names)
    return row | {name: row["metrics"][name] for name in names} | {"baseline": beside}


def to_rows(report: Any) -> list[dict[str, Any]]:
    """Flatten a report to rows of plain values: a list, a table, a mapping, or one dataclass."""
    if isinstance(report, pa.Table):
        rows: list[dict[str, Any]] = report.to_pylist()
        return [{name: value for name, value in row.items() if name != "measured_at"} for row in rows]
    if isinstance(report, list) and all(isinstance(item, dict) for item in report):
        return report
    if isinstance(report, dict):
        return [{"what": name, "value": value} for name, value in report.items()]
    if isinstance(report, list | tuple) and not hasattr(report, "_asdict"):
        return [row for item in report for row in to_rows(item)]
    if hasattr(report, "models"):
        return to_rows(report.models)
    fields = asdict(report) if is_dataclass(report) and not isinstance(report, type) else dict(report._asdict())
    return [{name: value for name, value in fields.items() if value not in (None, "")}]


def show_plan(plan: Any) -> None:
    """Print what a sync would do: counts, fields, and examples of each kind."""
    counts = ("added", "changed", "removed", "unchanged", "skipped", "held", "waiting", "doubtful")
    show(f"Plan of {plan.sync} to {plan.destination}", {name: getattr(plan, name) for name in counts})
    for heading, counted in (("Fields that change", plan.changed_fields), ("Left out, because", plan.left_out)):
        if counted:
            show(heading, counted)
    for kind in ("added", "changed", "removed", "left_out"):
        examples = getattr(plan, f"examples_{kind}")
        if examples:
            show(f"{kind.replace('_', ' ').capitalize()}, for example", [_flat(one) for one in examples])
    if plan.needs_confirmation:
        console.print(f"[yellow bold]needs --confirm[/] {escape(plan.needs_confirmation)}", soft_wrap=True)
    console.print(f"`catchment sync apply {plan.sync}` does exactly this (plan {plan.plan_id}).", soft_wrap=True)


def _flat(example: dict[str, Any]) -> dict[str, Any]:
    fields = example.get("fields", {})
    told = {name: f"{change['old']} -> {change['new']}" for name, change in fields.items()}
    return {**{name: value for name, value in example.items() if name not in ("fields", "sent")}, **told,
            **example.get("sent", {})}  # fmt: skip


def _format(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.2f}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case dict():
            return ", ".join(f"{name} {_format(item)}" for name, item in value.items())
        case _:
            return escape(str(value))
