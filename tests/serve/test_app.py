"""The console's API: signed in by a link that works once, and honest about what is not there yet."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from catchment.project import Project
from catchment.serve.app import create_app
from catchment.serve.signin import COOKIE, one_time_link
from catchment.tables import AUDIENCE_RUNS, FAILED_EVENTS, RUNS
from tests.audience.acme import fill

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow and the test client's own libraries
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
ROUTES = ("flow", "events", "failed-events", "models", "audiences", "syncs", "syncs/braze_high_propensity/receipts")
CONTRACT = Path(__file__).parents[2] / "console/openapi.json"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def signed_in(project: Project) -> TestClient:
    client = TestClient(create_app(project), base_url="http://127.0.0.1:8090")
    link = one_time_link(project.settings.serve, project.folder)
    assert client.get(link, follow_redirects=False).status_code == 303
    return client


def test_a_link_signs_in_once(project: Project) -> None:
    client = TestClient(create_app(project), base_url="http://127.0.0.1:8090")
    link = one_time_link(project.settings.serve, project.folder)
    first = client.get(link, follow_redirects=False)
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=strict" in first.headers["set-cookie"]
    client.cookies.clear()
    again = client.get(link, follow_redirects=False)
    assert (again.status_code, COOKIE in again.cookies) == (403, False)
    assert "catchment sign-in" in again.text


def test_secrets_are_kept_as_hashes_only(project: Project) -> None:
    link = one_time_link(project.settings.serve, project.folder)
    assert link.rpartition("/")[2].encode() not in (project.folder / ".catchment/serve.db").read_bytes()


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_reads_without_a_session(project: Project, route: str) -> None:
    answer = TestClient(create_app(project)).get(f"/api/v1/{route}")
    assert answer.status_code == 401
    assert "catchment sign-in" in answer.json()["detail"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_for_an_empty_lake(project: Project, route: str) -> None:
    assert signed_in(project).get(f"/api/v1/{route}").status_code == 200


def test_a_session_ends(project: Project) -> None:
    brief = project.settings.model_copy(
        update={"serve": project.settings.serve.model_copy(update={"session_hours": 0})}
    )
    client = signed_in(Project(project.folder, brief))
    assert client.get("/api/v1/flow").status_code == 401


def test_failed_events_are_grouped_by_why(project: Project) -> None:
    row = {
        "type": "schema_violations", "code": "invalid", "message": "$.id: wrong", "schema": "iglu:a/b/jsonschema/1-0-0",
        "collector_tstamp": NOW, "errors": '[{"code": "invalid"}]', "original": '{"parameters": {"e": "pv"}}',
    }  # fmt: skip
    rows = [{**row, "failed_id": "1"}, {**row, "failed_id": "2"}, {**row, "failed_id": "3", "code": "not_json"}]
    project.lake.append("failed_events", pa.Table.from_pylist(rows, FAILED_EVENTS.schema))
    client = signed_in(project)
    told = client.get("/api/v1/failed-events").json()
    assert [(reason["code"], reason["events"]) for reason in told["reasons"]] == [("invalid", 2), ("not_json", 1)]
    one = client.get("/api/v1/failed-events", params={"code": "not_json"}).json()["events"]
    assert [event["original"] for event in one] == [{"parameters": {"e": "pv"}}]


def test_the_flow_shows_what_last_failed_and_why(project: Project) -> None:
    run = {"verb": "build", "name": "", "run_id": "1", "started_at": NOW, "finished_at": NOW, "counts": "{}"}
    rows = [{**run, "status": "failed", "error": "no such column"}]
    project.lake.append("runs", pa.Table.from_pylist(rows, RUNS.schema))
    stages = {stage["name"]: stage for stage in signed_in(project).get("/api/v1/flow").json()["stages"]}
    assert (stages["model"]["state"], stages["model"]["problem"]) == ("failed", "no such column")
    later = [{**run, "run_id": "2", "started_at": NOW + timedelta(hours=1), "status": "ok", "error": ""}]
    project.lake.append("runs", pa.Table.from_pylist(later, RUNS.schema))
    stages = {stage["name"]: stage for stage in signed_in(project).get("/api/v1/flow").json()["stages"]}
    assert stages["model"]["state"] == "ok"


def test_an_audience_tells_its_rule_and_its_history(project: Project) -> None:
    rows = [
        {"audience": "engaged_first_visit", "refreshed_at": NOW + timedelta(days=day), "definition": "{}", "size": size,
         "entered": size, "left": 0}
        for day, size in ((1, 7), (0, 5))
    ]  # fmt: skip
    project.lake.append("audience_runs", pa.Table.from_pylist(rows, AUDIENCE_RUNS.schema))
    told = {audience["name"]: audience for audience in signed_in(project).get("/api/v1/audiences").json()}
    audience = told["engaged_first_visit"]
    assert [point["size"] for point in audience["history"]] == [5, 7]
    assert audience["size"] == 7
    assert "where:" in audience["definition"]
    assert audience["syncs"] == ["salesforce_engaged"]


def test_a_path_outside_the_console_is_not_served(project: Project) -> None:
    answer = TestClient(create_app(project)).get("/..%2f..%2fapp.py")
    assert "create_app" not in answer.text


def test_the_consoles_contract_is_the_apis_own(project: Project) -> None:
    told = create_app(project).openapi()
    assert json.loads(CONTRACT.read_text()) == json.loads(json.dumps(told)), "make api writes it anew"


def test_a_definition_that_is_only_being_written_can_be_previewed(project: Project) -> None:
    fill(project.lake)
    question = {"definition": {"name": "draft", "where": {"column": "sessions", "is": 1}}, "by": ["country"]}
    answer = signed_in(project).post("/api/v1/audiences/preview", json=question).json()
    assert (answer["size"], answer["population"]) == (3, 5)
    assert answer["blocks"] == [{"place": "where", "condition": "column: sessions, is: 1", "people": 3}]
    assert {share["value"] for share in answer["breakdown"]["country"]} == {"DE", "FR", "US"}
    assert [row["person_id"] for row in answer["sample"]] == ["ann", "cem", "eve"]


def test_a_definition_that_does_not_fit_is_told_its_place_and_mend(project: Project) -> None:
    fill(project.lake)
    question = {"definition": {"name": "draft", "where": {"column": "sesions", "is": 1}}}
    answer = signed_in(project).post("/api/v1/audiences/preview", json=question)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "audience: where.column: the table 'people' has no column 'sesions'."
    assert "'sessions'" in answer.json()["hint"]


def test_members_their_reasons_and_the_query_can_be_asked_for(project: Project) -> None:
    fill(project.lake)
    (project.folder / "audiences/first.yml").write_text("name: first\nwhere: {column: sessions, is: 1}\n")
    project.refresh("first")
    client = signed_in(project)
    assert {row["person_id"] for row in client.get("/api/v1/audiences/first/members").json()} == {"ann", "cem", "eve"}
    assert client.get("/api/v1/audiences/first/members?at=2026-01-01T00:00:00Z").json() == []
    assert client.get("/api/v1/audiences/first/why/bob").json() == [
        {"place": "where", "condition": "column: sessions, is: 1", "holds": False}
    ]
    assert client.get("/api/v1/audiences/first/why/nobody").status_code == 404
    assert "SELECT" in client.get("/api/v1/audiences/first/sql?dialect=spark").json()["sql"]
    assert client.get("/api/v1/audiences/first/held-back/braze").json() == {}
    assert client.get("/api/v1/audiences/overlap?name=first").json() == []
    assert client.get("/api/v1/audiences/schema").json()["properties"]["where"]
