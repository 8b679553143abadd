"""What came, in SQLite: in memory, or in a file that outlives a restart."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from catchment.micro.shape import Shown

_TABLE = """
create table if not exists shown (
  place integer primary key autoincrement,
  is_good integer not null,
  event_id text,
  app_id text,
  test_ids text not null,
  tstamp text not null,
  nested text not null,
  flat text not null
)
"""
_TRIM = """
delete from shown
where is_good = :is_good and place <= (
  select place from shown where is_good = :is_good order by place desc limit 1 offset :most
)
"""


class Sought(NamedTuple):
    """By what one looks for events; a test is told by `test_id` in a query string or a cookie, or by its app."""

    event_id: str | None = None
    test_id: str | None = None
    app_id: str | None = None


ANYTHING = Sought()
_CLAUSES = {
    "event_id": "event_id = :event_id",
    "test_id": "exists (select 1 from json_each(test_ids) where value = :test_id)",
    "app_id": "app_id = :app_id",
}


class Store:
    """Events, newest first; of good and bad ones each the newest `most` are kept."""

    def __init__(self, path: Path | None, most: int) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.execute(_TABLE)
        self._most = most

    def add(self, shown: Iterable[Shown]) -> None:
        """Add what became of one payload, all of it or nothing."""
        rows = [
            (each.is_good, each.event_id, each.app_id, _text(each.test_ids), each.tstamp.isoformat(), *_forms(each))
            for each in shown
        ]
        self._connection.execute("begin")
        self._connection.executemany("insert into shown values (null, ?, ?, ?, ?, ?, ?, ?)", rows)
        for is_good in (True, False):
            self._connection.execute(_TRIM, {"is_good": is_good, "most": self._most})
        self._connection.execute("commit")

    def count(self, sought: Sought = ANYTHING) -> dict[str, int]:
        """Count good and bad events."""
        where, values = _where(sought)
        query = f"select is_good, count(*) from shown where {where} group by is_good"
        counts = dict(self._connection.execute(query, values).fetchall())
        good, bad = counts.get(1, 0), counts.get(0, 0)
        return {"total": good + bad, "good": good, "bad": bad}

    def clear(self, sought: Sought = ANYTHING) -> None:
        """Forget events: all, or those of one test."""
        where, values = _where(sought)
        self._connection.execute(f"delete from shown where {where}", values)

    def read(
        self,
        form: str,
        *,
        is_good: bool | None,
        fits: Callable[[Any], bool] = lambda _: True,
        limit: int | None = None,
        sought: Sought = ANYTHING,
    ) -> Iterator[Any]:
        """Give events in one of their forms, newest first."""
        where, values = _where(sought)
        if is_good is not None:
            where, values = f"{where} and is_good = :is_good", {**values, "is_good": is_good}
        column = {"nested": "nested", "flat": "flat"}[form]
        rows = self._connection.execute(f"select {column} from shown where {where} order by place desc", values)
        texts = [text for (text,) in rows.fetchall()]
        left = len(texts) if limit is None else limit
        for text in texts:
            content = orjson.loads(text)
            if left > 0 and fits(content):
                left -= 1
                yield content

    def moments(self) -> list[tuple[str, bool]]:
        """Give of every event when it came and whether it is good."""
        return self._connection.execute("select tstamp, is_good from shown").fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _where(sought: Sought) -> tuple[str, dict[str, Any]]:
    """Give the condition by which events are sought; names are ours, values are parameters."""
    asked = {name: value for name, value in sought._asdict().items() if value is not None}
    return " and ".join(["true", *(_CLAUSES[name] for name in asked)]), asked


def _forms(shown: Shown) -> tuple[str, str]:
    return _text(shown.nested), _text(shown.flat)


def _text(content: Any) -> str:
    return orjson.dumps(content).decode()
