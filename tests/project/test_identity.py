"""Who is who, on the command line."""

import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from catchment.cli import app
from catchment.errors import LakeError
from catchment.project import Project
from catchment.tables import (
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_LINKS,
    IDENTITY_MERGES,
    IDENTITY_NEWS,
)
from tests.project.conftest import Make, page_view, payload, rows, send

NOW = datetime(2026, 3, 2, tzinfo=UTC)
EDGE = {"kind_a": "user_id", "value_a": "ada", "kind_b": "domain_userid", "value_b": "c2"}
ROWS = {
    IDENTITY_IDENTIFIERS: [
        {"kind": "user_id", "value": "ada", "person_id": "c1", "first_seen_tstamp": NOW},
        {"kind": "domain_userid", "value": "c2", "person_id": "c1", "first_seen_tstamp": NOW},
        {"kind": "domain_userid", "value": "c9", "person_id": "c9", "first_seen_tstamp": NOW},
    ],
    IDENTITY_EDGES: [{**EDGE, "source": "events", "days": 3, "first_seen_tstamp": NOW, "last_seen_tstamp": NOW}],
    IDENTITY_HISTORY: [
        {
            "kind": "domain_userid",
            "value": "c2",
            "person_id": "c2",
            "valid_from": NOW,
            "valid_to": NOW,
            "is_current": False,
        }
    ],
    IDENTITY_MERGES: [
        {**EDGE, "person_id": "c2", "survivor_id": "c1", "current_id": "c1", "merged_tstamp": NOW},
    ],
    IDENTITY_CONFLICTS: [{**EDGE, "value_b": "c9", "reason": "limit", "kind": "user_id", "first_seen_tstamp": NOW}],
}


def fill(project: Project) -> None:
    for table, told in ROWS.items():
        project.lake.append(table.name, pa.Table.from_pylist(told, table.schema))


@pytest.mark.parametrize("identifier", ["user_id:ada", "c2", "c1"])
def test_a_person_is_shown_by_any_identifier_and_by_a_name_of_long_ago(make_project: Make, identifier: str) -> None:
    project = make_project()
    with pytest.raises(LakeError, match="Nobody is known yet"):
        project.identity(identifier)
    fill(project)
    command = ["identity", "show", identifier, "--project", str(project.folder), "--json"]
    lines = json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout)["identity"]
    assert [(line["fact"], line["what"], line["detail"]) for line in lines] == [
        ("person", "c1", ""),
        ("identifier", "domain_userid:c2", ""),
        ("identifier", "user_id:ada", ""),
        ("edge", "user_id:ada - domain_userid:c2", "days: 3, events"),
        ("history", "domain_userid:c2", "was c2"),
        ("merge", "c2", "into c1, by user_id:ada - domain_userid:c2"),
        ("conflict", "user_id:ada - domain_userid:c9", "limit of user_id"),
    ]


def test_what_is_only_probable_of_a_person_is_shown_with_its_reason(make_project: Make) -> None:
    project = make_project(model={"identity": {"links": "identity_links"}})
    fill(project)
    before = len(project.identity("c2"))
    link = {"kind_a": "domain_userid", "value_a": "c2", "kind_b": "domain_userid"}
    links = [{**link, "value_b": "c9", "score": 0.97, "because": "the name"}, {**link, "value_b": "c8", "score": 0.6}]
    project.lake.append("identity_links", pa.Table.from_pylist(links, IDENTITY_LINKS.schema))
    told = [(line.fact, line.what, line.detail) for line in project.identity("ada")][before:]
    assert told == [
        ("probable", "domain_userid:c2 - domain_userid:c9", "0.970; the name"),
        ("below 0.95", "domain_userid:c2 - domain_userid:c8", "0.600"),
    ]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # dbt leaves its log file open
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of dbt's own libraries
def test_records_are_matched_when_they_changed_and_people_are_built_anew_by_what_was_found(make_project: Make) -> None:
    matching = {
        "records": [{"table": "contacts", "identifier": "domain_userid", "column": "cookie"}],
        "compare": {"name": "name", "city": "exact"},
        "candidates": [["city"], ["name"]],
        "sure": [["name", "city"]],
    }
    identity = {"links": "identity_links", "matching": matching, "min_score": 0.5}
    project = make_project(model={"identity": identity})
    assert not project.is_match_due()  # no contacts yet
    names = ["Ada Lovelace", "Bob Hopper", "Carla Curie", "Dora Noether", "Eve Turing", "Finn Euler"] * 10
    contacts = [
        {"cookie": f"c{number}", "name": f"{name} {number % 30}", "city": f"City {number % 30}"}
        for number, name in enumerate(names, 1)
    ]
    project.lake.overwrite("contacts", pa.Table.from_pylist(contacts))
    send(project, payload(*(page_view(duid=f"c{number}", eid=str(uuid.uuid4())) for number in range(1, 61))))
    project.enrich()
    told: dict[str, Any] = {}
    project.follow_up(lambda verb, report: told.update({verb: report}))
    assert told["match"].joining == 30
    people = {row["value"]: row["person_id"] for row in rows(project, "identity_identifiers")}
    assert all(people[f"c{number}"] == people[f"c{number + 30}"] for number in range(1, 31))
    assert len(set(people.values())) == 30
    assert not project.is_match_due() and not project.is_build_due()
    project.lake.overwrite("contacts", pa.Table.from_pylist(contacts[:30]))
    assert project.is_match_due()
    project.match()
    assert project.is_build_due()
    project.build()
    assert len({row["person_id"] for row in rows(project, "identity_identifiers")}) == 60


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # dbt leaves its log file open
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of dbt's own libraries
def test_people_are_formed_of_pairs_that_another_engine_left_in_the_lake(make_project: Make) -> None:
    project = make_project()
    with pytest.raises(LakeError, match="no table 'identity_news'"):
        project.resolve_identity()
    seen = {"week": date(2026, 3, 2), "first_seen_tstamp": NOW, "last_seen_tstamp": NOW, "weekdays": 2}
    told = [{**EDGE, **seen, "first_event_id": "e1"}, {**EDGE, **seen, "value_b": "c3", "first_event_id": "e2"}]
    news = pa.Table.from_pylist(told, IDENTITY_NEWS.schema)
    project.lake.overwrite(IDENTITY_NEWS.name, news.drop_columns(["week"]))
    with pytest.raises(LakeError, match="lacks week"):
        project.resolve_identity()
    project.lake.overwrite(IDENTITY_NEWS.name, news)
    command = ["identity", "resolve", "--project", str(project.folder), "--json"]
    counts = json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout)["resolve"]
    assert (counts["identity_identifiers"], counts["identity_edges"], counts["identity_merges"]) == (3, 2, 0)
    assert {row["person_id"] for row in rows(project, "identity_identifiers")} == {"c2"}
    # DuckDB finds pairs by itself, whatever another engine has left.
    send(project, payload(page_view(duid="c7", eid=str(uuid.uuid4()))))
    project.enrich()
    project.build()
    assert [row["value"] for row in rows(project, "identity_identifiers")] == ["c7"]
    assert project.lake.read(IDENTITY_NEWS.name).num_rows == 2
