from datetime import UTC, datetime

import pyarrow as pa
import pytest

from catchment.errors import DefinitionError
from catchment.project import Project
from catchment.tables import AUDIENCE_MEMBERS, SYNC_ROWS
from tests.project.conftest import Make, page_view, payload, self_describing, send

GOOD, BAD, WAITING = (f"4f5a8d53-32d3-44d4-b8ad-1b2ee18a270{n}" for n in range(3))
SESSION = "8d2ad1b2-9a4b-4f0c-9e0b-0d7a6a1f5c11"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def project(make_project: Make) -> Project:
    project = make_project()
    unknown = self_describing("iglu:com.acme/unknown/jsonschema/1-0-0", {}, eid=BAD)
    send(project, payload(page_view(eid=GOOD, duid="cookie-1", sid=SESSION), unknown, payload_id="payload-1"))
    project.enrich()
    project.lake.overwrite("user_mapping", pa.table({"domain_userid": ["cookie-1"], "person_id": ["person-1"]}))
    project.lake.overwrite("people", pa.table({"person_id": ["person-1"], "sessions": [1], "last_seen_tstamp": [NOW]}))
    project.lake.overwrite("sessions", pa.table({"domain_sessionid": [SESSION], "page_views": [1]}))
    member = {"audience": "buyers", "person_id": "person-1", "entered_at": NOW, "arm": "treatment"}
    project.lake.append("audience_members", pa.Table.from_pylist([member], AUDIENCE_MEMBERS.schema))
    receipt = {"run_id": "r", "sync": "to_braze", "row_key": "person-1", "operation": "upsert", "status": "rejected",
               "code": "400", "reason": "no e-mail", "sent_at": NOW}  # fmt: skip
    project.lake.append("sync_rows", pa.Table.from_pylist([receipt], SYNC_ROWS.schema))
    return project


def told(project: Project, *args: str, **named: str) -> dict[str, str]:
    return {f"{step.stage}: {step.state}": f"{step.where} {step.detail}" for step in project.trace(*args, **named)}


def test_an_event_is_followed_from_its_commit_to_what_a_vendor_answered(project: Project) -> None:
    steps = told(project, GOOD)
    version = project.lake.version("events")
    assert "offsets 1-1" in steps[f"lake: committed in version {version}"]
    (file,) = project.lake.delta("events").file_uris()
    assert file.rsplit("/", 1)[1] in steps[f"lake: committed in version {version}"]
    assert SESSION in steps["model: in a session"]
    assert "person-1" in steps["model: is a person"]
    assert steps["audience: member"] == "buyers treatment"
    assert steps["activate: upsert rejected"] == "to_braze 400 no e-mail"


def test_an_event_that_failed_says_why(project: Project) -> None:
    steps = told(project, BAD)
    assert "schema_violations/unknown_schema" in steps["enrich: failed"]
    assert "lake: not there" in steps


def test_a_payload_names_what_of_it_failed(project: Project) -> None:
    assert "unknown_schema" in told(project, payload="payload-1")["enrich: failed"]


def test_what_still_waits_is_found_in_the_log(project: Project) -> None:
    send(project, payload(page_view(eid=WAITING), payload_id="payload-2"))
    steps = told(project, WAITING)
    assert "payload payload-2" in steps["collect: received, waiting"]
    assert "payload payload-2" in told(project, payload="payload-2")["collect: received, waiting"]


def test_a_person_is_followed_without_an_event(project: Project) -> None:
    assert set(told(project, person="person-1")) == {
        "model: is a person",
        "audience: member",
        "activate: upsert rejected",
    }


def test_an_id_nobody_knows_says_where_it_was_looked_for(project: Project) -> None:
    assert set(told(project, "unknown")) == {"collect: nothing waits", "enrich: did not fail", "lake: not there"}


def test_an_empty_project_says_so_too(make_project: Make) -> None:
    assert "lake: not there" in told(make_project(), "unknown")


def test_two_things_at_once_are_refused(project: Project) -> None:
    with pytest.raises(DefinitionError, match="Name one"):
        project.trace(GOOD, person="person-1")
