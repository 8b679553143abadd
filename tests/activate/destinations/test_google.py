"""Customer Match through the Data Manager API: what is told of a person, and what Google says later."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch, Job
from catchment.activate.caller import open_caller
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError

from ..conftest import World
from ..exam import Place, find_exams

EXAM = find_exams()["google"]


@pytest.fixture
def google(world: World, tmp_path: Path) -> Destination:
    world.sandbox.delete("/sandbox/google").raise_for_status()
    block = {"type": "google", **EXAM.settings(Place("google", world.sandbox, tmp_path))}
    return open_destination(ActivateSettings(destinations={"google": block}), "google", tmp_path)


def declared(**changes: Any) -> Sync:
    content = {"name": "list", "destination": "google", "model": "people", **EXAM.sync, **changes}
    return parse_sync(content, "syncs/list.yml")


def members(world: World) -> list[Any]:
    return list(world.sandbox.get("/sandbox/google").json()["holds"].get("members", {}).values())


def test_names_and_mail_are_hashed_and_places_are_not(world: World, people: Any, google: Destination) -> None:
    (ann,) = people(1)
    world.settle([{**ann, "email": " A.B@GMail.com", "first_name": " Ann ", "company": "10115"}])
    address = {"first_name": "first_name", "last_name": "last_name", "country": "country", "postal_code": "company"}
    world.carry(declared(fields=address), google)
    (told,) = members(world)
    mail, place = told["userIdentifiers"]
    assert mail == {"emailAddress": sha256(b"ab@gmail.com").hexdigest()}
    assert place["address"]["givenName"] == sha256(b"ann").hexdigest()
    assert (place["address"]["regionCode"], place["address"]["postalCode"]) == ("de", "10115")


def test_half_an_address_is_refused_before_anything_is_sent(world: World, people: Any, google: Destination) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match="an address takes country, last_name, postal_code too"):
        world.carry(declared(fields={"first_name": "first_name"}), google)


def test_a_job_that_google_took_in_part_says_so_in_every_receipt(world: World, google: Destination) -> None:
    counts = [{"recordCount": "1", "reason": "PROCESSING_ERROR_REASON_INVALID_IDENTIFIER"}]
    batch = Batch(declared(), "upsert", [{"email": "x"}] * 2, ("a", "b"), "one")
    for status, verdict in (("PARTIAL_SUCCESS", "sent"), ("FAILED", "rejected")):
        told = {"requestStatus": status, "errorInfo": {"errorCounts": counts}}
        world.order("google", status=200, after=1, body={"requestStatusPerDestination": [told]})
        with open_caller() as caller:
            google.ask(caller)
            outcomes = google.poll(Job("job"), batch, caller)
        assert outcomes is not None and {(one.status, one.code) for one in outcomes} == {(verdict, status)}
        assert "1 PROCESSING_ERROR_REASON_INVALID_IDENTIFIER" in str(outcomes[0].reason)


def test_a_list_of_another_account_is_named_with_the_sync(world: World, people: Any, google: Destination) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match=r"syncs/list\.yml: Google refused"):
        world.carry(declared(target={**EXAM.sync["target"], "account_id": "1"}), google)
