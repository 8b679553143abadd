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


def shown() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return block


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
