"""Who is who, on the command line."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from catchment.cli import app
from catchment.errors import LakeError
from catchment.tables import (
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_MERGES,
)
from tests.project.conftest import Make

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


@pytest.mark.parametrize("identifier", ["user_id:ada", "c2", "c1"])
def test_a_person_is_shown_by_any_identifier_and_by_a_name_of_long_ago(make_project: Make, identifier: str) -> None:
    project = make_project()
    with pytest.raises(LakeError, match="Nobody is known yet"):
        project.identity(identifier)
    for table, rows in ROWS.items():
        project.lake.append(table.name, pa.Table.from_pylist(rows, table.schema))
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
