"""Identity in the lake: who is who after a build, and after another, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.errors import DefinitionError
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.explain import Line, explain
from catchment.model.identity.spelling import spell
from catchment.model.plan import merged_models
from catchment.tables import MODEL_BUILDS
from tests.model.conftest import USER, Built, append_and_build, at, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
PHONE = {"name": "phone", "sources": "mkt_term", "normalise": "phone", "limit": 2}
PLAIN = {"name": "plain", "sources": "mkt_content", "normalise": "lower", "blocked_patterns": ["^test-"]}
DECLARED: dict[str, Any] = {
    "identifiers": [
        {"name": "user_id", "sources": "user_id", "limit": 1},
        {"name": "email", "sources": "traits.email", "normalise": "email", "hash": True, "limit": 5},
        PHONE,
        PLAIN,
        {
            "name": "domain_userid",
            "sources": "domain_userid",
            "aliases": "refr_domain_userid",
            "normalise": "none",
            "limit": 1000,
        },
    ]
}
TRAITS = {
    "email": f"{USER}.email",
    "plan": {"sources": "mkt_medium", "keep": "first"},
    "city": {"sources": "mkt_campaign", "keep": "most_frequent"},
    "company": {"sources": ["mkt_source", "mkt_network"], "keep": "source"},
}
SETTINGS: dict[str, Any] = {"traits": TRAITS, "identity": DECLARED}
DAY = 86_400
SPELLED = ["+49 30 1234567", "0049 30 1234567", "123", "none", " Ada's Laptop ", "TEST-1", "Räksmörgås", "00-00"]


def seen(number: int, cookie: str, seconds: float, **columns: Any) -> dict[str, Any]:
    return event(number, seconds=seconds, domain_userid=cookie, domain_sessionid=f"{cookie}-s", view=cookie, **columns)


EVENTS = [
    seen(1, "desk", 0),
    seen(2, "desk", 10, user_id="ada", email="Ada@acme.example"),
    seen(3, "phone", 20, email="ada@ACME.example "),
    seen(4, "lab", 30, user_id="ada", email="ada@home.example"),
    seen(5, "lab", 40, user_id="bob"),
    seen(6, "bobs", 50, user_id="bob"),
    seen(7, "anonymous-visitor", 60, user_id="anonymous"),
    seen(14, "shop.example", 65),
    seen(15, "blog.example", 66, refr_domain_userid="shop.example"),
    seen(8, "gold", 70, mkt_medium="free", mkt_campaign="Oslo", mkt_network="guessed", user_id="eve"),
    seen(9, "gold", 80 + DAY, mkt_medium="pro", mkt_campaign="Bergen", mkt_source="told", user_id="eve"),
    seen(10, "gold", 90 + 2 * DAY, mkt_campaign="Oslo", mkt_network="guessed"),
    event(11, seconds=99 + 2 * DAY, domain_userid=None, domain_sessionid=None, user_id="eve", mkt_source="invoiced"),
    seen(12, "gold", 95 + 2 * DAY, mkt_campaign="Bergen"),
    seen(13, "gold", 96 + 2 * DAY, mkt_campaign="Bergen"),
    *(seen(20 + n, f"s{n}", 100 + n, mkt_term=text, mkt_content=text) for n, text in enumerate(SPELLED)),
]


@pytest.fixture(scope="module")
def folder(workshop: Path) -> Iterator[Path]:
    yield empty_project(workshop)
    (workshop / "identity.yml").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def told(folder: Path) -> Built:
    return append_and_build(folder, EVENTS, **SETTINGS)


def people(told: Built) -> dict[str, str]:
    rows = told.lake.read("identity_identifiers").to_pylist()
    return {f"{row['kind']}:{row['value'][:8]}": row["person_id"] for row in rows}


def test_who_is_who_reaches_people(told: Built) -> None:
    mapping = told.rows("user_mapping", "domain_userid")
    known = {cookie: row for cookie, row in mapping.items() if row["user_id"] in ("ada", "bob")}
    assert {cookie: (row["user_id"], row["person_id"]) for cookie, row in known.items()} == {
        "desk": ("ada", "desk"), "phone": ("ada", "desk"), "lab": ("bob", "bobs"), "bobs": ("bob", "bobs"),
    }  # fmt: skip
    found = told.rows("people", "person_id")
    assert {"desk", "bobs", "anonymous-visitor"} <= found.keys()
    assert (found["desk"]["devices"], found["desk"]["user_id"]) == (2, "ada")
    assert "phone" not in found


def test_a_visitor_who_comes_over_from_another_site_is_the_same_person(told: Built) -> None:
    assert people(told)["domain_userid:blog.exa"] == "shop.example"


def test_of_what_a_person_was_told_to_be_the_declared_value_survives(told: Built) -> None:
    person = told.rows("people", "person_id")["gold"]
    assert (person["plan"], person["city"], person["company"]) == ("free", "Bergen", "invoiced")


def test_what_is_told_on_a_shared_device_is_theirs_who_was_logged_in(told: Built) -> None:
    found = told.rows("people", "person_id")
    assert (found["desk"]["email"], found["bobs"]["email"]) == ("ada@home.example", None)


def test_the_sql_spells_as_python_does(told: Built) -> None:
    settings = IdentitySettings(**DECLARED)
    rows = told.lake.read("identity_identifiers").to_pylist()
    for kind in ("phone", "plain"):
        identifier = settings.identifier(kind)
        assert identifier is not None
        spelled = {spell(text, identifier, settings) for text in SPELLED} - {None}
        assert {row["value"] for row in rows if row["kind"] == kind} == spelled


def test_no_address_is_in_the_tables_but_its_hash(told: Built) -> None:
    values = [row["value"] for row in told.lake.read("identity_identifiers").to_pylist() if row["kind"] == "email"]
    assert [len(value) for value in values] == [64, 64]


def test_a_person_is_explained(told: Built, folder: Path) -> None:
    lines = explained(told, folder, "Ada@acme.example")
    facts = {(line.fact, line.what): line for line in lines}
    assert ("person", "desk") in facts
    assert facts["identifier", "domain_userid:desk"].since == at(0)
    assert facts["edge", "user_id:ada - domain_userid:desk"].detail == "days: 1, events"
    assert facts["conflict", "user_id:ada - domain_userid:lab"].detail == "shared of user_id"
    assert {line.what for line in explained(told, folder, "user_id:ada") if line.fact == "person"} == {"desk"}
    assert explained(told, folder, "desk")[0].what == "desk"
    with pytest.raises(DefinitionError, match="Nobody is known as 'mallory'"):
        explained(told, folder, "mallory")


def explained(told: Built, folder: Path, text: str) -> list[Line]:
    with open_engine(LakeSettings(), folder).attach(told.lake) as session:
        return explain(session, text, IdentitySettings(**DECLARED))


def test_a_rule_undoes_a_merge_without_counting_all_anew_and_the_change_is_logged(told: Built, folder: Path) -> None:
    assert people(told)["domain_userid:phone"] == "desk"
    (folder / "identity.yml").write_text('never: [["user_id:ada", "domain_userid:phone"]]')
    after = append_and_build(folder, [], **SETTINGS)
    assert after.report.plan.startswith("events since")
    assert people(after)["domain_userid:phone"] == "phone"
    assert after.rows("people", "person_id")["phone"]["devices"] == 1
    assert after.rows("sessions", "domain_sessionid")["phone-s"]["person_id"] == "phone"
    (change,) = after.lake.read("identity_changes").to_pylist()
    assert (change["value"], change["person_before"], change["person_id"]) == ("phone", "desk", "phone")
    (conflict,) = [row for row in after.lake.read("identity_conflicts").to_pylist() if row["reason"] == "rule"]
    assert (conflict["kind_a"], conflict["value_b"]) == ("email", "phone")


def test_a_build_that_was_cut_off_after_rules_were_applied_is_made_good(told: Built, folder: Path) -> None:
    """Who is who stands by the new rules then, and what was made of it does not: the next build has no news of it."""
    (folder / "identity.yml").write_text('never: [["user_id:ada", "domain_userid:phone"]]')
    append_and_build(folder, [], **SETTINGS)
    noted = told.lake.read("model_builds").to_pylist()
    before = {name: told.lake.delta(name).version() for name in merged_models()}
    (folder / "identity.yml").unlink()
    append_and_build(folder, [], **SETTINGS)
    for name, version in before.items():
        if told.lake.version(name) != version:
            told.lake.delta(name).restore(version)
    now = {row["model"]: row for row in told.lake.read("model_builds").to_pylist()}
    rows = [row for row in noted if row["model"] != "identity"] + [now["identity"]]
    told.lake.overwrite("model_builds", pa.Table.from_pylist(rows, schema=MODEL_BUILDS.schema))
    after = append_and_build(folder, [], **SETTINGS)
    assert after.report.plan.startswith("events since")
    assert after.rows("user_mapping", "domain_userid")["phone"]["person_id"] == "desk"
    assert after.rows("people", "person_id")["desk"]["devices"] == 2
