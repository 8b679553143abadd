"""A table of a database, on SQLite and on a real PostgreSQL where one is installed."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch
from catchment.activate.caller import open_caller
from catchment.activate.definition import parse_sync
from catchment.activate.deliver import send_in_halves
from catchment.activate.destination import Destination, open_destination
from catchment.activate.staging import KEY, LEDGER, MOVES, Staged
from catchment.errors import CredentialsError, DefinitionError, SettingsError
from tests.ports import free_port

from ..conftest import World

TABLE = """create table contacts (id varchar(50) primary key, email varchar(80) not null, visits integer,
    seen timestamp, owner varchar(50))"""
ENGINES = ("sqlite", "postgres")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    programs = {name: shutil.which(name) for name in ("initdb", "postgres")}
    if None in programs.values():
        pytest.skip("There is no PostgreSQL here.")
    folder = tmp_path_factory.mktemp("postgres")
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        for path in (folder, *folder.parents):
            if path.name.startswith(("postgres", "popen-", "pytest-")):
                path.chmod(0o755)
        shutil.chown(folder, user)
    port = free_port()
    password = folder / "password"
    password.write_text("right")
    made = [str(programs["initdb"]), "-D", str(folder / "db"), "-U", "tester", "--no-sync", "-A", "scram-sha-256"]
    subprocess.run([*made, f"--pwfile={password}"], user=user, cwd=folder, check=True, capture_output=True)
    options = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    command = [str(programs["postgres"]), "-D", str(folder / "db"), "-p", str(port), *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    try:
        yield _answering(f"postgresql+psycopg://tester:right@127.0.0.1:{port}/postgres")
    finally:
        process.terminate()
        process.wait(20)


def _answering(url: str) -> str:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for _ in range(200):
        try:
            with engine.connect():
                return url
        except sa.exc.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL does not start.")


class Desk:
    """One empty table, and syncs to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.execute("drop table if exists contacts", "drop table if exists catchment_rows", TABLE)

    def destination(self, **changes: Any) -> Destination:
        block = {"type": "sql", "url": self.url, **changes}
        return open_destination(ActivateSettings(destinations={"crm": block}), "crm", self.folder)

    def sync(self, **changes: Any) -> Any:
        content = {"name": "crm", "destination": "crm", "model": "people", "target": {"table": "contacts"}}
        keys = {"identifiers": {"id": "person_id"}, "fields": {"email": "email"}}
        return parse_sync({**content, **keys, **changes}, "syncs/crm.yml")

    def send(self, operation: Any, *rows: dict[str, Any], id: str = "one", sync: Any = None) -> list[str]:  # noqa: A002
        batch = Batch(sync or self.sync(), operation, list(rows), tuple(row["id"] for row in rows), id, "run")
        destination = self.destination()
        with open_caller(lambda seconds: None) as caller:
            parts = send_in_halves(destination, batch, caller)
            return [outcome.status for _, done in parts for outcome in done]  # type: ignore[union-attr]

    def execute(self, *statements: str) -> None:
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def rows(self, columns: str = "id, email") -> list[tuple[Any, ...]]:
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            return [tuple(row) for row in connection.execute(sa.text(f"select {columns} from contacts order by id"))]


@pytest.fixture(params=ENGINES)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    if request.param == "postgres":
        return Desk(request.getfixturevalue("server"), tmp_path)
    return Desk(f"sqlite:///{tmp_path}/crm.db", tmp_path)


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "email": f"{name}@acme.co", **fields}


def test_rows_are_made_and_changed_by_their_key_and_what_is_not_told_stays(desk: Desk) -> None:
    desk.execute("insert into contacts (id, email, owner) values ('a', 'old', 'sales')")
    assert desk.send("upsert", row("a"), row("b", visits=3)) == ["sent", "sent"]
    assert desk.rows("id, email, visits, owner") == [("a", "a@acme.co", None, "sales"), ("b", "b@acme.co", 3, None)]


def test_who_leaves_takes_out_no_row_that_was_there_before_us(desk: Desk) -> None:
    desk.execute("insert into contacts (id, email, visits) values ('theirs', 'old', 1)")
    desk.send("upsert", row("theirs", visits=2), row("ours", visits=2))
    assert desk.send("remove", {"id": "theirs", "visits": 2}, {"id": "ours", "visits": 2}) == ["sent", "sent"]
    assert desk.rows("id, visits") == [("theirs", None)]


@pytest.mark.parametrize("operation", ["insert", "event"])
def test_a_row_that_goes_once_goes_once_in_whatever_batch_it_comes_again(desk: Desk, operation: str) -> None:
    desk.execute("drop table contacts", TABLE.replace(" primary key", ""))
    assert desk.send(operation, row("a"), row("b"), id="one") == ["sent", "sent"]
    assert desk.send(operation, row("b"), row("c"), id="two") == ["sent", "sent"]
    assert [name for (name,) in desk.rows("id")] == ["a", "b", "c"]


def test_a_row_that_breaks_a_rule_of_the_table_is_rejected_alone(desk: Desk) -> None:
    rows = [row("a"), {"id": "b", "email": None}, row("c"), row("d", visits="many")]
    assert desk.send("insert", *rows) == ["sent", "rejected", "sent", "rejected"]
    assert [name for (name,) in desk.rows("id")] == ["a", "c"]


def test_an_update_makes_no_row_and_a_moment_is_one_there(desk: Desk) -> None:
    desk.send("upsert", row("a"))
    desk.send("update", row("a", seen="2026-05-01T12:00:00.000Z"), row("b"))
    assert [(name, str(seen)[:19]) for name, seen in desk.rows("id, seen")] == [("a", "2026-05-01 12:00:00")]


def test_what_is_there_already_is_not_filled_over(desk: Desk, world: World, people: Any) -> None:
    desk.execute("insert into contacts (id, email, owner) values ('p0000', 'old', 'sales')")
    owner = {"column": "company", "empty": "only_if_empty"}
    sync = desk.sync(mode="upsert", fields={"email": "email", "owner": owner})
    world.settle(people(2))
    assert world.carry(sync, desk.destination()).sent == 2
    assert desk.rows("id, owner") == [("p0000", "sales"), ("p0001", "Acme")]
    assert world.carry(sync, desk.destination()).unchanged == 2


def test_a_table_or_a_column_that_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(DefinitionError, match="no table 'elsewhere'") as refused:
        desk.send("upsert", row("a"), sync=desk.sync(target={"table": "elsewhere"}))
    assert "create table elsewhere (id" in refused.value.hint
    with pytest.raises(DefinitionError, match="no such column"):
        desk.send("upsert", row("a"), sync=desk.sync(fields={"mail": "email"}))


def test_a_wrong_password_a_missing_driver_and_a_strange_url_are_told_apart(server: str, tmp_path: Path) -> None:
    desk = Desk(server, tmp_path)
    with pytest.raises(CredentialsError, match=r"activate\.destinations\.crm\.url"):
        desk.destination(url=server.replace("right", "wrong")).check()
    with pytest.raises(SettingsError, match="driver"):
        desk.destination(url="oracle+oracledb://u:p@127.0.0.1/x").check()
    with pytest.raises(SettingsError, match="no SQLAlchemy URL"):
        desk.destination(url="crm").check()
    assert "right" not in desk.destination().address


def test_every_statement_can_be_said_to_mysql() -> None:
    said: list[str] = []
    engine: Any = sa.create_mock_engine(
        "mysql://", lambda statement, *_: said.append(str(statement.compile(dialect=engine.dialect)))
    )
    table = sa.Table("contacts", sa.MetaData(), sa.Column("id", sa.String(9)), sa.Column("email", sa.Text))
    columns = [sa.Column(name, sa.Text) for name in (KEY, "id", "email")]
    staging = sa.Table("staging", sa.MetaData(), *columns)
    content = {"name": "crm", "destination": "crm", "model": "people", "identifiers": {"id": "person_id"}}
    for operation, move in MOVES.items():
        batch = Batch(parse_sync(content, "syncs/crm.yml"), operation, [])  # type: ignore[arg-type]
        move(engine, Staged(table, staging, batch, ["id", "email"], LEDGER, "crm"))
    assert said and all(len(re.findall(r"(?:FROM|UPDATE contacts,) staging", text)) <= 1 for text in said), (
        "MySQL reads a temporary table once a statement"
    )
