"""The shipped dbt project itself: described, tested model by model, documented, and portable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.model import ModelSettings
from catchment.model.build import write_docs
from catchment.model.plan import PROJECT, plan_build
from catchment.model.workplace import Workplace, lay_out
from catchment.observe import say_nothing
from tests.model.conftest import Built, append_and_build, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
SETTINGS: dict[str, Any] = {
    "conversions": [{"name": "signed_up", "condition": "event_name = 'sign_up'", "value": "se_value"}],
    "traits": {"email": "contexts_com_acme_user_1.email"},
}
MODELS = sorted(path.stem for path in (PROJECT / "models").glob("*.sql"))
DESCRIBED = {model["name"]: model for model in yaml.safe_load((PROJECT / "models/models.yml").read_text())["models"]}
SPARK_FUNCTIONS = {"get", "make_interval", "regexp_like", "array_join", "array_sort"}
"""What sqlglot does not know by name and Spark 3.5 has."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = empty_project(tmp_path_factory.mktemp("project"))
    yield append_and_build(folder, [event(1), event(2, "sign_up", 5, email="a@b.c"), event(3, user_id="u")], **SETTINGS)


@pytest.fixture
def place(told: Built) -> Workplace:
    folder = Path(told.lake.uri).parent
    place = lay_out(told.lake, open_engine(LakeSettings(), folder), ModelSettings(**SETTINGS), folder)
    place.follow(plan_build(told.lake, "", full_refresh=True))
    return place


@pytest.mark.parametrize("model", MODELS)
def test_every_model_says_what_one_row_is_and_what_each_column_means(told: Built, model: str) -> None:
    described = DESCRIBED[model]
    assert described["description"].startswith("One ")
    if told.lake.exists(model):
        names = {column["name"] for column in described["columns"]}
        assert {name for name in told.lake.read(model).column_names if not name.startswith("cv_signed_up")} == names
        assert all(column["description"].strip(" .") for column in described["columns"])
        assert any("is_key" in test for test in described["data_tests"])


def test_every_model_has_a_unit_test_with_rows_and_passes_it(place: Workplace) -> None:
    results = place.call(["build", "--full-refresh"], say_nothing)
    tested = [result.node for result in results if result.node.resource_type == "unit_test"]
    wrong = [result.message for result in results if str(result.status) not in ("success", "pass")]
    assert wrong == []
    assert {node.tested_node_unique_id.split(".")[-1] for node in tested} == set(MODELS)


def test_every_model_is_spark_sql(place: Workplace) -> None:
    place.call(["compile", "--full-refresh", "--vars", "{sql_of: spark}"], say_nothing)
    for model in MODELS:
        sql = (place.folder / f"target/compiled/catchment/models/{model}.sql").read_text().replace('"', "")
        for statement in sqlglot.parse(sql, dialect="spark"):
            assert statement is not None
            unknown = {call.name.lower() for call in statement.find_all(exp.Anonymous)} - SPARK_FUNCTIONS
            assert unknown == set(), f"{model}: {unknown}"
            assert not list(statement.find_all(exp.Qualify)), model


def test_one_page_describes_every_model(told: Built) -> None:
    folder = Path(told.lake.uri).parent
    page = write_docs(told.lake, open_engine(LakeSettings(), folder), ModelSettings(**SETTINGS), folder)
    text = page.read_text()
    assert all(model in text for model in MODELS)
    assert "One view of one page in one session." in text
