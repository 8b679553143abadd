"""A person is forgotten: nothing of hers is in any byte of the lake and of `.catchment`, and only that."""

import base64
import io
import json
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catchment.errors import DefinitionError
from catchment.lake.key_index import KEYS, KeyIndex
from catchment.lake.needle import Needles
from catchment.model.workplace import WORK_FOLDER
from catchment.project import Project
from catchment.tables import IDENTITY_EDGES, IDENTITY_HISTORY, IDENTITY_IDENTIFIERS
from tests.project.conftest import RECEIVED, Make, entities, page_view, payload, send, write_schema

USER = "iglu:com.acme/user/jsonschema/1-0-0"
JANE = {
    "user_id": "jane-7741-user",
    "email": "jane.doe@secret.example",
    "cookie": "jane-cookie-9c1f",
    "nuid": "jane-net-5511",
}
SECRETS = [value.encode() for value in JANE.values()]
OTHERS = 30
DAYS = 5


def visit(
    cookie: str, *, user_id: str | None = None, email: str | None = None, nuid: str, day: int, broken: bool = False
) -> Any:
    known = {"duid": cookie, **({"uid": user_id} if user_id else {})}
    if email:
        known["co"] = entities((USER, {"email": email}))
    if broken:
        known["ue_pr"], known["e"] = "{", "ue"
    moment = RECEIVED + timedelta(days=day)
    return payload(page_view(**known), network_userid=nuid, ip_address=f"10.9.{day}.7", collector_tstamp=moment)


def fill(project: Project) -> None:
    write_schema(
        project, "com.acme/user/jsonschema/1-0-0", {"type": "object", "properties": {"email": {"type": "string"}}}
    )
    for day in range(DAYS):
        visits = [
            visit(
                f"cookie-of-{n}-abcdef",
                user_id=f"user-{n}-abcdef",
                email=f"mail-{n}@x.example",
                nuid=f"net-{n}-abcdef",
                day=day,
            )
            for n in range(OTHERS)
        ]
        if day in (1, 3):
            visits += [
                visit(JANE["cookie"], nuid=JANE["nuid"], day=day),
                visit(JANE["cookie"], user_id=JANE["user_id"], email=JANE["email"], nuid=JANE["nuid"], day=day),
                visit(JANE["cookie"], user_id=JANE["user_id"], nuid=JANE["nuid"], day=day, broken=True),
            ]
        send(project, *visits)
        project.enrich()


@pytest.fixture
def project(make_project: Make) -> Project:
    project = make_project()
    fill(project)
    scored = [JANE["cookie"], "cookie-of-1-abcdef"]
    project.lake.overwrite("people", pa.table({"person_id": scored, "email": [JANE["email"], "mail-1@x.example"]}))
    held_out = project.folder / ".catchment/predictions/p/holdout.parquet"
    held_out.parent.mkdir(parents=True)
    pq.write_table(pa.table({"person_id": scored, "label": [1, 0]}), held_out)
    (project.folder / ".catchment/dbt/logs").mkdir(parents=True)
    (project.folder / ".catchment/dbt/logs/dbt.log").write_text(f"select '{JANE['email']}'")
    KeyIndex(project.folder / WORK_FOLDER / KEYS)
    return project


def decoded(path: Path) -> bytes:
    """Give what a file says once its pages are decompressed: all values, and the statistics of its footer."""
    if path.suffix != ".parquet":
        return b""
    file = pq.ParquetFile(io.BytesIO(path.read_bytes()))
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    footers = "".join(str(group.column(n).statistics) for group in groups for n in range(group.num_columns))
    return (str(file.read().to_pylist()) + footers).encode()


def found(project: Project) -> dict[str, list[bytes]]:
    """Grep every byte under the lake and `.catchment`, as it lies there and decoded."""
    places: dict[str, list[bytes]] = {}
    for folder in (Path(project.lake.uri), project.folder / ".catchment"):
        for path in folder.rglob("*"):
            content = path.read_bytes() + decoded(path) if path.is_file() else b""
            if secrets := [secret for secret in SECRETS if secret in content]:
                places[str(path.relative_to(project.folder))] = secrets
    return places


def test_the_search_of_this_test_finds_her_before(project: Project) -> None:
    places = " ".join(found(project))
    assert {"events", "failed_events", "people", "predictions", "dbt"} <= {
        name for name in ("events", "failed_events", "people", "predictions", "dbt") if name in places
    }
    assert "_delta_log" not in places


@pytest.mark.parametrize(
    "named",
    [
        {"user_id": JANE["user_id"]},
        {"email": JANE["email"]},
        {"domain_userid": JANE["cookie"]},
        {"person": JANE["cookie"]},
    ],
    ids=["user_id", "email", "domain_userid", "person"],
)
def test_nothing_of_her_is_left_in_any_byte_and_everybody_else_is(project: Project, named: dict[str, str]) -> None:
    events, failed = project.count("events"), project.count("failed_events")
    project.forget(**named)
    assert found(project) == {}
    assert (events - project.count("events"), failed - project.count("failed_events")) == (4, 2)
    kept = set(project.lake.read("events")["user_id"].to_pylist())
    assert kept == {f"user-{n}-abcdef" for n in range(OTHERS)}
    assert project.lake.read("people")["person_id"].to_pylist() == ["cookie-of-1-abcdef"]
    assert pq.read_table(project.folder / ".catchment/predictions/p/holdout.parquet").num_rows == 1
    assert all(balance.ok for balance in project.check_lake()), "what was erased is accounted for"
    assert not list((project.folder / WORK_FOLDER).glob(f"{KEYS}*"))


@pytest.mark.parametrize(
    "text",
    [
        "ue_px=" + base64.urlsafe_b64encode(b'{"data":{"email":"jane.doe@secret.example"}}').decode().rstrip("="),
        "url=https%3A%2F%2Fx.example%2F%3Fm%3Djane.doe%2540secret.example",
        json.dumps(json.dumps({"user": "4711"})),
        json.dumps({"body": json.dumps({"cx": base64.b64encode(b'{"user": "4711"}').decode()})}),
        json.dumps({"mail": "jane.doe@secret.example"}).replace("@", r"\u0040"),
    ],
    ids=["base64", "percent signs, twice", "JSON in JSON", "base64 in JSON in JSON", "escaped signs"],
)
def test_what_is_packed_in_an_original_is_read(text: str) -> None:
    assert Needles.of(["4711", "jane.doe@secret.example"]).in_text(text)
    assert not Needles.of(["471", "jan.doe@secret.example"]).in_text(text)


def test_versions_that_upkeep_replaced_go_too(project: Project) -> None:
    project.upkeep()
    project.forget(user_id=JANE["user_id"])
    assert found(project) == {}


def test_payloads_that_still_wait_are_hers_too(project: Project) -> None:
    send(project, visit(JANE["cookie"], nuid=JANE["nuid"], day=4))
    project.forget(user_id=JANE["user_id"])
    assert found(project) == {}


def test_only_files_of_days_on_which_she_came_are_rewritten(project: Project) -> None:
    days = {place.place: place.files for place in project.forget(user_id=JANE["user_id"])}
    assert days["lake: events"] == 2
    assert len(project.lake.delta("events").file_uris()) == DAYS


def test_the_certificate_names_every_version_and_not_her(project: Project) -> None:
    project.forget(email=JANE["email"])
    rows = {row["place"]: row for row in project.lake.read("erasures").to_pylist()}
    assert rows["lake: events"]["rows"] == 4
    assert rows["lake: events"]["version_after"] == project.lake.data_version("events")
    assert rows["lake: events"]["version_before"] < rows["lake: events"]["version_after"]
    assert {"lake: failed_events", "lake: people"} <= set(rows)
    assert project.is_forgotten(JANE["email"]) == rows["lake: events"]["erased_at"]
    assert project.is_forgotten("mail-1@x.example") is None


def test_a_cookie_that_two_users_had_takes_nobody_else_along(make_project: Make) -> None:
    project = make_project()
    for user in ("jane-7741-user", "john-1234-user"):
        send(project, visit("shared-cookie-1", user_id=user, nuid="shared-net-1", day=0))
    project.enrich()
    project.forget(user_id="jane-7741-user")
    assert project.lake.read("events")["user_id"].to_pylist() == ["john-1234-user"]


def test_a_short_id_is_no_part_of_a_longer_one(make_project: Make) -> None:
    project = make_project()
    for user in ("42", "1042", "420"):
        send(project, visit(f"cookie-of-{user}-x", user_id=user, nuid=f"net-of-{user}-x", day=0))
    project.enrich()
    project.forget(user_id="42")
    assert sorted(project.lake.read("events")["user_id"].to_pylist()) == ["1042", "420"]


def test_nobody_named_is_refused_and_somebody_unknown_changes_nothing(project: Project) -> None:
    with pytest.raises(DefinitionError, match="Nobody is named"):
        project.forget()
    before = project.count("events")
    project.forget(user_id="nobody-with-this-id")
    assert project.count("events") == before


def late(cookie: str, *, happened: datetime, came: datetime, broken: bool = False, user_id: str | None = None) -> Any:
    """What a tracker kept since it happened and sends once it can."""
    moments = {"dtm": str(int(happened.timestamp() * 1000)), "stm": str(int(came.timestamp() * 1000))}
    event = page_view(duid=cookie, **moments, **({"uid": user_id} if user_id else {}))
    if broken:
        event |= {"e": "ue", "ue_pr": "{"}
    return payload(event, collector_tstamp=came, network_userid="net-of-nobody")


@pytest.mark.parametrize("broken", [False, True], ids=["event", "failed event"])
def test_what_happened_before_she_was_forgotten_and_arrives_later_is_written_nowhere(
    project: Project, broken: bool
) -> None:
    project.forget(user_id=JANE["user_id"])
    forgotten_at = project.is_forgotten(JANE["user_id"])
    assert forgotten_at is not None
    before, after = forgotten_at - timedelta(hours=2), forgotten_at + timedelta(hours=2)
    later = forgotten_at + timedelta(hours=3)
    send(
        project,
        late(JANE["cookie"], happened=before, came=later, broken=broken),
        late("cookie-of-nobody", happened=before, came=later, broken=broken, user_id=JANE["user_id"]),
        late("cookie-of-1-abcdef", happened=before, came=later, broken=broken),
    )
    done = project.enrich()
    assert (done.received, done.events + done.failed, done.suppressed) == (3, 1, 2)
    assert found(project) == {}
    assert all(balance.ok for balance in project.check_lake())
    send(project, late(JANE["cookie"], happened=after, came=later, broken=broken))
    done = project.enrich()
    assert (done.events + done.failed, done.suppressed) == (1, 0), "what comes after is somebody new"


def test_who_is_who_is_forgotten_with_a_person_and_of_others_nothing(make_project: Make) -> None:
    project = make_project()
    fill(project)
    project.enrich()
    address = sha256(JANE["email"].encode()).hexdigest()
    hers = [("email", address), ("user_id", JANE["user_id"]), ("domain_userid", "her-other-cookie-1")]
    of_others = ("domain_userid", "cookie-of-1-abcdef", "cookie-of-1-abcdef")
    identifiers = [(kind, value, JANE["cookie"]) for kind, value in hers] + [of_others]
    for table in (IDENTITY_IDENTIFIERS, IDENTITY_HISTORY):
        rows = [{"kind": kind, "value": value, "person_id": person} for kind, value, person in identifiers]
        project.lake.append(table.name, pa.Table.from_pylist(rows, table.schema))
    edge = {"kind_a": "email", "value_a": address, "kind_b": "domain_userid", "value_b": "her-other-cookie-1"}
    project.lake.append(IDENTITY_EDGES.name, pa.Table.from_pylist([edge], IDENTITY_EDGES.schema))
    project.forget(email=JANE["email"])
    assert project.count("identity_edges") == 0
    for table in (IDENTITY_IDENTIFIERS, IDENTITY_HISTORY):
        assert [row["value"] for row in project.lake.read(table.name).to_pylist()] == ["cookie-of-1-abcdef"]


def test_a_name_that_is_a_shared_cookie_goes_with_its_person_and_the_cookie_stays(make_project: Make) -> None:
    project = make_project()
    tablet = "tablet-of-both-77"
    send(
        project,
        visit(tablet, user_id="ada-7741-user", nuid="net-1-tablet", day=1),
        visit(tablet, user_id="bob-7741-user", nuid="net-1-tablet", day=2),
    )
    project.enrich()
    people = [("ada-7741-user", tablet), ("bob-7741-user", "p_bob"), (tablet, "p_bob")]
    rows = [{"kind": "k", "value": value, "person_id": person} for value, person in people]
    project.lake.append(IDENTITY_IDENTIFIERS.name, pa.Table.from_pylist(rows, IDENTITY_IDENTIFIERS.schema))
    project.lake.overwrite(
        "people", pa.table({"person_id": [tablet, "p_bob"], "email": ["a@x.example", "b@x.example"]})
    )
    project.forget(user_id="ada-7741-user")
    assert project.lake.read("events", ["user_id"])["user_id"].to_pylist() == ["bob-7741-user"]
    assert project.lake.delta("people").to_pyarrow_table()["person_id"].to_pylist() == ["p_bob"]
    left = project.lake.read(IDENTITY_IDENTIFIERS.name).to_pylist()
    assert sorted(row["value"] for row in left) == ["bob-7741-user", tablet]
