"""What settings may declare, and how a wrong one is told."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from catchment.errors import DefinitionError
from catchment.model.identity.declared import Identifier, IdentitySettings
from catchment.model.identity.orders import Orders
from catchment.model.identity.places import identity_columns, told_identifiers
from catchment.model.identity.rules import PairRules, read_rules
from catchment.model.identity.spelling import spell

COOKIE = {"name": "domain_userid", "sources": "domain_userid"}
HASH = "2f2ef9b9d2a3b5c1a0d4f1e2c3b4a5968778695a4b3c2d1e0f1a2b3c4d5e6f70"
ENTITY = pa.list_(pa.struct([("email", pa.string())]))
KNOWN = pa.schema(
    [
        ("user_id", pa.string()), ("domain_userid", pa.string()), ("contexts_com_acme_user_1", ENTITY),
        ("unstruct_event_com_acme_order_1", pa.struct([("buyer", pa.string())])),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"identifiers": [{"name": "user_id", "sources": "user_id"}]}, "must have `domain_userid`"),
        ({"identifiers": [COOKIE, COOKIE]}, "named twice: domain_userid"),
        ({"identifiers": [COOKIE, {"name": "mail", "sources": "a.b.c"}]}, "'a.b.c' is neither COLUMN nor COLUMN.FIELD"),
        ({"identifiers": [COOKIE, {"name": "mail", "sources": "a", "hashed_sources": "b"}]}, "need `hash: true`"),
        ({"identifiers": [COOKIE, {"name": "mail", "sources": "a", "limit": 0}]}, "greater than or equal to 1"),
        ({"blocked": ["it's"]}, "holds a quote or a backslash"),
        ({"blocked_patterns": ["("]}, "is no regular expression"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        IdentitySettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "how", "spelled"),
    [
        (" Ada ", "trim", "Ada"),
        (" Ada ", "lower", "ada"),
        (" Ada ", "none", " Ada "),
        (" Ada@X.com ", "email", "ada@x.com"),
        ("ada at x", "email", None),
        ("+49 (30) 123-456", "phone", "+4930123456"),
        ("0049 30 123456", "phone", "+4930123456"),
        ("12", "phone", None),
        ("NULL", "trim", None),
        ("00000000-0000-0000-0000-000000000000", "lower", None),
        ("", "none", None),
        ("no-reply@x.com", "email", None),
    ],
)
def test_spellings_become_one_and_what_identifies_nobody_is_none(value: str, how: str, spelled: str | None) -> None:
    identifier = Identifier(name="x", sources=["x"], normalise=how)  # type: ignore[arg-type]
    assert spell(value, identifier, IdentitySettings()) == spelled


def test_a_hash_of_a_hashed_identifier_is_itself() -> None:
    email = IdentitySettings().identifier("email")
    assert email is not None
    assert spell(HASH.upper(), email, IdentitySettings()) == HASH
    assert spell("Ada@x.com", email, IdentitySettings()) == spell("ada@X.com ", email, IdentitySettings())


def test_identifiers_are_told_by_entities_events_and_traits_that_have_come() -> None:
    email = {
        "name": "email", "hash": True, "hashed_sources": "contexts_com_acme_crm_1.hash",
        "sources": ["traits.email", "unstruct_event_com_acme_order_1.buyer", "unstruct_event_com_acme_order_1.later"],
    }  # fmt: skip
    settings = IdentitySettings(identifiers=[email, {"name": "later", "sources": "contexts_com_acme_x_1.id"}, COOKIE])  # type: ignore[list-item]
    told = told_identifiers(settings, {"email": ["contexts_com_acme_user_1.email"]}, KNOWN)
    assert [each["name"] for each in told] == ["email", "domain_userid"]
    assert [(place["column"], place["field"]) for place in told[0]["places"]] == [
        ("contexts_com_acme_user_1", "email"),
        ("unstruct_event_com_acme_order_1.buyer", ""),
    ]
    assert identity_columns(told) == ["contexts_com_acme_user_1", "domain_userid", "unstruct_event_com_acme_order_1"]


@pytest.mark.parametrize("source", ["no_such_column", "user_id.field"])
def test_a_source_that_is_no_column_is_told(source: str) -> None:
    settings = IdentitySettings(identifiers=[{"name": "mail", "sources": source}, COOKIE])  # type: ignore[list-item]
    with pytest.raises(DefinitionError, match=r"model\.identity: 'mail' is told by"):
        told_identifiers(settings, {}, KNOWN)


def test_rules_are_read_as_the_tables_spell_them(tmp_path: Path) -> None:
    (tmp_path / "identity.yml").write_text(
        "never: [[user_id:ada, user_id:bob]]\nalways: [['email:ADA@x.com', 'domain_userid:c:1']]\n"
    )
    rules = read_rules(tmp_path, IdentitySettings())
    assert rules.never == ((("user_id", "ada"), ("user_id", "bob")),)
    ((email, cookie),) = rules.always
    assert (email[0], len(email[1]), cookie) == ("email", 64, ("domain_userid", "c:1"))
    orders = Orders.of(IdentitySettings(), rules)
    orders.write(tmp_path / "orders.json")
    assert Orders.read(tmp_path / "orders.json") == orders
    assert orders.mark != Orders.of(IdentitySettings(), PairRules()).mark


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nevr: []", "may hold only never, cut, always"),
        ("never: user_id:ada", "is no list of pairs"),
        ("never: [[user_id:ada]]", "rule 1 is no pair"),
        ("never: [[user_id:ada, login:bob]]", "'login:bob' is no KIND:VALUE"),
        ("never: [[user_id:ada, user_id:null]]", "identifies nobody"),
        ("never: [[user_id:ada, user_id:ada]]", "with itself"),
        ("never: [", "is not YAML"),
    ],
)
def test_a_wrong_rule_names_its_place(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "identity.yml").write_text(text)
    with pytest.raises(DefinitionError, match=re.escape(why)):
        read_rules(tmp_path, IdentitySettings())


def test_orders_are_read_as_they_were_written(tmp_path: Path) -> None:
    rules = PairRules(never=((("user_id", "ada"), ("user_id", "bob")),))
    orders = Orders.of(IdentitySettings(burst={"links": 20, "days": 2}), rules)
    orders.write(tmp_path / "identity.json")
    assert Orders.read(tmp_path / "identity.json") == orders
    assert orders.burst == (20, 172_800_000_000)
    assert orders.mark != Orders.of(IdentitySettings(burst={"links": 20}), rules).mark
