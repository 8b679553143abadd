"""Consent: what each person said last of each purpose, from Snowplow's events and Segment's context."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pyarrow as pa
import pytest

from catchment.event import TIMESTAMP, atomic_schema
from catchment.lake import LakeSettings
from catchment.lake.lake import Lake
from catchment.model.variables import CONSENT, fields_of
from catchment.schema.arrow import column_name, merge_versions
from catchment.schema.key import SchemaKey
from catchment.schema.registries.embedded import Embedded
from tests.model.conftest import WEB_PAGE, append_and_build, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
TEXT, TEXTS = pa.string(), pa.list_(pa.string())
FIELDS: dict[str, Any] = {
    "preferences": {"event_type": TEXT, "basis_for_processing": TEXT, "consent_version": TEXT, "consent_scopes": TEXTS},
    "granted": {"expiry": TIMESTAMP},
    "withdrawn": {"all": pa.bool_()},
    "document": {"id": TEXT, "version": TEXT},
    "gdpr": {"basis_for_processing": TEXT, "document_id": TEXT, "document_version": TEXT},
    "segment": {"consent": TEXT},
}


def typed(kind: str) -> pa.DataType:
    struct = pa.struct(list(FIELDS[kind].items()))
    return pa.list_(struct) if CONSENT[kind][0].startswith("contexts") else struct


def said(number: int, days: float, cookie: str | None = "ann", **kinds: Any) -> dict[str, Any]:
    told = datetime.now(UTC) - timedelta(days=days)
    times = ("collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "etl_tstamp", "load_tstamp")
    more = {key: kinds.pop(key) for key in ("user_id", "dvce_sent_tstamp") if key in kinds}
    columns = {CONSENT[kind][0]: value for kind, value in kinds.items()}
    own = {"domain_userid": cookie, "domain_sessionid": cookie and f"s-{cookie}", "view": f"p{number}"}
    return event(number, "consent", **dict.fromkeys(times, told), **own, **more, **columns)


def prefer(word: str, *scopes: str) -> dict[str, Any]:
    return {
        "event_type": word,
        "basis_for_processing": "consent",
        "consent_version": "2.0",
        "consent_scopes": list(scopes),
    }


def document(name: str) -> list[dict[str, str]]:
    return [{"id": name, "version": "1"}]


def build(folder: Path, rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Append events with those columns only that they bring, and give the consents."""
    kinds = {column: typed(kind) for kind, (column, _) in CONSENT.items() if any(column in row for row in rows)}
    page = pa.list_(pa.struct([("id", pa.string())]))
    schema = pa.schema([*atomic_schema(), (WEB_PAGE, page), *kinds.items()])
    Lake.open(LakeSettings(), folder).append("events", pa.Table.from_pylist(rows, schema=schema))
    told = append_and_build(folder, []).lake.read("consents").to_pylist()
    return {(row["person_id"], row["purpose"]): (row["granted"], row["status"]) for row in told}


def test_the_columns_that_are_read_are_those_of_the_shipped_schemas(project: Path) -> None:
    """Snowplow's and Segment's schemas give the very columns and fields that the model reads."""
    shipped = Embedded()
    for column, fields in CONSENT.values():
        prefix = "contexts" if column.startswith("contexts") else "unstruct_event"
        vendor = "com.segment.spec" if "segment" in column else "com.snowplowanalytics.snowplow"
        name = column.removeprefix(f"{prefix}_{vendor.replace('.', '_')}_").removesuffix("_1")
        key = SchemaKey.parse(f"iglu:{vendor}/{name}/jsonschema/1-0-0")
        found = shipped.find(key, project) if key is not None else None
        assert key is not None and found is not None
        assert column_name(prefix, key) == column
        kind = merge_versions({key: found})[key].type
        assert fields <= fields_of(pa.schema([(column, pa.list_(kind))]), column)


def test_the_last_word_on_each_purpose_holds_whoever_tells_it_and_in_whatever_batches(project: Path) -> None:
    early = datetime.now(UTC) - timedelta(days=1)
    rows = [
        said(1, 9, user_id="ada", preferences=prefer("allow_all", "ads", "mail")),
        said(2, 8, "ann-phone", user_id="ada", preferences=prefer("allow_selected", "mail")),
        said(3, 7, "bob", granted={"expiry": None}, document=document("terms")),
        said(4, 6, "bob", granted={"expiry": early}, document=document("mail")),
        said(5, 6, "cem", granted={"expiry": None}, document=document("terms")),
        said(6, 5, "cem", withdrawn={"all": True}),
        said(7, 5, "dia", granted={"expiry": None}, document=document("terms")),
        said(8, 4, "dia", withdrawn={"all": False}, document=document("terms"), dvce_sent_tstamp=datetime.now(UTC)),
        said(9, 3, "eve", preferences=prefer("allow_all", "ads")),
        said(10, 2, "eve", preferences=prefer("pending", "ads", "mail")),
        said(11, 2, "fay", segment=[{"consent": '{"categoryPreferences": {"Ads": true, "Stats": false, "Odd": "?"}}'}]),
        said(12, 1, "fay", segment=[{"consent": '{"categoryPreferences": {"Ads": false}}'}]),
        said(13, 1, "fay", segment=[{"consent": '{"provider": "x"}'}]),
        said(14, 1, "gus", gdpr=[{"basis_for_processing": "contract", "document_id": "dpa", "document_version": "3"}]),
        said(15, 0.5, None, user_id="ada", withdrawn={"all": False}, document=document("mail")),
    ]
    expected = {
        ("ann", "ads"): (False, "not_selected"),
        ("ann", "mail"): (False, "withdrawn"),
        ("bob", "terms"): (True, "granted"),
        ("bob", "mail"): (False, "expired"),
        ("cem", "terms"): (False, "withdrawn"),
        ("dia", "terms"): (False, "withdrawn"),
        ("eve", "ads"): (True, "allow_all"),
        ("eve", "mail"): (False, "pending"),
        ("fay", "Ads"): (False, "denied"),
        ("fay", "Stats"): (False, "denied"),
        ("gus", "dpa"): (False, "basis"),
    }
    assert build(project, rows) == expected
    empty_project(project)
    mixed = Random(7).sample(rows, len(rows))
    build(project, mixed[:5])
    build(project, mixed[5:10])
    assert build(project, [*mixed[10:], *mixed[:3]]) == expected


def draw_said(chance: Random, number: int) -> dict[str, Any]:
    """Draw a statement of one of few cookies and users, who meet and part as people are found to be one."""
    cookie = chance.choice([*(f"c{n}" for n in range(9)), None])
    user = chance.choice([*(f"u{n}" for n in range(5)), *([None] * 8)]) or (None if cookie else "u0")
    scopes = chance.sample(["ads", "mail", "stats"], chance.randint(1, 2))
    expiry = chance.choice([None, datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)])
    kinds: dict[str, Any] = chance.choice(
        [
            {"preferences": prefer(chance.choice(["allow_all", "allow_selected", "deny_all", "pending"]), *scopes)},
            {"granted": {"expiry": expiry}, "document": document(scopes[0])},
            {"withdrawn": {"all": chance.random() < 0.3}, "document": document(scopes[0])},
            *([{}] * 4),
        ]
    )
    return said(number, chance.random() * 20, cookie, user_id=user, **kinds)


@pytest.mark.parametrize("seed", range(2))
def test_consents_depend_on_what_was_said_and_on_nothing_else(project: Path, seed: int) -> None:
    chance = Random(seed)
    rows = [draw_said(chance, number) for number in range(60)]
    expected = build(project, rows)
    assert len(expected) > 8
    empty_project(project)
    mixed = chance.sample(rows, len(rows))
    for start in range(0, len(rows), 12):
        found = build(project, mixed[start : start + 12])
    assert found == expected
    assert build(project, mixed[:12]) == expected


def test_a_consent_that_runs_out_is_granted_no_longer_though_nobody_says_anything(project: Path) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=8)
    rows = [said(1, 1, "bob", granted={"expiry": soon}, document=document("mail")), said(2, 1, "cem")]
    assert build(project, rows) == {("bob", "mail"): (True, "granted")}
    while datetime.now(UTC) <= soon:
        sleep(0.1)
    assert build(project, [event(3)]) == {("bob", "mail"): (False, "expired")}


def test_without_any_event_of_consent_the_table_is_there_and_empty(project: Path) -> None:
    assert build(project, [event(1)]) == {}
