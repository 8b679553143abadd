"""An endpoint of one's own: what it is called with, and how it is believed."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.webhook import SECRET

from ..conftest import World

BODY = """{"operation": {{ operation | json }}, "rows": [
{%- for row in rows -%}
{"id": {{ row.id | json }}, "greeting": {{ row.first_name | upcase | json }}}{% unless forloop.last %},{% endunless %}
{%- endfor -%}]}"""


@pytest.fixture
def hook(world: World) -> Destination:
    url = f"{str(world.sandbox.base_url).rstrip('/')}/webhook"
    block = {"type": "webhook", "url": url, "secret": SECRET, "knows_ids": True}
    world.sandbox.delete("/sandbox/webhook").raise_for_status()
    return open_destination(ActivateSettings(destinations={"hook": block}), "hook", Path())


def declared(**changes: Any) -> Sync:
    content = {"name": "told", "destination": "hook", "model": "people", "identifiers": {"id": "person_id"}}
    changes["target"] = {"path": "rows", **changes.get("target", {})}
    return parse_sync({**content, "fields": {"first_name": "first_name"}, **changes}, "syncs/told.yml")


def held(world: World, kind: str) -> dict[str, Any]:
    records: dict[str, Any] = world.sandbox.get("/sandbox/webhook").json()["holds"].get(kind, {})
    return records


def test_a_template_makes_the_body_and_it_is_signed_as_it_goes(world: World, people: Any, hook: Destination) -> None:
    world.settle([*people(2), {**people(3)[2], "first_name": 'Zoë "Z"'}])
    assert world.carry(declared(target={"body": BODY, "rows": 2}), hook).sent == 3
    assert [row["greeting"] for row in held(world, "rows").values()] == ["ANN0", "ANN1", 'ZOË "Z"']
    assert len(held(world, "calls")) == 2


def test_a_call_for_each_row_leaves_the_others_alone(world: World, people: Any, hook: Destination) -> None:
    world.settle(people(3))
    sync = declared(target={"per": "row"}, mode="event")
    assert world.carry(sync, hook).sent == 3
    assert len(held(world, "calls")) == 3
    assert world.carry(sync, hook).sent == 0


def test_what_cannot_be_is_told_before_anything_is_called(world: World, people: Any, hook: Destination) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match=r"target: body: no Liquid"):
        world.carry(declared(target={"body": "{% if %}"}), hook)
    with pytest.raises(DefinitionError, match="answers 404"):
        world.carry(declared(target={"path": "nowhere"}), hook)
