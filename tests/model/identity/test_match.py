"""Records that are alike become probable links, found by Splink in a real lake."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from catchment.errors import PluginError, SettingsError
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model.identity.declared import Identifier, IdentitySettings
from catchment.model.identity.match import Matched, match

FIRST = ("Ann", "Bob", "Carla", "Dilip", "Eva", "Femi", "Gita", "Hugo", "Ines", "Jan", "Kim", "Lea", "Nils", "Olga")
STEMS, ENDS = ("Schmi", "Mey", "Kowal", "Bian", "Okon", "Pat", "Ander", "Ferr"), ("dt", "er", "ski", "chi", "kwo", "el")
MATCHING: dict[str, Any] = {
    "records": [
        {"table": "contacts", "identifier": "crm_id", "column": "contact_id"},
        {"table": "signups", "identifier": "email", "column": "mail"},
    ],
    "compare": {"first_name": "name", "last_name": "name", "city": "exact", "born": "date"},
    "candidates": [["last_name", "city"], ["born"]],
    "sure": [["first_name", "last_name", "born"]],
}
IDENTIFIERS = [
    Identifier(name="crm_id", sources=["user_id"], limit=1),
    Identifier(name="email", sources=["traits.email"], normalise="email"),
    Identifier(name="domain_userid", sources=["domain_userid"]),
]
SETTINGS = IdentitySettings(identifiers=IDENTIFIERS, links="identity_links", matching=MATCHING)


def person(draw: random.Random) -> dict[str, Any]:
    born = f"{draw.randrange(1950, 2005)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
    last = draw.choice(STEMS) + draw.choice(ENDS)
    return {"first_name": draw.choice(FIRST), "last_name": last, "city": f"City {draw.randrange(40)}", "born": born}


def misspelt(draw: random.Random, one: dict[str, Any]) -> dict[str, Any]:
    """Write a person as somebody else would: with a letter more, in capitals, or without a birthday."""
    other = dict(one)
    if draw.random() < 0.3:
        other["first_name"] += "a"
    if draw.random() < 0.3:
        other["last_name"] = f" {other['last_name'].upper()} "
    if draw.random() < 0.1:
        other["born"] = None
    return other


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """1,200 contacts, a third of whom signed up under an address that no contact has."""
    lake, draw = Lake(str(tmp_path_factory.mktemp("lake"))), random.Random(7)
    contacts = [person(draw) | {"contact_id": number} for number in range(1, 1201)]
    signups = [
        misspelt(draw, {name: one[name] for name in ("first_name", "last_name", "city", "born")})
        | {"mail": f"Someone{one['contact_id']}@Acme.example"}
        for one in contacts[::3]
    ]
    signups.append(person(draw) | {"mail": "no-reply@acme.example"})
    lake.overwrite("contacts", pa.Table.from_pylist(contacts))
    lake.overwrite("signups", pa.Table.from_pylist(signups))
    yield lake


def run(lake: Lake, settings: IdentitySettings) -> Matched:
    with open_engine(LakeSettings(), Path(lake.uri)).attach(lake) as session:
        return match(lake, session, settings)


def test_records_of_one_person_are_linked_and_others_are_not(lake: Lake) -> None:
    found = run(lake, SETTINGS)
    assert found.records == 1600  # an address that nobody has for oneself describes nobody
    links = lake.read("identity_links").filter(pa.compute.field("score") >= 0.95).to_pylist()
    assert found.joining == len(links)
    right = [
        link for link in links
        if {link["kind_a"], link["kind_b"]} == {"crm_id", "email"}
        and number(link["value_a"]) == number(link["value_b"])
    ]  # fmt: skip
    assert len(right) >= 0.85 * 400
    assert len(right) >= 0.98 * len(links)
    assert "Exact match on date of birth" in {part for link in links for part in link["because"].split("; ")}


def number(value: str) -> str:
    return "".join(letter for letter in value if letter.isdigit())


def test_the_same_records_in_another_order_give_the_same_links_and_write_nothing(lake: Lake) -> None:
    run(lake, SETTINGS)
    version = lake.version("identity_links")
    lake.overwrite("contacts", lake.read("contacts").sort_by([("born", "descending")]))
    assert not run(lake, SETTINGS).is_changed
    assert lake.version("identity_links") == version


def test_links_that_were_made_by_other_means_give_way(lake: Lake) -> None:
    found = run(lake, SETTINGS)
    lake.overwrite("identity_links", lake.read("identity_links").select(["kind_a", "value_a", "kind_b", "value_b"]))
    assert run(lake, SETTINGS).is_changed
    assert lake.read("identity_links", ["because"]).num_rows == found.links


def test_records_of_which_no_two_are_alike_have_no_links(tmp_path: Path) -> None:
    lake, draw = Lake(str(tmp_path)), random.Random(1)
    one = person(draw) | {"contact_id": "1", "mail": "a@acme.example"}
    lake.overwrite("contacts", pa.Table.from_pylist([one | {"born": "2001-01-01", "city": ""}]))
    lake.overwrite("signups", pa.Table.from_pylist([one | {"born": "1950-01-01"}]))
    assert run(lake, SETTINGS).links == 0
    assert lake.read("identity_links").num_rows == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"records": [{"table": "martians", "identifier": "crm_id", "column": "x"}]}, "no table 'martians'"),
        ({"records": [{"table": "contacts", "identifier": "crm_id", "column": "id"}]}, "has no column id"),
        ({"compare": {"first_name": "name", "shoe": "exact"}}, "has no column shoe"),
    ],
)
def test_a_table_or_column_that_does_not_stand_is_named_with_those_that_do(
    lake: Lake, change: dict[str, Any], told: str
) -> None:
    settings = IdentitySettings(identifiers=IDENTIFIERS, links="identity_links", matching=MATCHING | change)
    with pytest.raises(SettingsError, match=told) as raised:
        run(lake, settings)
    assert "contacts" in raised.value.hint or "contact_id" in raised.value.hint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"candidates": [["city"], ["city", "born"]]}, "'city' stands in every list"),
        ({"records": [{"table": "contacts", "identifier": "shoe", "column": "x"}]}, "'shoe' is none"),
    ],
)
def test_settings_by_which_nothing_could_be_found_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        IdentitySettings(identifiers=IDENTIFIERS, links="identity_links", matching=MATCHING | change)
    with pytest.raises(ValidationError, match="needs a table to write to"):
        IdentitySettings(identifiers=IDENTIFIERS, matching=MATCHING)


def test_without_splink_the_command_that_installs_it_is_told(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(PluginError, match="Splink is not installed") as raised:
        run(lake, SETTINGS)
    assert raised.value.hint == "pip install 'catchment[splink]'"
