"""Mailchimp: whoever unsubscribed stays so, whoever was archived comes back, whoever was deleted does not."""

from hashlib import md5
from pathlib import Path
from typing import Any

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.sandbox.vendors.mailchimp import KEY, LISTS

from ..conftest import AUDIENCE, World

LIST = next(iter(LISTS))


def mailchimp(world: World) -> Destination:
    block = {"type": "mailchimp", "url": f"{world.sandbox.base_url}/mailchimp", "api_key": KEY}
    return open_destination(ActivateSettings(destinations={"mailchimp": block}), "mailchimp", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_mailchimp",
        "destination": "mailchimp",
        "audience": AUDIENCE,
        "target": {"list_id": LIST, "tag": "prospect"},
        "identifiers": {"email_address": "email"},
        "fields": {"FNAME": "first_name"},
    }
    return parse_sync({**content, **changes}, "syncs/to_mailchimp.yml")


def members(world: World) -> dict[str, dict[str, Any]]:
    held = world.sandbox.get("/sandbox/mailchimp").json()["holds"].get("members", {})
    return {one["email_address"]: one for one in held.values()}


def change(world: World, method: str, path: str, content: Any = None) -> None:
    known_as = md5(b"p0@acme.co", usedforsecurity=False).hexdigest()
    url = f"/mailchimp/3.0/lists/{LIST}/members/{known_as}{path}"
    world.sandbox.request(method, url, json=content, auth=("us", KEY)).raise_for_status()


def test_whoever_unsubscribed_is_told_of_and_never_subscribed_again(world: World, people: Any) -> None:
    world.settle(people(2))
    world.carry(sync(), mailchimp(world))
    change(world, "PATCH", "", {"status": "unsubscribed"})
    world.carry(sync(fields={"FNAME": "last_name"}), mailchimp(world))
    held = members(world)["p0@acme.co"]
    assert (held["status"], held["merge_fields"]) == ("unsubscribed", {"FNAME": "Bly0"})


def test_a_leaver_loses_the_tag_and_stays_subscribed(world: World, people: Any) -> None:
    world.settle(people(2))
    world.carry(sync(), mailchimp(world))
    world.settle(people(2), ["p0001"])
    world.carry(sync(), mailchimp(world))
    told = {email: (one["status"], one["tags"]) for email, one in members(world).items()}
    assert told == {"p0@acme.co": ("subscribed", []), "p1@acme.co": ("subscribed", ["prospect"])}


def test_whoever_was_archived_comes_back_as_a_member(world: World, people: Any) -> None:
    archiving = sync(mode="mirror", on_leave="archive")
    for there in (["p0000", "p0001"], ["p0001"], ["p0000", "p0001"]):
        world.settle(people(2), there)
        world.carry(archiving, mailchimp(world))
    assert members(world)["p0@acme.co"]["status"] == "subscribed"


def test_whoever_unsubscribed_leaves_and_comes_back_without_being_subscribed(world: World, people: Any) -> None:
    archiving = sync(mode="mirror", on_leave="archive")
    world.settle(people(2))
    world.carry(archiving, mailchimp(world))
    change(world, "PATCH", "", {"status": "unsubscribed"})
    for there in (["p0001"], ["p0000", "p0001"]):
        world.settle(people(2), there)
        world.carry(archiving, mailchimp(world))
    assert members(world)["p0@acme.co"]["status"] == "unsubscribed"


def test_whoever_was_deleted_for_good_is_refused_with_the_vendors_words(world: World, people: Any) -> None:
    world.settle(people(1))
    world.carry(sync(), mailchimp(world))
    change(world, "POST", "/actions/delete-permanent")
    report = world.carry(sync(fields={"FNAME": "last_name"}), mailchimp(world))
    assert [row["code"] for row in world.receipts(report)] == ["Forgotten Email Not Subscribed"]
