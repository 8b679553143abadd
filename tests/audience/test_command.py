"""The commands that ask about an audience, as a person types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from catchment.cli.app import app
from catchment.project import Project

from .acme import fill

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = Project.init(tmp_path / "acme")
    fill(project.lake)
    (project.folder / "audiences/first.yml").write_text(
        "name: first\nwhere:\n  all:\n    - {column: sessions, is: 1}\n    - {column: country, not_null: true}\n"
    )
    project.refresh("first")
    return project.folder


def said(folder: Path, *words: str) -> str:
    answer = RUNNER.invoke(app, ["audience", *words, "--project", str(folder)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_a_preview_tells_the_whole_and_its_blocks(folder: Path) -> None:
    import catchment.cli  # noqa: F401  # registers the commands

    text = said(folder, "preview", "first", "--json")
    assert '"size":3' in text
    assert '"place":"where.all[1]"' in text


def test_why_names_the_condition_that_keeps_somebody_out(folder: Path) -> None:
    assert '"place":"where.all[0]","condition":"column: sessions, is: 1","holds":false' in said(
        folder, "why", "first", "bob", "--json"
    )


def test_members_of_another_day_are_told(folder: Path) -> None:
    assert "first: 3 now" in said(folder, "members", "first")
    assert "first: 0 then" in said(folder, "members", "first", "--at", "2026-01-01")


def test_the_query_can_be_read_in_another_dialect(folder: Path) -> None:
    assert "`people`" in said(folder, "sql", "first", "--dialect", "spark")


def test_who_is_held_back_is_counted_by_rule(folder: Path) -> None:
    settings = folder / "catchment.yml"
    settings.write_text(settings.read_text() + "\naudience:\n  suppression: {everywhere: [first]}\n")
    assert "audience.suppression.everywhere: in first" in said(folder, "held-back", "first", "braze", "--json")
