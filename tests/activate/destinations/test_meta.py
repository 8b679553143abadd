"""Meta: what is hashed, in what form, and what its counts are taken for."""

from hashlib import sha256
from typing import Any

import polars as pl
import pytest

from catchment.activate.caller import open_caller
from catchment.activate.destination import SENT, Batch, Refused
from catchment.errors import DefinitionError

from ..conftest import World


def hashed(value: str) -> str:
    return sha256(value.encode()).hexdigest()


@pytest.mark.parametrize(
    ("key", "value", "normal"),
    [
        ("EMAIL", " Ann.Bly@ACME.co ", "ann.bly@acme.co"),
        ("PHONE", "+49 (0) 731-55", "49073155"),
        ("PHONE", "0049 731 55", "4973155"),
        ("FN", " José ", "josé"),
        ("LN", "O'Neill-Bly", "oneillbly"),
        ("FI", "Ann", "a"),
        ("CT", "New York", "newyork"),
        ("ST", "CA", "ca"),
        ("ZIP", "94025-1234", "94025"),
        ("ZIP", "SW1A 1AA", "sw1a1aa"),
        ("COUNTRY", "DE", "de"),
        ("GEN", "Female", "f"),
        ("DOBM", "7", "07"),
    ],
)
def test_values_are_normalised_and_then_hashed(world: World, key: str, value: str, normal: str) -> None:
    sync = world.sync("meta", identifiers={key: "email"}, fields={})
    shaped = world.destination("meta").shape(pl.DataFrame({"_row_key": ["p1"], key: [value]}), sync)
    assert shaped[key].to_list() == [hashed(normal)]


def test_what_is_hashed_already_is_left_alone_and_ids_are_not_hashed(world: World) -> None:
    sync = world.sync("meta", identifiers={"EMAIL": "email", "EXTERN_ID": "person_id"}, fields={})
    rows = pl.DataFrame({"_row_key": ["p1"], "EMAIL": [hashed("a@b.co")], "EXTERN_ID": ["p1"]})
    shaped = world.destination("meta").shape(rows, sync)
    assert (shaped["EMAIL"][0], shaped["EXTERN_ID"][0]) == (hashed("a@b.co"), "p1")


def test_a_batch_with_invalid_entries_is_refused_because_meta_only_counts_them(world: World) -> None:
    rows = [{"EMAIL": hashed("a@b.co")}, {"EMAIL": "not hashed"}]
    batch = Batch(world.sync("meta"), "upsert", rows)
    with open_caller() as caller, pytest.raises(Refused, match=r"1 invalid of 2 received, such as .*not hashed"):
        world.destination("meta").send(batch, caller)


def test_a_throttle_that_comes_as_a_400_is_waited_out(world: World, people: Any) -> None:
    world.settle(people(2))
    throttled = {"error": {"message": "too many calls", "code": 80003}}
    world.order("meta", status=400, body=throttled)
    assert world.run("meta").sent == 2
    assert len(world.slept) == 1


def test_an_audience_that_is_not_there_is_named_with_the_sync(world: World, people: Any) -> None:
    world.settle(people(2))
    with pytest.raises(DefinitionError, match=r"syncs/to_meta\.yml: Meta refused .* '99' does not exist") as refused:
        world.run("meta", world.sync("meta", target={"audience_id": "99"}))
    assert "audience_id" in refused.value.hint


def test_a_key_that_meta_cannot_match_is_refused(world: World) -> None:
    with pytest.raises(DefinitionError, match="Meta has no key 'MAIL'") as refused:
        world.destination("meta").accept(world.sync("meta", identifiers={"MAIL": "email"}))
    assert "Did you mean 'EMAIL'?" in refused.value.hint


def test_a_snapshot_replaces_the_audience_in_one_session(world: World, people: Any) -> None:
    sync = world.sync("meta", mode="snapshot")
    for count in (5, 2):
        world.settle(people(count))
        assert world.run("meta", sync).sent == count
        assert len(world.members("meta")) == count


def test_a_large_snapshot_comes_in_batches_that_follow_each_other(world: World) -> None:
    meta, sync = world.destination("meta"), world.sync("meta", mode="snapshot")
    with open_caller() as caller:
        for number in (1, 2):
            rows = [{"EMAIL": sha256(bytes([number])).hexdigest()}]
            batch = Batch(sync, "upsert", rows, ("a",), "b", "run", number, 2, number == 2)
            assert meta.send(batch, caller) == [SENT]
        assert len(world.members("meta")) == 2
        with pytest.raises(DefinitionError, match="is not the one that is due"):
            meta.send(batch, caller)
