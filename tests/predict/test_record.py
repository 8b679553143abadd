"""Tables that know no past are noted as they stand, and learned from only as they were noted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.errors import DefinitionError, TooFewExamples
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.definition import Prediction
from catchment.predict.people import open_lens, read_examples_table
from catchment.predict.record import record_sources
from catchment.project import Project

from .acme import LOGISTIC, NOW, START, Site, World, event, fill, make_world, prediction, site

TRAITS = {"sources": ["events", "people_traits"], "recorded": ["people_traits"]}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def note(world: World, wanted: Prediction, now: datetime, **columns: list[Any]) -> int:
    world.lake.overwrite("people_traits", pa.table(columns))
    with world.workshop(now) as shop:
        return record_sources(wanted, shop)


def noted(world: World) -> list[tuple[Any, ...]]:
    rows = world.lake.read("people_traits_recorded").to_pylist()
    return sorted((row[PERSON], row["observed_tstamp"], row["orders"]) for row in rows)


def test_only_rows_that_changed_are_noted_and_a_new_column_joins_in(tmp_path: Path) -> None:
    world = make_world(tmp_path, site(20))
    wanted = prediction(who="people", features=TRAITS)
    assert note(world, wanted, at(1), person_id=["a", "b", "c"], orders=[1, None, 3], email=["x", "y", "z"]) == 3
    assert note(world, wanted, at(2), person_id=["a", "b", "c"], orders=[1, None, 3], email=["n", "y", "z"]) == 0
    assert note(world, wanted, at(3), person_id=["a", "b", "d"], orders=[None, 2, 4], email=["n", "y", "z"]) == 3
    assert noted(world) == [
        ("a", at(1), 1), ("a", at(3), None), ("b", at(1), None), ("b", at(3), 2), ("c", at(1), 3), ("d", at(3), 4)
    ]  # fmt: skip
    assert "email" not in world.lake.read("people_traits_recorded").column_names
    assert note(world, wanted, at(4), person_id=["a", "b"], orders=[None, 2], level=["gold", None]) == 1
    assert note(world, wanted, at(5), person_id=["a", "b"], orders=[None, 2], level=["gold", None]) == 0


def test_a_look_sees_what_was_noted_by_then_and_looks_before_the_first_note_teach_nothing(tmp_path: Path) -> None:
    events = [event("a", 1, "page_view", at(1)), event("a", 2, "page_view", at(60))]
    world = make_world(tmp_path, Site(events, [], {}))
    observe = {"every_days": 7, "history_days": 42}
    wanted = prediction(who="people", outcome={"event": "sign_up"}, features=TRAITS, observe=observe)
    note(world, wanted, at(20), person_id=["a"], orders=[1])
    note(world, wanted, at(38), person_id=["a"], orders=[5])
    world.lake.overwrite("people_traits", pa.table({PERSON: ["a"], "orders": [9]}))
    with world.workshop(at(60)) as shop:
        rows = read_examples_table(wanted, open_lens(wanted, shop.session, shop.now, 24)).to_pylist()
    assert {row[MOMENT]: row["orders"] for row in rows} == {at(25): 1, at(32): 1, at(39): 5, at(46): 5}


def test_before_anything_is_known_of_noted_rows_training_says_from_when_on(tmp_path: Path) -> None:
    world = make_world(tmp_path, site(100))
    wanted = prediction(features=TRAITS)
    world.lake.overwrite("people_traits", pa.table({PERSON: ["a"], "orders": [1]}))
    with pytest.raises(TooFewExamples, match="'people_traits' is not recorded yet") as raised:
        world.train(wanted)
    assert "14 days after the first note" in str(raised.value.hint)
    note(world, wanted, NOW - timedelta(days=3), person_id=["a"], orders=[1])
    with pytest.raises(TooFewExamples, match="'people_traits' is recorded since 2026-04-27 00:00"):
        world.train(wanted)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"person": ["a"]}, "'people_traits' has no column 'person_id'"),
        ({"person_id": ["a", "a", None], "orders": [1, 2, 3]}, "has 2 rows of 1 people"),
        (None, "the lake has no table 'people_traits'"),
    ],
)
def test_what_cannot_be_noted_is_refused(tmp_path: Path, columns: dict[str, Any] | None, fault: str) -> None:
    world = make_world(tmp_path, site(5))
    if columns is not None:
        world.lake.overwrite("people_traits", pa.table(columns))
    with world.workshop() as shop, pytest.raises(DefinitionError, match=f"features.recorded: .*{fault}"):
        record_sources(prediction(features=TRAITS), shop)


def test_only_a_source_can_be_recorded() -> None:
    with pytest.raises(DefinitionError, match="'plans' is no table among the sources"):
        prediction(features={"recorded": ["plans"]})


def test_a_project_notes_before_it_learns_and_scores_by_what_stands(
    tmp_path: Path, lay_out_store: Callable[[Path], Path]
) -> None:
    project = Project.init(tmp_path / "acme")
    lay_out_store(project.folder)
    made = site(700)
    fill(project.lake, made)
    people = sorted({row["domain_userid"] for row in made.events})
    file = project.folder / "predictions/form_submitted.yml"
    file.write_text(
        "name: form_submitted\nwho: people\noutcome: {conversion: signup}\nhorizon_days: 14\n"
        "observe: {every_days: 7, history_days: 28}\nfeatures: {sources: [events, people_traits], "
        f"recorded: [people_traits]}}\nlearner: {{type: {LOGISTIC['type']}}}\nsearch: {{trials: 1}}\n"
    )

    def stand(orders: int) -> None:
        project.lake.overwrite("people_traits", pa.table({PERSON: people, "orders": [orders] * len(people)}))

    stand(1)
    project.clock = lambda: START + timedelta(days=5)
    with pytest.raises(TooFewExamples):
        project.train()
    stand(2)
    project.clock = lambda: NOW
    (report,) = project.train()
    assert report.rows > 300
    stand(3)
    project.clock = lambda: NOW + timedelta(hours=1)
    project.score()
    notes = project.lake.read("people_traits_recorded").to_pylist()
    assert sorted({row["orders"] for row in notes}) == [1, 2, 3]
