"""Whoever must not be sent is not, and is taken out again, whatever audience or table the sync is of."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
import yaml

from catchment.errors import SettingsError
from catchment.project import Project
from tests.project.test_syncs import NOON, Make, make, told  # noqa: F401  # `make` is a fixture


def suppress(project: Project, **rules: Any) -> Project:
    """Write the rules into catchment.yml, and an audience `unsubscribed` of everybody who said so."""
    (project.folder / "audiences").mkdir(exist_ok=True)
    (project.folder / "audiences/unsubscribed.yml").write_text(
        "name: unsubscribed\nwhere: {column: unsubscribed, is: true}\n"
    )
    path = project.folder / "catchment.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "audience": {"suppression": rules}}))
    opened = Project.open(project.folder)
    opened.clock = lambda: NOON
    return opened


def people(project: Project, *unsubscribed: bool) -> None:
    rows = {"person_id": ["a", "b"], "email": ["a@b.co", "b@b.co"], "unsubscribed": list(unsubscribed)}
    project.lake.overwrite("people", pa.table(rows))


def test_who_unsubscribes_is_taken_out_though_nothing_else_changed(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), everywhere=["unsubscribed"])
    people(project, False, False)
    project.refresh()
    project.sync("one")
    people(project, True, False)
    project.clock = lambda: NOON + timedelta(hours=1)
    project.refresh()
    (report,) = project.sync("one")
    assert (report.removed, report.unchanged) == (1, 1)
    assert [(operation, [row["id"] for row in rows]) for operation, rows in told(project, "one")] == [
        ("upsert", ["a", "b"]),
        ("remove", ["a"]),
    ]


def test_a_rule_of_one_destination_is_none_of_another(make: Make) -> None:  # noqa: F811
    syncs = {"ads": {"destination": "ads"}, "mail": {"destination": "mail"}}
    project = suppress(make(syncs, ads={}, mail={}), never={"ads": ["unsubscribed"]})
    people(project, True, False)
    project.refresh()
    project.sync()
    assert [len(rows) for _, rows in told(project, "ads")] == [1]
    assert [len(rows) for _, rows in told(project, "mail")] == [2]


def test_only_those_who_consented_are_sent(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), only={"diary": "unsubscribed"})
    people(project, True, False)
    project.refresh()
    project.sync("one")
    assert [[row["id"] for row in rows] for _, rows in told(project, "one")] == [["a"]]


def test_a_rule_that_names_nobody_is_refused_by_check(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), everywhere=["unsubscribd"])
    with pytest.raises(SettingsError, match=r"there is no audience 'unsubscribd'") as raised:
        project.check()
    assert "'unsubscribed'" in raised.value.hint


CONSENTS = pa.schema(
    [("person_id", pa.string()), ("purpose", pa.string()), ("granted", pa.bool_()),
     ("expires_tstamp", pa.timestamp("us", "UTC"))]
)  # fmt: skip


def consents(project: Project, *rows: tuple[str, str, bool, Any]) -> None:
    told = [dict(zip(CONSENTS.names, row, strict=True)) for row in rows]
    project.lake.overwrite("consents", pa.Table.from_pylist(told, CONSENTS))


def test_only_who_has_granted_every_purpose_is_sent_and_who_withdraws_is_taken_out(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), consent={"diary": ["mail", "profiling"]})
    consents(project, ("a", "mail", True, None), ("a", "profiling", True, None), ("b", "mail", True, None))
    assert project.sync("one")[0].sent == 1
    assert told(project, "one") == [["upsert", [{"id": "a"}]]]
    consents(project, ("a", "mail", False, None), ("a", "profiling", True, None), ("b", "profiling", True, None))
    project.clock = lambda: NOON + timedelta(hours=1)
    assert project.sync("one")[0].removed == 1
    assert told(project, "one")[-1] == ["remove", [{"id": "a"}]]


def test_a_consent_that_has_run_out_since_the_build_is_none(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), consent={"diary": ["mail"]})
    soon = NOON + timedelta(minutes=1)
    consents(project, ("a", "mail", True, soon), ("b", "mail", True, None))
    assert project.sync("one")[0].sent == 2
    project.clock = lambda: soon
    assert project.sync("one")[0].removed == 1


def test_the_effect_of_a_rule_of_consent_is_shown_before_it_is_felt(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), consent={"diary": ["mail"]})
    people(project, True, True)
    project.refresh()
    consents(project, ("a", "mail", True, None), ("b", "mail", False, None))
    why = {"b": "audience.suppression.consent.diary: has not granted mail"}
    assert project.held_back("unsubscribed", "diary") == why


def test_a_purpose_that_nobody_was_asked_for_takes_nobody_out(make: Make) -> None:  # noqa: F811
    project = suppress(make({"one": {"destination": "diary"}}, diary={}), consent={"diary": ["mail"]})
    with pytest.raises(SettingsError, match=r"there is no table 'consents'"):
        project.sync("one")
    consents(project, ("a", "mail", True, None))
    project.sync("one")
    consents(project, ("a", "mial", True, None))
    project.clock = lambda: NOON + timedelta(hours=1)
    with pytest.raises(SettingsError, match=r"consent\.diary: nobody was ever asked for 'mail'"):
        project.sync("one")
    assert [operation for operation, _ in told(project, "one")] == ["upsert"]
