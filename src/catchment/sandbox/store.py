"""What the sandbox holds, in one SQLite file: the records of each vendor, the requests it had, the faults ordered."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

TABLES = """
create table if not exists records (vendor text, kind text, key text, record text, primary key (vendor, kind, key));
create table if not exists requests (vendor text primary key, number integer not null);
create table if not exists faults (id integer primary key, vendor text not null, fault text not null);
"""


class Store:
    """The memory of all vendors; what a request changed is on disk before it is answered."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.executescript(TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def get(self, vendor: str, kind: str, key: str) -> dict[str, Any] | None:
        """Give one record, None where there is none."""
        question = "select record from records where vendor = ? and kind = ? and key = ?"
        row = self.connection.execute(question, (vendor, kind, key)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def put(self, vendor: str, kind: str, records: dict[str, dict[str, Any]]) -> None:
        """Insert or replace records by key, all of them or none."""
        rows = [(vendor, kind, key, orjson.dumps(record).decode()) for key, record in records.items()]
        self._change("insert or replace into records values (?, ?, ?, ?)", rows)

    def remove(self, vendor: str, kind: str, keys: Iterable[str]) -> None:
        """Forget records; one that is not there is no fault."""
        rows = [(vendor, kind, key) for key in keys]
        self._change("delete from records where vendor = ? and kind = ? and key = ?", rows)

    def records(self, vendor: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Give everything one vendor holds: kind, then key, then record."""
        held: dict[str, dict[str, dict[str, Any]]] = {}
        question = "select kind, key, record from records where vendor = ? order by kind, key"
        for kind, key, record in self.connection.execute(question, (vendor,)):
            held.setdefault(kind, {})[key] = orjson.loads(record)
        return held

    def empty(self, vendor: str) -> None:
        """Forget everything about one vendor: records, requests and faults."""
        for table in ("records", "requests", "faults"):
            self.connection.execute(f"delete from {table} where vendor = ?", (vendor,))

    def count_request(self, vendor: str) -> None:
        """Remember that the vendor was asked once more."""
        upsert = "insert into requests values (?, 1) on conflict (vendor) do update set number = number + 1"
        self.connection.execute(upsert, (vendor,))

    def requests(self, vendor: str) -> int:
        """Say how often the vendor was asked since it was last emptied."""
        row = self.connection.execute("select number from requests where vendor = ?", (vendor,)).fetchone()
        return 0 if row is None else int(row[0])

    def add_fault(self, vendor: str, fault: dict[str, Any]) -> None:
        """Queue a fault behind those ordered before."""
        self.connection.execute("insert into faults (vendor, fault) values (?, ?)", (vendor, orjson.dumps(fault)))

    def forget_faults(self) -> None:
        """Let every vendor behave from now on."""
        self.connection.execute("delete from faults")

    def first_fault(self, vendor: str) -> tuple[int, dict[str, Any]] | None:
        """Give the fault that is due next with its number, None where all is well."""
        question = "select id, fault from faults where vendor = ? order by id limit 1"
        row = self.connection.execute(question, (vendor,)).fetchone()
        return None if row is None else (row[0], orjson.loads(row[1]))

    def keep_fault(self, number: int, fault: dict[str, Any] | None) -> None:
        """Put back what is left of a fault; None means it is used up."""
        if fault is None:
            self.connection.execute("delete from faults where id = ?", (number,))
        else:
            self.connection.execute("update faults set fault = ? where id = ?", (orjson.dumps(fault), number))

    def _change(self, statement: str, rows: Sequence[tuple[str, ...]]) -> None:
        with self.connection:
            self.connection.execute("begin immediate")
            self.connection.executemany(statement, rows)
