"""The console in Chromium, over the journey's project: each page tells what the lake holds."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from catchment.demo import serving_console
from catchment.project import Project
from catchment.serve.app import STATIC

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="the console is not built (make console)"),
]

expect.set_options(timeout=60_000)  # a guard against waiting for ever


@pytest.fixture(scope="module")
def console(project: Project, told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the console's address and a link that signs in once."""
    with serving_console(project) as link:
        place = project.settings.serve
        yield f"http://{place.host}:{place.port}", link


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page(browser: Any, console: tuple[str, str]) -> Iterator[Page]:
    """A page that is signed in, and where nothing may go wrong."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(console[1])
    yield page
    assert problems == []


def goto(page: Page, label: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=label, exact=True).click()
    expect(page.get_by_role("heading", level=2, name=label)).to_be_visible()


def shown(number: int) -> str:
    return f"{number:,}"


def test_who_is_not_signed_in_sees_how_to_and_nothing_else(browser: Any, console: tuple[str, str]) -> None:
    page = browser.new_page()
    page.goto(f"{console[0]}/events")
    expect(page.get_by_text("catchment sign-in")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)
    page.close()


def test_a_link_signs_in_only_once(browser: Any, console: tuple[str, str], page: Page) -> None:
    second = browser.new_page()
    second.goto(console[1])
    expect(second.get_by_text("This link no longer signs in")).to_be_visible()
    second.close()


def test_the_pipeline_counts_what_the_lake_holds(page: Page, project: Project) -> None:
    goto(page, "Pipeline")
    for table in ("events", "failed_events", "people"):
        expect(page.get_by_text(shown(project.count(table)), exact=False).first).to_be_visible()


def test_events_can_be_narrowed_to_one_kind(page: Page) -> None:
    goto(page, "Events")
    page.get_by_text("submit_form ·").click()
    expect(page.get_by_role("row", name="page_view")).to_have_count(0)
    expect(page.get_by_role("row", name="submit_form").first).to_be_visible()


def test_failed_events_say_why_and_show_the_original(page: Page, project: Project) -> None:
    goto(page, "Failed events")
    expect(page.get_by_text(f"{shown(project.count('failed_events'))} in all")).to_be_visible()
    expect(page.get_by_text("iglu:com.acme/experiment/jsonschema/1-0-0").first).to_be_visible()
    page.get_by_role("row").last.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Everything that is wrong")).to_be_visible()
    expect(dialog.get_by_text("acme-website").first).to_be_visible()
    page.keyboard.press("Escape")


def test_models_show_how_good_they_are(page: Page, told: dict[str, Any]) -> None:
    goto(page, "Models")
    report = told["train"][0]
    expect(page.get_by_text(f"{report.roc_auc:.3f}", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{report.average_precision:.3f}", exact=True)).to_be_visible()


def test_audiences_show_their_size(page: Page, project: Project) -> None:
    goto(page, "Audiences")
    for audience in project.audiences():
        size = project.members(audience.name).num_rows
        expect(page.get_by_role("heading", level=1, name=shown(size), exact=True).first).to_be_visible()


def test_syncs_show_a_receipt_for_every_row(page: Page, project: Project) -> None:
    goto(page, "Syncs")
    most = max(project.lake.read("sync_runs", ["sent"])["sent"].to_pylist())
    cell = page.get_by_role("cell", name=shown(most), exact=True)
    row = page.get_by_role("row").filter(has=cell).last  # in later runs the same number is unchanged
    row.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Receipts")).to_be_visible()
    expect(dialog.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("Escape")
