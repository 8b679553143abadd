"""Where is my event? Each stage in turn: what it knows of an event, a payload or a person, and where it looked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from catchment.errors import DefinitionError
from catchment.lake.log import written_at
from catchment.lake.rows import choose
from catchment.project.opened import Opened
from catchment.tables import BATCHES, EVENTS, FAILED_EVENTS, OFFSET

READ_AT_ONCE = 1_000
FACTS = ("event_id", "event_name", "collector_tstamp", "load_tstamp", "domain_userid", "user_id", "domain_sessionid")
SESSION = ("domain_sessionid", "start_tstamp", "page_views")


@dataclass(frozen=True)
class Step:
    """What one stage knows; `where` is the place that was looked at, found there or not."""

    stage: str
    state: str
    where: str
    detail: str = ""
    at: datetime | None = None


class TraceVerbs(Opened):
    """Somebody asks what became of an event."""

    def trace(
        self, event_id: str | None = None, *, payload: str | None = None, person: str | None = None
    ) -> list[Step]:
        """Follow an event, a payload or a person through every stage; reads only, and writes nothing."""
        named = [value for value in (event_id, payload, person) if value]
        if len(named) != 1:
            raise DefinitionError("Name one event, payload or person.", hint="catchment trace EVENT_ID")
        steps, people = [], [person] if person else []
        if not person:
            steps += [*self._in_log(named[0]), *self._failed("event_id" if event_id else "payload_id", named[0])]
            events = self._events(named[0]) if event_id else []
            steps += [step for row in events for step in self._committed(row)]
            if event_id and not events:
                steps.append(Step("lake", "not there", f"{self.lake.uri}/events"))
            if payload:
                steps.append(Step("lake", "not told", "events", "rows name no payload; trace one of its event ids"))
            people = sorted({self._person_of(row) for row in events if row["domain_userid"]})
        for each in people:
            steps += [*self._person(each), *self._audiences(each), *self._sent(each)]
        return steps

    def _in_log(self, value: str) -> Iterator[Step]:
        looked, kind = 0, str(self.settings.collect.log["type"])
        for log_id, row in self._waiting_payloads():
            looked += 1
            if _tells_of(row, value):
                where, detail = f"log {log_id}, offset {row[OFFSET]}", f"payload {row['payload_id']}"
                yield Step("collect", "received, waiting", where, detail, row["collector_tstamp"])
        state, detail = ("looked", f"{looked:,} payloads wait") if looked else ("nothing waits", "all is enriched")
        yield Step("collect", state, kind, detail)

    def _waiting_payloads(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.opened_log() as log:  # type: ignore[attr-defined]
            for part in log.parts():
                after = self.lake.committed(BATCHES.name, part.log_id)
                while (payloads := part.read(after, READ_AT_ONCE)).num_rows:
                    yield from ((part.log_id, row) for row in payloads.to_pylist())
                    after = payloads[OFFSET][-1].as_py()

    def _failed(self, column: str, value: str) -> Iterator[Step]:
        rows = self.lake.read(FAILED_EVENTS.name, filters=[(column, "=", value)]).to_pylist()
        for row in rows:
            state = "failed" if row["replayed_tstamp"] is None else "failed, then replayed"
            detail = f"{row['type']}/{row['code']}: {row['message']}"
            yield Step("enrich", state, f"failed_events {row['failed_id']}", detail, row["failed_tstamp"])
        if not rows:
            yield Step("enrich", "did not fail", FAILED_EVENTS.name)

    def _events(self, event_id: str) -> list[dict[str, Any]]:
        if not self.lake.exists(EVENTS.name):
            return []
        found = []
        events = self.lake.delta(EVENTS.name).to_pyarrow_dataset()
        for fragment in events.get_fragments():
            rows = choose(fragment, events.schema, list(FACTS), pc.field("event_id") == event_id).to_pylist()
            found += [{**row, "file": fragment.path} for row in rows]
        return found

    def _committed(self, row: dict[str, Any]) -> Iterator[Step]:
        yield Step("enrich", "valid", f"events, event_name {row['event_name']}", at=row["collector_tstamp"])
        loaded = row["load_tstamp"]
        version = written_at(self.lake, EVENTS.name, int(loaded.timestamp() * 1000))
        batch = self.lake.read(BATCHES.name, filters=[("committed_at", "=", loaded)]).to_pylist()
        origin = (
            f"log {batch[0]['log_id']}, offsets {batch[0]['first_offset']}-{batch[0]['last_offset']}" if batch else ""
        )
        told = "a version older than the log of the table" if version is None else f"version {version}"
        yield Step("lake", f"committed in {told}", f"events/{row['file']}", origin, loaded)
        sessions = self._rows("sessions", "domain_sessionid", row["domain_sessionid"])
        for session in sessions:
            facts = ", ".join(f"{name} {session[name]}" for name in SESSION if name in session)
            yield Step("model", "in a session", "sessions", facts, session.get("start_tstamp"))
        if not sessions:
            yield Step("model", "in no session yet", "sessions", "`catchment build` forms them")

    def _person_of(self, row: dict[str, Any]) -> str:
        known = self._rows("user_mapping", "domain_userid", row["domain_userid"])
        return str(known[0]["person_id"] if known else row["domain_userid"])

    def _person(self, person: str) -> Iterator[Step]:
        people = self._rows("people", "person_id", person)
        for row in people:
            yield Step(
                "model",
                "is a person",
                f"people {person}",
                f"{row.get('sessions')} sessions",
                row.get("last_seen_tstamp"),
            )
        if not people:
            yield Step("model", "is no person yet", f"people {person}", "`catchment build` forms them")
        for score in self._rows("propensity_scores", "person_id", person):
            detail = f"{score['prediction']}: {score['score']:.3f}, decile {score['decile']}"
            yield Step("predict", "scored", "propensity_scores", detail, score["scored_at"])

    def _audiences(self, person: str) -> Iterator[Step]:
        stays = self._rows("audience_members", "person_id", person)
        for stay in stays:
            state = "member" if stay["left_at"] is None else "was a member"
            yield Step("audience", state, stay["audience"], stay["arm"] or "", stay["left_at"] or stay["entered_at"])
        if not stays:
            yield Step("audience", "in no audience", f"audience_members {person}")

    def _sent(self, person: str) -> Iterator[Step]:
        rows = sorted(self._rows("sync_rows", "row_key", person), key=lambda row: str(row["sent_at"]))
        for row in rows:
            answer = " ".join(str(row[name]) for name in ("code", "reason") if row.get(name))
            yield Step("activate", f"{row['operation']} {row['status']}", row["sync"], answer, row["sent_at"])
        if not rows:
            yield Step("activate", "never sent", f"sync_rows {person}")

    def _rows(self, table: str, column: str, value: str | None) -> list[dict[str, Any]]:
        if value is None or not self.lake.exists(table):
            return []
        rows: list[dict[str, Any]] = self.lake.read(table, filters=[(column, "=", value)]).to_pylist()
        return rows


def _tells_of(payload: dict[str, Any], value: str) -> bool:
    is_inside = value.encode() in (payload["body"] or b"") or value in (payload["querystring"] or "")
    return bool(value == payload["payload_id"] or is_inside)
