"""Visitors come as decided by the seed, and the truth about them stays out of what is sent."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from catchment.schema import SchemaSettings
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import open_resolver
from catchment.simulate.payloads import Delivery, draw_deliveries
from catchment.simulate.run import draw_life
from tests.simulate.geo_database import write_geo_database

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "saas"


def lives(count: int, seed: int = 7) -> list[Any]:
    return [draw_life(seed, number, NOW) for number in range(count)]


def sent(life: Any) -> list[Delivery]:
    return list(draw_deliveries(Random(life.visitor.domain_userid), life.visitor, life.visits))


def described(event: dict[str, str]) -> list[tuple[str, Any]]:
    found = []
    for plain, coded in (("co", "cx"), ("ue_pr", "ue_px")):
        text = event.get(plain) or base64.urlsafe_b64decode(event.get(coded, "") + "===").decode()
        if text:
            data = json.loads(text)["data"]
            found.extend((item["schema"], item["data"]) for item in (data if isinstance(data, list) else [data]))
    return found


@pytest.fixture(scope="module")
def crowd() -> list[Any]:
    return lives(400)


def test_the_same_seed_sends_the_same_events() -> None:
    assert [sent(life) for life in lives(5)] == [sent(life) for life in lives(5)]
    assert sent(lives(1)[0]) != sent(lives(1, seed=8)[0])


def test_every_event_but_those_broken_on_purpose_keeps_its_schema(crowd: list[Any]) -> None:
    resolver = open_resolver(SchemaSettings(), EXAMPLE)
    wrong = broken = total = 0
    for delivery in (delivery for life in crowd for delivery in sent(life)):
        broken += delivery.broken
        for event in json.loads(delivery.body)["data"]:
            total += 1
            keys = [(SchemaKey.parse(uri), data) for uri, data in described(event)]
            wrong += any(key is None or resolver.validate(key, data) for key, data in keys)
    assert wrong == broken
    assert 0.005 < broken / total < 0.02


def test_tracking_breaks_in_more_than_one_way(crowd: list[Any]) -> None:
    resolver = open_resolver(SchemaSettings(), EXAMPLE)
    broken = set()
    for delivery in (delivery for life in crowd for delivery in sent(life)):
        for event in json.loads(delivery.body)["data"] if delivery.broken else ():
            keys = [(SchemaKey.parse(uri), data) for uri, data in described(event)]
            broken |= {key.name for key, data in keys if key is not None and resolver.validate(key, data)}
    assert broken == {"web_page", "experiment", "user", "white_paper_downloaded"}


def test_the_truth_is_in_nothing_that_is_sent(crowd: list[Any]) -> None:
    bodies = b"".join(delivery.body for delivery in sent(crowd[0]))
    assert b"intent" not in bodies
    assert b"probab" not in bodies


def test_visitors_convert_as_often_as_their_probability_says() -> None:
    settled = [life for life in lives(3000) if not life.visitor.is_bot and not life.outcome.converted_before]
    settled = [life for life in settled if (NOW - life.outcome.first_session_end).days >= 15]
    expected = sum(life.outcome.true_probability for life in settled)
    assert sum(life.outcome.label for life in settled) == pytest.approx(expected, rel=0.25)


def test_there_are_bots_duplicates_and_clocks_that_are_off(crowd: list[Any]) -> None:
    assert any(life.visitor.is_bot for life in crowd)
    assert any(delivery.copies for life in crowd for delivery in sent(life))
    assert any(abs(life.visitor.clock_skew_ms) > 3_600_000 for life in crowd)


def test_the_examples_database_knows_every_simulated_address(tmp_path: Path) -> None:
    write_geo_database(tmp_path / "geo.mmdb")
    assert (tmp_path / "geo.mmdb").read_bytes() == (EXAMPLE / "data/geo.mmdb").read_bytes()
