"""A service is asked about events."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from catchment.errors import SettingsError, TransientError
from tests.enrich.enrichments.conftest import EnrichOne

ENTITY = "contexts_com_acme_person_1"
FAILURE = "contexts_com_snowplowanalytics_snowplow_failure_1"


class Directory(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers['Authorization']}")
        status = {"/people/gone": 404, "/people/ill": 503, "/people/no": 403}.get(self.path, 200)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"data": {"tier": "gold", "score": 7}}' if status == 200 else b"")

    def do_PUT(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def block() -> Iterator[dict[str, Any]]:
    with HTTPServer(("127.0.0.1", 0), Directory) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        Directory.asked = []
        yield {
            "type": "api_lookup", "url": f"http://127.0.0.1:{server.server_port}/people/{{user}}", "path": "data",
            "inputs": {"user": "user_id"}, "entity": "iglu:com.acme/person/jsonschema/1-0-0",
            "output": {"tier": "string", "score": "number"}, "headers": {"Authorization": "Bearer t"},
        }  # fmt: skip
        server.shutdown()
        thread.join()


def test_the_answer_is_an_entity(enrich_one: EnrichOne, block: dict[str, Any]) -> None:
    assert enrich_one(block, uid="a/b")[ENTITY] == [{"tier": "gold", "score": 7.0}]
    assert Directory.asked == ["/people/a%2Fb Bearer t"]


def test_inputs_are_sent_as_a_body_with_a_name_and_a_password(enrich_one: EnrichOne, block: dict[str, Any]) -> None:
    block |= {"method": "PUT", "headers": {}, "username": "ada", "password": "secret"}
    assert enrich_one(block, uid="a")[ENTITY] == [{"tier": "gold", "score": 7.0}]
    assert Directory.asked == ['{"user":"a"}', "/people/a Basic YWRhOnNlY3JldA=="]


def test_nobody_found_is_no_failure(enrich_one: EnrichOne, block: dict[str, Any]) -> None:
    row = enrich_one(block, uid="gone")
    assert (row[ENTITY], FAILURE in row) == (None, False)


@pytest.mark.parametrize("user", ["ill", "no"])
def test_a_refusal_flags_the_event(enrich_one: EnrichOne, block: dict[str, Any], user: str) -> None:
    assert enrich_one(block, uid=user)[FAILURE][0]["component_name"] == "catchment.enrich.api_lookup"


def test_the_batch_waits_for_a_service_if_wished(enrich_one: EnrichOne, block: dict[str, Any]) -> None:
    with pytest.raises(TransientError):
        enrich_one({**block, "on_error": "wait"}, uid="ill")


def test_a_url_with_an_unknown_input_is_refused(enrich_one: EnrichOne, block: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="nonsense"):
        enrich_one({**block, "url": "http://a.example/{nonsense}"})
