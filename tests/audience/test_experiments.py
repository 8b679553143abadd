"""Splits, priorities and suppression on a real lake."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.audience import AudienceSettings
from catchment.audience.definition import Audience, load_audiences
from catchment.audience.members import current_members, members_at
from catchment.audience.refresh import refresh
from catchment.audience.relations import Suppression
from catchment.audience.suppress import check_rules, held_back
from catchment.errors import DefinitionError, SettingsError
from catchment.lake.lake import Lake

from .acme import NOW, attached, audience, fill

LATER, LATEST = NOW + timedelta(days=1), NOW + timedelta(days=2)
ANYBODY: dict[str, Any] = {"column": "person_id", "not_null": True}


def crowd(lake: Lake, people: int) -> Lake:
    rows = {"person_id": [f"p{number}" for number in range(people)], "country": ["DE", "FR"] * (people // 2)}
    lake.overwrite("people", pa.table(rows))
    return lake


def run(lake: Lake, wanted: Audience, now: Any = NOW, settings: AudienceSettings | None = None) -> Any:
    with attached(lake) as session:
        return refresh(wanted, session, lake, now, settings)


def arms(lake: Lake, name: str = "a") -> dict[str, str]:
    rows = current_members(lake, name).to_pylist()
    return {row["person_id"]: row["arm"] for row in rows}


def test_a_holdout_is_offered_by_default_and_told(tmp_path: Path) -> None:
    lake = crowd(Lake(str(tmp_path)), 400)
    report = run(lake, audience(ANYBODY, split={}))
    held_out = [who for who, arm in arms(lake).items() if arm == "holdout"]
    assert report.size == 400
    assert report.held_out == len(held_out) == pytest.approx(40, abs=20)
    assert set(arms(lake).values()) == {"holdout", "treatment"}


def test_who_leaves_and_comes_back_is_in_the_arm_of_before_even_when_shares_have_changed(tmp_path: Path) -> None:
    lake = crowd(Lake(str(tmp_path)), 300)
    run(lake, audience(ANYBODY, split={"holdout": 50}))
    before = arms(lake)
    crowd(lake, 2)
    run(lake, audience(ANYBODY, split={"holdout": 50}), LATER)
    crowd(lake, 400)
    run(lake, audience(ANYBODY, split={"holdout": 5}), LATEST)
    after = arms(lake)
    assert {who: after[who] for who in before} == before
    assert sum(after[who] == "holdout" for who in after if who not in before) < 20


def test_strata_keep_the_shares_exactly(tmp_path: Path) -> None:
    lake = crowd(Lake(str(tmp_path)), 200)
    split = {"arms": {"a": 50, "b": 50}, "holdout": 20, "stratify": ["country"]}
    run(lake, audience(ANYBODY, split=split))
    country = {row["person_id"]: row["country"] for row in lake.read("people").to_pylist()}
    for wanted in ("DE", "FR"):
        inside = [arm for who, arm in arms(lake).items() if country[who] == wanted]
        assert sorted(inside) == ["a"] * 40 + ["b"] * 40 + ["holdout"] * 20


def test_a_stratum_that_is_no_column_is_refused(tmp_path: Path) -> None:
    lake = crowd(Lake(str(tmp_path)), 4)
    with pytest.raises(DefinitionError, match=r"a\.yml: split\.stratify: the table 'people' has no column 'contry'"):
        run(lake, audience(ANYBODY, split={"stratify": ["contry"]}))


@pytest.mark.parametrize(
    ("split", "fault"),
    [
        ({"arms": {"a": 50, "b": 40}}, "must add up to 100"),
        ({"arms": {"holdout": 100}}, "is set by `holdout`"),
        ({"holdout": 100}, "less than 100"),
    ],
)
def test_shares_that_cannot_be_are_refused(split: dict[str, Any], fault: str) -> None:
    with pytest.raises(DefinitionError, match=r"audiences/a\.yml: split") as raised:
        audience(ANYBODY, split=split)
    assert fault in str(raised.value)


def test_who_was_in_on_a_day_is_a_question_to_a_table(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake, audience({"column": "sessions", "is": 1}))
    lake.overwrite("people", lake.read("people").slice(1))
    run(lake, audience({"column": "sessions", "is": 1}), LATER)
    then = members_at(lake, "a", NOW + timedelta(hours=1))["person_id"].to_pylist()
    assert sorted(then) == ["ann", "cem", "eve"]
    assert sorted(members_at(lake, "a", LATER)["person_id"].to_pylist()) == ["cem", "eve"]
    assert members_at(lake, "a", NOW - timedelta(seconds=1)).num_rows == 0


def test_a_person_is_in_at_most_one_audience_of_a_list(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    settings = AudienceSettings(priorities={"offers": ["first", "second"]})
    run(lake, audience({"column": "sessions", "is": 1}, name="first"), settings=settings)
    run(lake, audience(ANYBODY, name="second"), settings=settings)
    assert set(arms(lake, "first")) == {"ann", "cem", "eve"}
    assert set(arms(lake, "second")) == {"bob", "dia"}


def test_the_dearer_audience_of_a_list_is_refreshed_first(tmp_path: Path) -> None:
    (tmp_path / "audiences").mkdir()
    for name in ("alpha", "omega"):
        (tmp_path / "audiences" / f"{name}.yml").write_text(
            f"name: {name}\nwhere: {{column: person_id, not_null: true}}"
        )
    settings = AudienceSettings(priorities={"offers": ["omega", "alpha"]})
    assert [each.name for each in load_audiences(settings, tmp_path)] == ["omega", "alpha"]
    with pytest.raises(SettingsError, match=r"audience\.priorities\.offers: there is no audience 'omga'"):
        load_audiences(AudienceSettings(priorities={"offers": ["omga"]}), tmp_path)


def test_rules_hold_people_back_from_destinations_and_say_which_rule(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)))
    run(lake, audience({"column": "country", "is": "DE"}, name="unsubscribed"))
    run(lake, audience({"column": "sessions", "is": 1}, name="consented"))
    rules = Suppression(everywhere=["unsubscribed"], only={"meta": "consented"})
    people = pa.chunked_array([["ann", "bob", "cem"]])
    settings = AudienceSettings(suppression=rules)
    assert held_back(people, "braze", settings, lake, NOW) == {
        "ann": "audience.suppression.everywhere: in unsubscribed"
    }
    assert held_back(people, "meta", settings, lake, NOW) == {
        "ann": "audience.suppression.everywhere: in unsubscribed",
        "bob": "audience.suppression.only.meta: not in consented",
    }


def test_rules_of_audiences_or_destinations_there_are_not_are_refused() -> None:
    settings = AudienceSettings(suppression=Suppression(everywhere=["unsubscribd"]))
    with pytest.raises(SettingsError, match="there is no audience 'unsubscribd'"):
        check_rules(settings, {"unsubscribed": None}, {})
    settings = AudienceSettings(suppression=Suppression(never={"mta": ["vip"]}))
    with pytest.raises(SettingsError, match="there is no destination 'mta'"):
        check_rules(settings, {"vip": None}, {"meta": None})
