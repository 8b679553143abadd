"""The pipeline as it stands: one stage after the other, with counts that metadata alone can give."""

from typing import Any

from catchment.project import Project
from catchment.serve.answers import Fact, Flow, Stage, State


def read_flow(project: Project) -> Flow:
    """Give every stage with its counts and how its verb last ended; cheap enough to be asked each second."""
    last = _last_runs(project)
    members = project.lake.read("audience_members", ["left_at"])
    sent = project.lake.read("sync_runs", ["sent", "rejected"]).to_pylist()
    waiting = project.waiting()
    taken = sum(project.lake.read("batches", ["payloads"])["payloads"].to_pylist())
    tables = project.lake.tables()
    stages = [
        _stage("collect", "Collect", {"payloads accepted": taken + waiting, "waiting": waiting}, []),
        _stage("enrich", "Enrich", {"events": project.count("events"), "failed": project.count("failed_events")},
               last.get("enrich", [])),
        _stage("lake", "Lake", {"Delta tables": len(tables)}, last.get("ingest", [])),
        _stage("model", "Model", {"sessions": project.count("sessions"), "people": project.count("people")},
               last.get("build", [])),
        _stage("predict", "Predict", {"people scored": project.count("propensity_scores")},
               [*last.get("train", []), *last.get("score", [])]),
        _stage("audience", "Audiences",
               {"audiences": len(project.audiences()), "members": members["left_at"].null_count},
               last.get("refresh", [])),
        _stage("activate", "Activate",
               {"rows sent": sum(row["sent"] for row in sent), "rejected": sum(row["rejected"] for row in sent)},
               last.get("sync", [])),
        _stage("measure", "Measure", {"campaigns": project.count("campaign_performance")}, last.get("measure", [])),
    ]  # fmt: skip
    return Flow(project=project.settings.name, stages=stages)


def _stage(name: str, title: str, facts: dict[str, float], runs: list[dict[str, Any]]) -> Stage:
    failed = next((run for run in runs if run["status"] == "failed"), None)
    state: State = "ok"
    if failed is not None:
        state = "failed"
    elif facts.get("failed") or facts.get("rejected"):
        state = "warning"
    elif not runs and not any(facts.values()):
        state = "empty"
    return Stage(
        name=name,
        title=title,
        state=state,
        facts=[Fact(label=label, value=value) for label, value in facts.items()],
        last_run_at=max((run["finished_at"] for run in runs), default=None),
        problem=failed["error"] if failed is not None else "",
    )


def _last_runs(project: Project) -> dict[str, list[dict[str, Any]]]:
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for row in project.lake.read("runs").sort_by("started_at").to_pylist():
        last[row["verb"], row["name"]] = row
    by_verb: dict[str, list[dict[str, Any]]] = {}
    for (verb, _), row in last.items():
        by_verb.setdefault(verb, []).append(row)
    return by_verb
