"""A schema registry that is down stops the loop, not the events."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from catchment.cli import TRY_AGAIN
from catchment.demo import LONGEST_PAUSE_S, keep_current
from catchment.errors import DefinitionError, RegistryUnavailable
from tests.project.conftest import Make, assert_conserved, payload, rows, self_describing, send, write_schema
from tests.schema.registry_server import RegistryServer, serving_registry

SIGNUP = "iglu:com.acme/signup/jsonschema/1-0-0"
SIGNUP_SCHEMA = {"type": "object", "properties": {"plan": {"type": "string"}}}


class Stopped(Exception):
    """The test has seen enough."""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving_registry() as server:
        server.keep("com.acme/signup/jsonschema/1-0-0", SIGNUP_SCHEMA)
        yield server


def registries(server: RegistryServer) -> dict[str, object]:
    remote = {"type": "iglu", "url": server.url, "attempts": 1, "timeout_s": 0.5}
    return {"registries": [{"type": "folder"}, {"type": "embedded"}, remote]}


@pytest.mark.parametrize("fault", ["status", "delay", "garbage"])
def test_the_loop_waits_for_a_registry_and_goes_on_with_every_event(
    make_project: Make, server: RegistryServer, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(schemas=registries(server))
    send(project, payload(self_describing(SIGNUP, {"plan": "free"}), self_describing(SIGNUP, {"plan": 1})))
    server.status, server.delay_s, server.garbage = (
        503 if fault == "status" else None, 5 if fault == "delay" else 0, fault == "garbage",
    )  # fmt: skip
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            assert (project.waiting(), project.count("events"), project.count("failed_events")) == (1, 0, 0)
            server.status, server.delay_s, server.garbage = None, 0, False
        if project.waiting() == 0:
            raise Stopped

    with pytest.raises(Stopped):
        keep_current(project, sleep=sleep)
    assert [row["unstruct_event_com_acme_signup_1"] for row in rows(project, "events")] == [{"plan": "free"}]
    assert [row["code"] for row in rows(project, "failed_events")] == ["invalid"]
    assert_conserved(project)
    told = capsys.readouterr().out
    assert told.count("enrich waits") == 1
    assert server.url in told
    assert "enrich goes on" in told
    assert pauses[0] < pauses[1] < pauses[2] <= LONGEST_PAUSE_S


def test_the_loop_survives_a_schema_file_that_is_broken_and_mended(
    make_project: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project()
    path = write_schema(project, "com.acme/signup/jsonschema/1-0-0", SIGNUP_SCHEMA)
    path.write_text("{")
    send(project, payload(self_describing(SIGNUP, {"plan": "free"})))

    def sleep(_: float) -> None:
        if project.waiting() == 0:
            raise Stopped
        write_schema(project, "com.acme/signup/jsonschema/1-0-0", SIGNUP_SCHEMA)

    with pytest.raises(Stopped):
        keep_current(project, sleep=sleep)
    assert project.count("events") == 1
    assert str(path) in capsys.readouterr().out.replace("\n", "")


def test_what_was_committed_before_the_registry_went_down_stays(make_project: Make, server: RegistryServer) -> None:
    project = make_project(schemas=registries(server), enrich={"batch_payloads": 1})
    other = "iglu:com.acme/other/jsonschema/1-0-0"
    send(project, payload(self_describing(SIGNUP, {"plan": "free"})))
    project.enrich()
    server.stop()
    send(project, payload(self_describing(SIGNUP, {"plan": "paid"})), payload(self_describing(other, {})))
    with pytest.raises(RegistryUnavailable):
        project.enrich()
    assert (project.count("events"), project.waiting()) == (2, 1)
    assert_conserved(project)


def test_the_command_ends_so_that_a_scheduler_tries_again(make_project: Make, server: RegistryServer) -> None:
    project = make_project(schemas=registries(server))
    send(project, payload(self_describing(SIGNUP, {})))
    server.status = 500
    command = [sys.executable, "-c", "from catchment.cli import main; main()", "enrich", "--project", project.folder]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == TRY_AGAIN
    assert server.url in ended.stderr
    assert "Nothing is lost" in ended.stderr


def test_a_superseded_schema_marks_the_event_and_renames_it(make_project: Make) -> None:
    project = make_project()
    write_schema(project, "com.acme/signup/jsonschema/1-0-0", {**SIGNUP_SCHEMA, "required": ["plan"]})
    write_schema(project, "com.acme/signup/jsonschema/1-0-1", {**SIGNUP_SCHEMA, "$supersedes": ["1-0-0"]})
    send(project, payload(self_describing(SIGNUP, {})))
    project.enrich()
    (row,) = rows(project, "events")
    assert row["event_version"] == "1-0-1"
    assert row["contexts_com_snowplowanalytics_iglu_validation_info_1"] == [
        {"original_schema": SIGNUP, "validated_with": "1-0-1"}
    ]


def test_check_names_a_registry_that_does_not_answer(make_project: Make, server: RegistryServer) -> None:
    project = make_project(schemas=registries(server))
    project.check()
    server.status = 500
    with pytest.raises(RegistryUnavailable, match=server.url):
        project.check()


def test_opening_a_project_with_a_broken_schema_names_the_file(make_project: Make) -> None:
    project = make_project()
    path = write_schema(project, "com.acme/signup/jsonschema/1-0-0", {"type": "strin"})
    with pytest.raises(DefinitionError) as caught:
        project.check()
    assert str(path) in caught.value.hint
