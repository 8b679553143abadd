"""Docs that are generated are current, and every page that is pointed at exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_house import SERVICES, STAGES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("stage", STAGES + SERVICES)
def test_every_stage_has_a_page(stage: str) -> None:
    assert (ROOT / "docs" / f"{stage}.md").is_file()


def test_the_page_of_settings_is_current() -> None:
    told = subprocess.run(
        [sys.executable, ROOT / "bin/reference", "--print"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs/settings.md").read_text() == told.stdout, "bin/reference writes it anew"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
