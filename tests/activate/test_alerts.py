"""Somebody hears of a change of a sync's state, once, and of recovery; a message that fails is tried again."""

import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from catchment.activate.alerts import judge, tell
from catchment.activate.channels import Channel
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.sync import SyncReport
from catchment.lake.lake import Lake

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Inbox(BaseHTTPRequestHandler):
    """Takes messages, unless it is told to refuse."""

    taken: list[dict[str, Any]] = []
    refuses = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not Inbox.refuses:
            self.taken.append({**json.loads(body), "_token": self.headers.get("x-token")})
        self.send_response(500 if Inbox.refuses else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server of a few lines."""

    mails: list[str] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.mails.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def inbox() -> Iterator[str]:
    Inbox.taken.clear()
    Inbox.refuses = False
    yield from _serving(HTTPServer(("127.0.0.1", 0), Inbox), "http://127.0.0.1:{}/hook/secret")


@pytest.fixture
def mailbox() -> Iterator[str]:
    Mailbox.mails.clear()
    yield from _serving(socketserver.TCPServer(("127.0.0.1", 0), Mailbox), "{}")


def _serving(server: Any, address: str) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield address.format(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def declared(**alerts: Any) -> Sync:
    content = {"name": "s", "destination": "d", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "alerts": alerts}, "syncs/s.yml")


def channel(**content: Any) -> Any:
    return TypeAdapter(Channel).validate_python(content)


def report(**changes: Any) -> SyncReport:
    facts = {"run_id": "r", "sync": "s", "destination": "d", "audience": None, "started_at": NOON, "finished_at": NOON}
    return SyncReport(**{**facts, "status": "ok", **changes})


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (report(added=10, sent=10), "ok"),
        (report(status="failed", error="CredentialsError: no"), "failed"),
        (report(status="incomplete", added=10, sent=8, rejected=2), "rejected"),
        (report(status="incomplete", added=10, sent=9, rejected=1), "ok"),
        (report(status="incomplete", added=10, retry=10), "failed"),
        (report(), "ok"),
    ],
)
def test_a_run_leaves_its_sync_well_failed_or_refused_too_much(ended: SyncReport, state: str) -> None:
    assert judge(declared(), ended)[0] == state


def test_a_change_is_told_once_and_so_is_recovery(inbox: str, tmp_path: Path) -> None:
    lake, channels = Lake(str(tmp_path)), {"ops": channel(type="slack", url=inbox)}
    for hours, state in enumerate(("ok", "failed", "failed", "rejected", "ok", "ok")):
        tell(declared(), (state, "why"), channels, lake, now=NOON + timedelta(hours=hours))  # type: ignore[arg-type]
    assert [one["text"] for one in Inbox.taken] == [
        "Sync s to d failed: why",
        "Sync s to d is refused too much: why",
        "Sync s to d is well again (it was rejected): why",
    ]


def test_a_message_that_fails_keeps_nothing_up_and_is_tried_again(inbox: str, tmp_path: Path) -> None:
    lake, channels = Lake(str(tmp_path)), {"ops": channel(type="slack", url=inbox)}
    Inbox.refuses = True
    assert tell(declared(), ("failed", "why"), channels, lake, now=NOON) == []
    Inbox.refuses = False
    assert tell(declared(), ("failed", "why"), channels, lake, now=NOON + timedelta(hours=1)) == ["ops"]
    noted = [row["error"] for row in lake.read("sync_alerts").sort_by("told_at").to_pylist()]
    assert noted == ["HTTPStatusError", ""]
    assert "secret" not in str(lake.read("sync_alerts").to_pylist())


def test_a_webhook_gets_the_facts_and_its_headers(inbox: str, tmp_path: Path) -> None:
    channels = {"hook": channel(type="webhook", url=inbox, headers={"x-token": "t"})}
    tell(declared(), ("failed", "why"), channels, Lake(str(tmp_path)), now=NOON, run_id="r1")
    (taken,) = Inbox.taken
    facts = {"sync": "s", "destination": "d", "state": "failed", "before": "ok", "reason": "why", "run_id": "r1"}
    assert taken.items() >= facts.items()
    assert (taken["at"], taken["_token"]) == ("2026-05-01T12:00:00+00:00", "t")


def test_a_mail_says_the_same(mailbox: str, tmp_path: Path) -> None:
    mail = channel(type="email", host="127.0.0.1", port=int(mailbox), sender="a@b.co", to=["c@d.co"], starttls=False)
    tell(declared(), ("overdue", "since noon"), {"mail": mail}, Lake(str(tmp_path)), now=NOON)
    (text,) = Mailbox.mails
    assert "Subject: Sync s to d is overdue: since noon" in text
    assert "To: c@d.co" in text


def test_a_sync_may_name_its_channels(inbox: str, tmp_path: Path) -> None:
    channels = {name: channel(type="slack", url=inbox) for name in ("ops", "marketing")}
    told = tell(declared(channels=["ops"]), ("failed", "why"), channels, Lake(str(tmp_path)), now=NOON)
    assert told == ["ops"]
