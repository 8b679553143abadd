"""Prediction files: what is read, and what is refused with its place and mend."""

from pathlib import Path

import pytest

from catchment.errors import DefinitionError
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction, load_predictions
from catchment.project import examples_folder

WHOLE = "name: a\noutcome: {conversion: signup}\nhorizon_days: 14\nlearner: {type: lightgbm}\n"


def read(folder: Path, **files: str) -> list[Prediction]:
    (folder / "predictions").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "predictions" / f"{name}.yml").write_text(text)
    return load_predictions(PredictSettings(), folder)


def test_a_project_without_predictions_has_none(tmp_path: Path) -> None:
    assert load_predictions(PredictSettings(), tmp_path) == []


def test_the_example_prediction_is_read() -> None:
    (found,) = load_predictions(PredictSettings(), examples_folder() / "saas")
    assert (found.name, found.kind, found.who, found.horizon) == ("form_submitted", "propensity", "first_touch", 14)


@pytest.mark.parametrize(
    ("text", "fault", "mend"),
    [
        ("name: [", "is not YAML", "Mend the line"),
        ("words", "holds no keys", "name:"),
        ("name: a", "a propensity needs `outcome:` and `horizon_days:`", "docs/predict.md"),
        (WHOLE + "kind: churn", "a churn needs `who: people`", "docs/predict.md"),
        (WHOLE + "kind: lookalike", "a lookalike needs `seed: AUDIENCE`", "docs/predict.md"),
        (WHOLE + "horison: 3", "predictions/broken.yml: horison: is not a setting", "'horizon_days'"),
        (WHOLE + "features: {inclde: [a]}", "features.inclde: is not a setting", "'include'"),
        (WHOLE + "promote: {metrik: f2}", "promote.metrik: is not a setting", "'metric'"),
        (
            WHOLE.replace("conversion: signup", "conversions: x"),
            "outcome.conversions: is not a setting",
            "'conversion'",
        ),
        (WHOLE.replace("conversion: signup", "event: x, purchase: true"), "needs exactly one of", "docs/predict.md"),
        (WHOLE + "split: {holdout: 0.9}", "split.holdout: Input should be less than 0.5", "docs/predict.md"),
        (WHOLE + "labels: {medium: 0.9, high: 0.8}", "labels: Value error, medium must not be above high", "docs"),
        (WHOLE + "promote: {metric: luck}", "promote.metric: Input should be 'roc_auc', 'average_precision'", "docs"),
        (
            WHOLE.replace("lightgbm", "oracle"),
            "learner: There is no predict/learners plugin of type 'oracle'",
            "logistic",
        ),
        (WHOLE.replace("type: lightgbm", "leaves: 3"), "learner has no 'type'", "catchment plugins"),
        (WHOLE.replace("lightgbm}", "lightgbm, leafs: 3}"), "broken.yml: learner.leafs: is not a setting", "plugins"),
        (
            WHOLE + "baseline: {type: logistic, strength: -1}",
            "broken.yml: baseline.strength: Input should be",
            "plugins",
        ),
        (WHOLE + "file: x", "file: is not a key", "Remove"),
    ],
)
def test_a_broken_file_is_refused_with_place_and_mend(tmp_path: Path, text: str, fault: str, mend: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        read(tmp_path, broken=text)
    assert "predictions/broken.yml" in str(raised.value)
    assert fault in str(raised.value)
    assert mend in raised.value.hint


def test_two_predictions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"two.yml: name: 'a' is the name of predictions/one.yml too"):
        read(tmp_path, one=WHOLE, two=WHOLE)


def test_a_project_may_bring_its_own_learner(tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "predict" / "learners" / "coin.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(
        'from catchment.predict.learner import Learner\n\n\nclass Coin(Learner):\n    """Heads or tails."""\n'
    )
    (found,) = read(tmp_path, one=WHOLE.replace("lightgbm", "coin"))
    assert found.learner == {"type": "coin"}
