"""`catchment schema check` holds new versions against the ones before and against the lake."""

import json
import subprocess
import sys
from typing import Any

import pytest

from catchment.errors import DefinitionError
from catchment.project import Project
from tests.project.conftest import Make, payload, self_describing, send, write_schema

PLACE = "com.acme/signup/jsonschema/"
SIGNUP = "iglu:com.acme/signup/jsonschema/1-0-0"


def version(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def run(project: Project, *command: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from catchment.cli import main; main()", "schema", *command, "--json"]
    return subprocess.run([*program, "--project", str(project.folder)], capture_output=True, text=True, check=False)


def test_a_step_that_says_less_than_it_breaks_is_an_error_that_names_the_right_one(make_project: Make) -> None:
    project = make_project()
    write_schema(project, f"{PLACE}1-0-0", version(plan={"type": "string"}))
    write_schema(project, f"{PLACE}1-0-1", version(plan={"type": "string"}, seats={"type": "integer"}))
    write_schema(project, f"{PLACE}1-0-2", {**version(plan={"type": "integer"}), "required": ["plan"]})
    found = project.check_schemas()
    levels = {(finding.schema.split("/")[-1], finding.level) for finding in found}
    assert levels == {("1-0-1", "note"), ("1-0-2", "error")}
    assert "publish it as 2-0-0" in found[1].message
    ended = run(project, "check")
    assert ended.returncode == 1
    places = [row["place"] for row in json.loads(ended.stdout)["schema check"] if row["level"] == "error"]
    assert set(places) == {"$.plan", "$.seats"}


def test_what_the_lake_holds_is_history_even_where_the_folder_forgot_it(make_project: Make) -> None:
    project = make_project()
    write_schema(project, f"{PLACE}1-0-0", version(plan={"type": "string"}))
    send(project, payload(self_describing(SIGNUP, {"plan": "free"})))
    project.enrich()
    write_schema(project, f"{PLACE}1-0-0", version(plan={"type": "integer"}))
    (finding,) = Project.open(project.folder).check_schemas()
    assert (finding.level, finding.place) == ("error", "$.plan")
    assert "unstruct_event_com_acme_signup_1" in finding.message


def test_stored_values_that_a_new_version_refuses_are_counted(make_project: Make) -> None:
    project = make_project()
    write_schema(project, f"{PLACE}1-0-0", version(plan={"type": "string"}))
    send(project, payload(*(self_describing(SIGNUP, {"plan": plan}) for plan in ("free", "paid", "gratis"))))
    project.enrich()
    write_schema(project, f"{PLACE}1-1-0", version(plan={"type": "string", "maxLength": 4}))
    found = {finding.level: finding for finding in Project.open(project.folder).check_schemas()}
    assert set(found) == {"note", "warning"}
    assert "1 of 3 values" in found["warning"].message


def test_lint_ends_with_1_for_an_error_and_names_every_file(make_project: Make) -> None:
    project = make_project()
    first = write_schema(project, f"{PLACE}1-0-0", {"type": "strin"})
    second = write_schema(project, f"{PLACE}1-0-1", {"type": "object", "$ref": "http://127.0.0.1/x"})
    ended = run(project, "lint")
    assert ended.returncode == 1
    errors = {row["schema"] for row in json.loads(ended.stdout)["schema lint"] if row["level"] == "error"}
    assert errors == {str(first), str(second)}


def test_a_project_without_schemas_is_told_where_they_go(make_project: Make) -> None:
    with pytest.raises(DefinitionError) as caught:
        make_project().check_schemas()
    assert "1-0-0" in caught.value.hint
