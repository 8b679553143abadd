"""Fresh scores beside those that stand: ranked together, only news is told, and rows are held a batch at a time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.lake.lake import Lake
from catchment.predict.definition import Labels
from catchment.predict.draft import Draft
from catchment.predict.rank import label_people
from catchment.predict.standing import SCHEMA, WORKED, Comparison, Standing

from .acme import NOW

SAME = {"prediction": "signup", "model_name": "signup", "model_version": "2", "scored_at": NOW}
LABELS = Labels()
EQUAL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def worked(people: Iterable[tuple[str, float]]) -> pa.Table:
    rows = [{"person_id": who, "observed_at": NOW, "score": score, "reasons": [who]} for who, score in people]
    return pa.Table.from_pylist(rows, schema=WORKED)


def draft_of(folder: Path, people: dict[str, float]) -> Draft:
    rows = worked(people.items())
    with Draft(folder / "draft.arrow", WORKED) as draft:
        for start in range(0, rows.num_rows, 3):
            draft.add(rows.slice(start, 3))
    return draft


def lake_of(folder: Path, stands: dict[str, Any], prediction: str = "signup") -> Lake:
    lake = Lake(str(folder))
    names = ("model_version", "score", "decile", "label")
    rows = [
        {**dict(zip(names, told, strict=True)), "person_id": who, "prediction": prediction, "reasons": [f"was {who}"],
         "observed_at": NOW, "scored_at": NOW, "model_name": prediction}
        for who, told in stands.items()
    ]  # fmt: skip
    lake.overwrite("propensity_scores", pa.Table.from_pylist(rows, schema=SCHEMA))
    return lake


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["model_version"], row["score"], row["decile"], row["label"]


SCORE = st.sampled_from([0.0, 0.25, 0.5, 1.0, float("nan")])
WHO = st.sampled_from([f"person {number}" for number in range(25)])
STANDS = st.tuples(
    st.sampled_from("12"), SCORE, st.integers(1, 10), st.sampled_from(["Low", "Medium", "High", "Other"])
)


@EQUAL
@given(st.dictionaries(WHO, SCORE), st.dictionaries(WHO, STANDS))
def test_all_rank_together_and_only_what_differs_is_news(
    tmp_path_factory: pytest.TempPathFactory, fresh: dict[str, float], stands: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("compared")
    standing = Standing("signup", lake_of(folder / "lake", stands), "2")
    compared = Comparison(draft_of(folder, fresh), standing, LABELS, folder)

    kept = {who: row[1] for who, row in stands.items() if row[0] == "2" and who not in fresh}
    ranked = sorted((fresh | kept).items(), key=lambda one: (one[1] != one[1], one[1], one[0]))
    ranked = sorted(ranked, key=lambda one: (np.inf if one[1] != one[1] else one[1], one[0]))
    deciles = [place * 10 // len(ranked) + 1 for place in range(len(ranked))]
    labels = label_people(LABELS, deciles, [score for _, score in ranked]).to_pylist()
    now = {
        who: ("2", score, decile, label)
        for (who, score), decile, label in zip(ranked, deciles, labels, strict=True)
    }  # fmt: skip
    news = {who: row for who, row in now.items() if repr(stands.get(who)) != repr(row)}

    rows = [row for batch in compared.news(SAME) for row in batch.to_pylist()]
    assert repr({row["person_id"]: told(row) for row in sorted(rows, key=lambda row: row["person_id"])}) == repr(
        dict(sorted(news.items()))
    )
    assert all(row["reasons"] == [row["person_id"] if row["person_id"] in fresh else f"was {row['person_id']}"]
               for row in rows)  # fmt: skip
    others = [row for batch in compared.others() for row in batch.to_pylist()]
    assert {row["person_id"] for row in others} == set(stands) - set(news)
    assert all(repr(told(row)) == repr(stands[row["person_id"]]) for row in others)
    assert len(rows) + len(others) == len(set(now) | set(stands)) == len({*now, *stands})
    assert compared.changed == len(rows)
    assert compared.labels == {label: labels.count(label) for label in ("Low", "Medium", "High") if label in labels}


def test_equal_scores_are_parted_by_person_whatever_their_order(tmp_path: Path) -> None:
    people = [f"p{number:02}" for number in range(20)]
    found = []
    for order in (people, people[::-1]):
        folder = tmp_path / order[0]
        folder.mkdir()
        standing = Standing("signup", Lake(str(folder / "lake")), "2")
        compared = Comparison(draft_of(folder, dict.fromkeys(order, 0.0)), standing, LABELS, folder)
        found.append({row["person_id"]: row["decile"] for part in compared.news(SAME) for row in part.to_pylist()})
    assert found[0] == found[1] == {who: place // 2 + 1 for place, who in enumerate(people)}


def test_scores_of_other_predictions_stand_for_nobody_here(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, {"a": ("2", 0.5, 1, "Low")}, prediction="churn")
    assert len(Standing("signup", lake, "2")) == 0
    assert len(Standing("churn", lake, "2")) == 1


def test_rows_wait_on_disk_and_pass_a_few_batches_at_a_time(tmp_path: Path) -> None:
    names = [[f"person {number:06} {batch}" for number in range(10_000)] for batch in range(20)]
    standing = Standing("signup", Lake(str(tmp_path / "lake")), "2")
    batch_bytes = worked((who, 0.5) for who in names[0]).nbytes
    before = pa.total_allocated_bytes()
    with Draft(tmp_path / "draft.arrow", WORKED) as draft:
        for place, some in enumerate(names):
            draft.add(worked((who, place / 20) for who in some))
    scores = draft.scores.nbytes
    assert pa.total_allocated_bytes() - before < scores + batch_bytes
    compared = Comparison(draft, standing, LABELS, tmp_path)
    count = most = 0
    for batch in compared.news(SAME):
        count += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert count == 200_000
    assert most < scores + 4 * batch_bytes
