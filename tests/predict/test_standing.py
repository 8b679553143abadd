"""Scores as they stand, read beside those of other predictions whoever wrote the files."""

from pathlib import Path

import pyarrow as pa

from catchment.lake.lake import Lake
from catchment.predict.standing import Standing
from catchment.tables import PROPENSITY_SCORES

SCHEMA = PROPENSITY_SCORES.schema


def rows(prediction: str, score: float, people: range) -> pa.Table:
    nothing = dict.fromkeys(SCHEMA.names)
    told = {"prediction": prediction, "model_version": "1", "score": score, "decile": 1, "label": "Low"}
    return pa.Table.from_pylist([{**nothing, **told, "person_id": f"p{number}"} for number in people], schema=SCHEMA)


def test_scores_of_one_prediction_are_read_where_a_merge_wrote_those_of_several(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    both = pa.concat_tables([rows("won", 0.1, range(10)), rows("lost", 0.5, range(7))])
    lake.overwrite(PROPENSITY_SCORES.name, both)
    lake.merge(PROPENSITY_SCORES.name, pa.concat_tables([rows("won", 0.2, range(2)), rows("lost", 0.6, range(3))]))
    standing = Standing("won", lake, "1")
    assert sorted(standing.scores.tolist()) == [0.1] * 8 + [0.2] * 2
    assert sorted(Standing("lost", lake, "1").scores.tolist()) == [0.5] * 4 + [0.6] * 3
