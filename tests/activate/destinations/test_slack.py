"""Slack: a message that may be there is never posted twice, and a channel that takes none ends the run."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.slack import TOKEN

from ..conftest import AUDIENCE, World

CHANNEL = "C0SANDBOX"


def slack(world: World) -> Destination:
    block = {"type": "slack", "url": f"{world.sandbox.base_url}/slack", "token": TOKEN}
    return open_destination(ActivateSettings(destinations={"slack": block}), "slack", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_slack",
        "destination": "slack",
        "audience": AUDIENCE,
        "mode": "event",
        "target": {"channel": CHANNEL},
        "identifiers": {"person_id": "person_id"},
        "fields": {"text": {"template": "{{ first_name }} of {{ company }} is new"}},
    }
    return parse_sync({**content, **changes}, "syncs/to_slack.yml")


def texts(world: World) -> list[str]:
    held = world.sandbox.get("/sandbox/slack").json()["holds"].get(CHANNEL, {})
    return sorted(one["text"] for one in held.values())


def test_each_row_is_one_message_for_ever(world: World, people: Any) -> None:
    world.settle(people(2))
    world.carry(sync(), slack(world))
    world.settle(people(3))
    assert world.carry(sync(), slack(world)).sent == 1
    assert texts(world) == [f"Ann{number} of Acme is new" for number in range(3)]


def test_a_message_without_an_answer_is_reported_and_never_posted_again(world: World, people: Any) -> None:
    world.settle(people(1))
    world.order("slack", drop=True, accepted=True)
    first = world.carry(sync(), slack(world))
    second = world.carry(sync(), slack(world))
    assert (first.unknown, second.sent) == (1, 0)
    assert len(texts(world)) == 1


def test_being_told_to_wait_in_a_body_is_waiting_too(world: World, people: Any) -> None:
    world.settle(people(1))
    world.order("slack", status=200, body={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "9"})
    assert world.carry(sync(), slack(world)).sent == 1
    assert [round(pause) for pause in world.slept if pause > 5] == [9]


@pytest.mark.parametrize(("channel", "error"), [("C0NOWHERE", "channel_not_found"), ("C0ARCHIVED", "is_archived")])
def test_a_channel_that_takes_no_message_ends_the_run_with_its_key(
    world: World, people: Any, channel: str, error: str
) -> None:
    world.settle(people(2))
    with pytest.raises(DefinitionError, match=rf"target\.channel: .*{error}"):
        world.carry(sync(target={"channel": channel}), slack(world))


def test_a_message_without_a_text_is_refused_before_anything_is_posted(world: World) -> None:
    with pytest.raises(DefinitionError, match="needs a text"):
        world.carry(sync(fields={}), slack(world))
