"""What people get wrong, typed as they would type it: the place and the mend are named, and nothing is a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from catchment.project import Project
from tests.ports import free_port

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CATCHMENT_")}


def type_in(folder: Path, *words: str, user: int | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from catchment.cli import main; main()", *words],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False, user=user,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "acme")


def change(project: Project, **blocks: object) -> None:
    path = project.folder / "catchment.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | blocks))


def test_no_project_file(tmp_path: Path) -> None:
    code, said = type_in(tmp_path, "run")
    assert code == 1
    assert "There is no catchment.yml" in said
    assert "catchment init" in said


def test_a_misspelt_setting(project: Project) -> None:
    change(project, collect={"prot": 8080})
    code, said = type_in(project.folder, "status")
    assert code == 1
    assert "catchment.yml" in said
    assert "collect.prot" in said
    assert "Did you mean 'port'?" in said


def test_a_misspelt_setting_of_a_block_that_is_optional_or_one_of_a_list(project: Project) -> None:
    change(project, model={"identity": {"burst": {"links": 5, "dayz": 1}}})
    assert "Did you mean 'days'?" in type_in(project.folder, "status")[1]
    change(project, model={"conversions": [{"name": "won", "condition": "true", "valeu": "1"}]})
    assert "Did you mean 'value'?" in type_in(project.folder, "status")[1]


def test_a_port_in_use(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        change(project, collect={"port": port})
        code, said = type_in(project.folder, "collect")
    assert code == 1
    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert "collect.port" in said


def test_a_lake_folder_that_cannot_be_written(project: Project) -> None:
    (project.folder / "a_file").write_text("")
    change(project, lake={"uri": "a_file/lake"})
    code, said = type_in(project.folder, "status")
    assert code == 1
    assert f"{project.folder / 'a_file/lake'} cannot be written" in said
    assert "lake.uri" in said


def test_a_schema_that_is_none(project: Project) -> None:
    path = project.folder / "schemas/com.acme/basket/jsonschema/1-0-0"
    path.parent.mkdir(parents=True)
    path.write_text('{"type": "objekt"}')
    change(project, sandbox={"enabled": False}, activate={})
    code, said = type_in(project.folder, "check")
    assert code == 1
    assert "iglu:com.acme/basket/jsonschema/1-0-0 is no JSON Schema" in said
    assert str(path) in said


def test_an_audience_that_names_a_missing_column(project: Project) -> None:
    people = pa.table(
        {"person_id": ["a"], "sessions": pa.array([1], pa.int32()), "mkt_medium": pa.array([None], pa.string())}
    )
    project.lake.overwrite("people", people)
    path = project.folder / "audiences/typo.yml"
    path.write_text("name: typo\nwhere:\n  all:\n    - {column: sesions, is: 1}\n")
    code, said = type_in(project.folder, "refresh", "typo")
    assert code == 1
    assert "typo.yml" in said
    assert "sesions" in said
    assert "sessions" in said.replace("sesions", "")


def test_a_destination_with_a_wrong_key(project: Project) -> None:
    content = yaml.safe_load((project.folder / "catchment.yml").read_text())
    port = free_port()
    braze = content["activate"]["destinations"]["braze"] | {"api_key": "wrong", "url": f"http://127.0.0.1:{port}/braze"}
    change(project, activate={"destinations": {"braze": braze}}, sandbox={"enabled": True, "port": port})
    code, said = type_in(project.folder, "check")
    assert code == 1
    assert "braze" in said.lower()
    assert "api_key" in said
    assert "wrong" not in said.replace("was wrong", "")
