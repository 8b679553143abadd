"""Own lists of sites come before ours."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from catchment.errors import SettingsError, TransientError
from tests.enrich.enrichments.conftest import EnrichOne


def test_sites_of_your_own_file_come_first(enrich_one: EnrichOne, tmp_path: Path) -> None:
    (tmp_path / "sites.yml").write_text("partner: {Acme Partner: [partner.example/shop, google.com]}\n")
    block = {"type": "referer", "path": "sites.yml"}
    for referrer in ("https://partner.example/shop/1", "https://www.google.com/"):
        row = enrich_one(block, refr=referrer)
        assert (row["refr_medium"], row["refr_source"]) == ("partner", "Acme Partner")


SNOWPLOWS = {
    "search": {"Acme": {"domains": ["Search.Acme.example"], "parameters": ["find", "q"]}},
    "paid": {"Acme Ads": {"domains": ["ads.acme.example/click"]}},
}


class Host(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/list.json": 200, "/ill.json": 503}.get(self.path, 404)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(SNOWPLOWS).encode() if status == 200 else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Host) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_list_at_a_url_in_snowplows_form_is_read_with_its_search_words(enrich_one: EnrichOne, host: str) -> None:
    block = {"type": "referer", "path": f"{host}/list.json"}
    row = enrich_one(block, refr="https://www.search.acme.example/x?q=two%20words")
    assert (row["refr_medium"], row["refr_source"], row["refr_term"]) == ("search", "Acme", "two words")
    assert enrich_one(block, refr="https://ads.acme.example/click/1")["refr_medium"] == "paid"
    assert enrich_one(block, refr="https://www.bing.com/?q=a")["refr_source"] == "Bing"


def test_a_url_that_does_not_answer_makes_the_batch_wait_and_a_wrong_one_is_told(
    enrich_one: EnrichOne, host: str
) -> None:
    for wrong, error in (("ill.json", TransientError), ("absent.json", SettingsError)):
        with pytest.raises(error, match="list of referers"):
            enrich_one({"type": "referer", "path": f"{host}/{wrong}"})


@pytest.mark.parametrize(
    ("referrer", "medium"),
    [
        ("https://WWW.acme.example/a", "internal"),
        ("https://shop.acme.example/", "internal"),
        ("https://docs.acme.example/", "unknown"),
        ("https://googleads.g.doubleclick.net/pagead", "paid"),
        ("ftp://www.google.com/", None),
    ],
)
def test_what_is_yours_is_internal_in_any_case(enrich_one: EnrichOne, referrer: str, medium: str | None) -> None:
    block = {"type": "referer", "internal_domains": ["Shop.Acme.example"]}
    assert enrich_one(block, url="https://www.acme.example/", refr=referrer)["refr_medium"] == medium


def test_a_file_that_is_not_there_is_told(enrich_one: EnrichOne) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yml"):
        enrich_one({"type": "referer", "path": "nowhere.yml"})
