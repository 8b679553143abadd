"""The product in one test: visitors arrive, a model learns, an audience forms, three destinations hold it."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from catchment.demo import serving_collector
from catchment.project import Project

VISITORS = 500
SYNCS = {"braze": "braze_high_propensity", "salesforce": "salesforce_engaged", "meta": "meta_campaign_prospects"}

pytestmark = [
    pytest.mark.journey,
    pytest.mark.filterwarnings("default"),  # MLflow, dbt and their libraries warn about each other
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("journey")
    Project.init(folder)
    path = folder / "catchment.yml"
    content = yaml.safe_load(path.read_text())
    sandbox_port = free_port()
    content["collect"] = {"port": free_port()}
    content["sandbox"] = {"enabled": True, "port": sandbox_port}
    text = yaml.safe_dump(content).replace(":8091/", f":{sandbox_port}/")
    path.write_text(text)
    project = Project.open(folder)
    with serving_collector(project), project.sandbox():
        yield project


@pytest.fixture(scope="module")
def told(project: Project) -> dict[str, Any]:
    from catchment.simulate.run import simulate

    told: dict[str, Any] = {
        "simulate": simulate(VISITORS, 7, project.collector_url, project.folder, now=project.clock())
    }
    project.run(lambda verb, report: told.update({verb: report}))
    return told


def members(project: Project, audience: str) -> set[str]:
    rows = project.lake.read("audience_members").to_pylist()
    return {row["person_id"] for row in rows if row["audience"] == audience and row["left_at"] is None}


def held(project: Project, sync: str) -> set[str]:
    rows = project.lake.read("sync_state").to_pylist()
    return {row["row_key"] for row in rows if row["sync"] == sync and row["fingerprint"]}


def test_every_payload_became_events_or_failed_events(project: Project, told: dict[str, Any]) -> None:
    enriched = told["enrich"]
    assert enriched.received == enriched.events + enriched.failed > 0
    assert enriched.received == told["simulate"].events
    assert enriched.failed == told["simulate"].broken > 0
    for stage in project.conservation():
        assert stage["received"] == stage["events"] + stage["failed"] + stage["duplicates"], stage


def test_a_model_learned_and_everybody_undecided_has_a_score(project: Project, told: dict[str, Any]) -> None:
    people = project.lake.read("first_touch_features", ["person_id", "converted_before"]).to_pylist()
    undecided = {row["person_id"] for row in people if not row["converted_before"]}
    scores = project.lake.read("propensity_scores").to_pylist()
    assert {row["person_id"] for row in scores} == undecided
    assert {row["label"] for row in scores} == {"Low", "Medium", "High"}
    assert 0.5 < told["train"][0].roc_auc <= 1


def test_audiences_formed(project: Project, told: dict[str, Any]) -> None:
    sizes = {report.audience: report.size for report in told["refresh"]}
    assert len(sizes) == 3
    assert all(size == len(members(project, name)) for name, size in sizes.items())
    assert sum(sizes.values()) > 0


def test_each_destination_holds_exactly_the_members_it_could_take(project: Project, told: dict[str, Any]) -> None:
    place = project.settings.sandbox
    for vendor, name in SYNCS.items():
        (sync,) = [each for each in project.syncs() if each.name == name]
        (report,) = [each for each in told["sync"] if each.sync == name]
        assert held(project, name) <= members(project, sync.audience)
        assert len(held(project, name)) + report.skipped == len(members(project, sync.audience)), name
        answer = httpx.get(f"http://{place.host}:{place.port}/sandbox/{vendor}")
        assert answer.status_code == 200


def test_a_second_run_without_new_events_sends_nothing(project: Project, told: dict[str, Any]) -> None:
    again: dict[str, Any] = {}
    project.run(lambda verb, report: again.update({verb: report}))
    assert again["enrich"].received == 0
    assert "build" not in again
    assert [report.sent for report in again["sync"]] == [0, 0, 0]


def test_one_changed_visitor_is_exactly_what_is_sent(project: Project, told: dict[str, Any]) -> None:
    from catchment.simulate.run import visit

    before = {name: held(project, name) for name in SYNCS.values()}
    (visitor, *_) = sorted(before[SYNCS["braze"]] or before[SYNCS["salesforce"]] or before[SYNCS["meta"]])
    visit(visitor, project.collector_url, now=project.clock(), seed=7)
    after: dict[str, Any] = {}
    project.run(lambda verb, report: after.update({verb: report}))
    touched = {
        row["row_key"]
        for row in project.lake.read("sync_rows").to_pylist()
        if row["run_id"] in {report.run_id for report in after["sync"]}
    }
    assert visitor in touched
    assert sum(report.sent for report in after["sync"]) >= 1
