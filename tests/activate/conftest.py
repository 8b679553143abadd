"""A small company: a real lake in a folder, the real sandbox over loopback, and syncs to its three vendors."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.activate.planning import Ground, Wishes
from catchment.activate.sync import SyncReport, run_sync
from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.lake import Lake
from catchment.listen import running
from catchment.sandbox import SandboxSettings
from catchment.sandbox.server import VENDORS, serve_sandbox
from catchment.sandbox.vendors import braze, meta, salesforce
from catchment.tables import AUDIENCE_MEMBERS, PROPENSITY_SCORES
from tests.ports import free_port

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AUDIENCE = "prospects"
META_AUDIENCE = next(iter(meta.AUDIENCES))
PEOPLE = pa.schema(
    [
        *((name, pa.string()) for name in ("person_id", "email", "first_name", "last_name", "company", "country")),
        ("engaged_time_in_s", pa.int64()),
        ("last_seen_tstamp", pa.timestamp("us", "UTC")),
    ]
)
SYNCS: dict[str, dict[str, Any]] = {
    "braze": {
        "identifiers": {"external_id": "person_id"},
        "fields": {"email": "email", "first_name": "first_name", "propensity": "form_submitted.label"},
    },
    "salesforce": {
        "target": {"object": "Lead", "member_field": "In_Audience__c"},
        "identifiers": {"Catchment_Id__c": "person_id"},
        "fields": {
            "LastName": "last_name",
            "Company": "company",
            "Email": "email",
            "LeadSource": {"constant": "Website"},
        },
    },
    "meta": {
        "target": {"audience_id": META_AUDIENCE},
        "identifiers": {"EMAIL": "email"},
        "fields": {"FN": "first_name"},
    },
}


def person(number: int, **changes: Any) -> dict[str, Any]:
    """Give one person, known by name unless the changes say otherwise."""
    return {
        "person_id": f"p{number:04}",
        "email": f"p{number}@acme.co",
        "first_name": f"Ann{number}",
        "last_name": f"Bly{number}",
        "company": "Acme",
        "country": "DE",
        "engaged_time_in_s": number,
        "last_seen_tstamp": NOW - timedelta(days=1),
        **changes,
    }


class SharedSession:
    """A session that does not load the Delta extension for every run, which takes longer than the run."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        load_delta(self.connection)

    def attach(self, lake: Lake) -> "SharedSession":
        """Show the tables of this lake and of no other."""
        for (view,) in self.connection.execute("select view_name from duckdb_views() where not internal").fetchall():
            self.connection.execute(f"drop view {view}")
        view_tables(self.connection, lake)
        return self

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.RecordBatchReader:
        return self.connection.execute(sql, parameters or {}).to_arrow_reader(100_000)

    def ibis(self) -> Any:
        raise NotImplementedError("Syncs ask in SQL.")


SESSION = cache(SharedSession)


class World:
    """The lake and the vendors, with what tests ask of them."""

    def __init__(self, folder: Path, sandbox: httpx.Client) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.sandbox = sandbox
        self.slept: list[float] = []
        self.now = NOW

    def settle(self, people: Sequence[dict[str, Any]], members: Sequence[str] | None = None) -> None:
        """Let these people exist and these, or all of them, be the audience's members."""
        ids = [row["person_id"] for row in people]
        scores = [
            {"prediction": "form_submitted", "person_id": one, "score": 0.9, "decile": 10, "label": "High"}
            for one in ids
        ]
        stays = [
            {"audience": AUDIENCE, "person_id": one, "arm": "all", "entered_at": NOW}
            for one in (ids if members is None else members)
        ]
        gone = {"audience": AUDIENCE, "person_id": "gone", "arm": "all", "entered_at": NOW, "left_at": NOW}
        self.lake.overwrite("people", pa.Table.from_pylist(list(people), PEOPLE))
        self.lake.overwrite(PROPENSITY_SCORES.name, pa.Table.from_pylist(scores, PROPENSITY_SCORES.schema))
        self.lake.overwrite(AUDIENCE_MEMBERS.name, pa.Table.from_pylist([*stays, gone], AUDIENCE_MEMBERS.schema))

    def destination(self, vendor: str, **changes: Any) -> Destination:
        """Build the destination of one vendor as catchment.yml would."""
        keys = {
            "braze": {"api_key": braze.KEY},
            "salesforce": {"client_id": salesforce.CLIENT_ID, "client_secret": salesforce.CLIENT_SECRET},
            "meta": {"access_token": meta.TOKEN},
        }
        block = {"type": vendor, "url": f"{self.sandbox.base_url}/{vendor}", **keys[vendor], **changes}
        return open_destination(ActivateSettings(destinations={vendor: block}), vendor, Path())

    def sync(self, vendor: str, **changes: Any) -> Sync:
        """Declare the sync of one vendor."""
        content = {"name": f"to_{vendor}", "destination": vendor, "audience": AUDIENCE, **SYNCS[vendor], **changes}
        return parse_sync(content, f"syncs/to_{vendor}.yml")

    def run(self, vendor: str, sync: Sync | None = None, **changes: Any) -> SyncReport:
        """Run the sync of one vendor, an hour after the last."""
        return self.carry(sync or self.sync(vendor), self.destination(vendor, **changes))

    def carry(self, sync: Sync, destination: Destination, wishes: Wishes | None = None) -> SyncReport:
        """Run a sync, an hour after the last."""
        self.now += timedelta(hours=1)
        return run_sync(sync, destination, self.ground(), wishes)

    def pass_hours(self, hours: int) -> None:
        """Let time pass."""
        self.now += timedelta(hours=hours)

    def ground(self) -> Ground:
        """Give what a run stands on, now."""
        return Ground(SESSION().attach(self.lake), self.lake, self.now, sleep=self.slept.append)

    def requests(self, vendor: str) -> int:
        """Say how many requests the vendor has had."""
        return int(self.sandbox.get(f"/sandbox/{vendor}").json()["requests"])

    def holds(self, vendor: str) -> dict[str, dict[str, Any]]:
        """Give what the vendor holds, by its key."""
        kind = {"braze": "users", "salesforce": "Lead", "meta": META_AUDIENCE}[vendor]
        held: dict[str, dict[str, Any]] = self.sandbox.get(f"/sandbox/{vendor}").json()["holds"].get(kind, {})
        return held

    def members(self, vendor: str) -> set[str]:
        """Give the people that the vendor would say are in the audience: their ids, of Meta their hashed e-mails."""
        held = self.holds(vendor)
        if vendor == "braze":
            return {key for key, user in held.items() if AUDIENCE in user.get("catchment_audiences", [])}
        if vendor == "salesforce":
            return {key for key, lead in held.items() if lead["In_Audience__c"]}
        return {row["EMAIL"] for row in held.values()}

    def order(self, vendor: str, **fault: Any) -> None:
        """Order a fault of one vendor."""
        self.sandbox.post("/sandbox/faults", json={"vendor": vendor, **fault}).raise_for_status()

    def receipts(self, report: SyncReport) -> list[dict[str, Any]]:
        """Give the receipts of one run, by key."""
        rows = self.lake.read("sync_rows", filters=[("run_id", "=", report.run_id)])
        return sorted(rows.to_pylist(), key=lambda row: (row["row_key"], row["operation"]))


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = SandboxSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    folder = tmp_path_factory.mktemp("sandbox")
    with running(serve_sandbox, settings, folder, health_url=f"{url}/health", name="sandbox"):
        yield url


@pytest.fixture
def world(sandbox_url: str, tmp_path: Path) -> Iterator[World]:
    with httpx.Client(base_url=sandbox_url, timeout=20) as client:
        for vendor in VENDORS:
            client.delete(f"/sandbox/{vendor}").raise_for_status()
        yield World(tmp_path, client)


@pytest.fixture
def people() -> Callable[..., list[dict[str, Any]]]:
    return lambda count: [person(number) for number in range(count)]
