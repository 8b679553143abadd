"""The destination that docs/activate.md shows is a file as it stands, and works."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import parse_sync
from catchment.activate.destination import open_destination
from catchment.activate.function import destination
from catchment.errors import CredentialsError

from .conftest import World

PAGE = Path(__file__).parents[2] / "docs" / "activate.md"


class Postbox(BaseHTTPRequestHandler):
    """A vendor of a few lines."""

    people: set[str] = set()

    def _answer(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        content = json.loads(self.rfile.read(size) or b"null") or {}
        addresses = [row["email"] for row in content.get("people", [])]
        good = {one for one in addresses if "@" in one}
        if self.command == "DELETE":
            self.people.difference_update(good)
        else:
            self.people.update(good)
        faults = [
            {"index": number, "code": "bad_address", "text": "no @"}
            for number, one in enumerate(addresses)
            if one not in good
        ]
        known = self.headers["authorization"] == "Bearer right"
        body = json.dumps({"faults": faults}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def postbox() -> Iterator[str]:
    Postbox.people.clear()
    server = HTTPServer(("127.0.0.1", 0), Postbox)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def shown(number: int = 0) -> str:
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return blocks[number]


def test_the_shown_destination_is_one_file_of_under_120_lines_that_carries_a_sync(
    world: World, people: Any, postbox: str, tmp_path: Path
) -> None:
    assert len(shown().splitlines()) < 120
    file = tmp_path / "plugins/activate/destinations/postbox.py"
    file.parent.mkdir(parents=True)
    file.write_text(shown())
    settings = {name: {"type": "postbox", "url": postbox, "token": name} for name in ("right", "wrong")}
    opened = {name: open_destination(ActivateSettings(destinations=settings), name, tmp_path) for name in settings}
    opened["right"].check()
    with pytest.raises(CredentialsError, match=r"activate\.destinations\.wrong\.token"):
        opened["wrong"].check()
    crowd = people(4)
    crowd[1]["email"] = "P1@Acme.co"
    crowd[2]["email"] = "no address"
    crowd[3]["email"] = None
    world.settle(crowd)
    content = {"name": "posted", "destination": "right", "model": "people", "target": {"list": "all"}}
    sync = parse_sync({**content, "identifiers": {"email": "email"}}, "syncs/posted.yml")
    report = world.carry(sync, opened["right"])
    assert (report.sent, report.rejected, report.skipped) == (2, 1, 1)
    assert Postbox.people == {"p0@acme.co", "p1@acme.co"}
    world.settle(crowd[:1])
    assert world.carry(sync, opened["right"]).removed == 1
    assert Postbox.people == {"p0@acme.co"}


def test_the_shown_function_is_a_destination(world: World, people: Any, tmp_path: Path) -> None:
    file = tmp_path / "plugins/activate/destinations/birthday_cards.py"
    file.parent.mkdir(parents=True)
    file.write_text(shown(1))
    block = {"type": "birthday_cards", "options": {"list": str(tmp_path / "cards")}}
    cards = open_destination(ActivateSettings(destinations={"cards": block}), "cards", tmp_path)
    cards.check()
    crowd = people(3)
    crowd[2]["company"] = None
    world.settle(crowd)
    content = {"name": "cards", "destination": "cards", "model": "people", "fields": {"street": "company"}}
    sync = parse_sync({**content, "identifiers": {"id": "person_id"}}, "syncs/cards.yml")
    report = world.carry(sync, cards)
    assert (report.sent, report.rejected) == (2, 1)
    assert {row["reason"] for row in world.receipts(report)} == {None, "no street"}
    world.settle(crowd[:1])
    assert world.carry(sync, cards).removed == 1
    lines = (tmp_path / "cards").read_text().splitlines()
    assert lines == ["upsert p0000 Acme", "upsert p0001 Acme", "remove p0001 Acme"]


def test_what_a_function_raises_leaves_its_rows_unknown_and_names_nobody(world: World, people: Any) -> None:
    @destination(modes=("event",))
    def broken(batch: Any, options: dict[str, str]) -> None:
        raise KeyError(batch.rows[0]["email"])

    world.settle(people(2))
    content = {"name": "b", "destination": "b", "model": "people", "mode": "event", "fields": {"email": "email"}}
    sync = parse_sync({**content, "identifiers": {"id": "person_id"}}, "syncs/b.yml")
    report = world.carry(sync, broken(name="b"))
    assert (report.sent, report.unknown) == (0, 2)
    assert {row["reason"] for row in world.receipts(report)} == {"Broken raised KeyError: '***'"}
