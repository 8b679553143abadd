"""Linear models."""

from typing import Any, Self

from pydantic import Field

from catchment.predict.encoding import category_codes
from catchment.predict.learner import Features, Learner, Task


class Logistic(Learner):
    """Logistic regression of scikit-learn (ridge for an amount): fast, smooth, and what more should have to beat."""

    strength: float = Field(default=0.3, gt=0, description="The inverse of regularisation (C).")
    rare: int = Field(default=20, gt=1, description="Categories of fewer people are one category together.")

    def vary(self, trial: Any) -> Self:
        """Draw the strength where the file leaves it open."""
        if "strength" in self.model_fields_set:
            return self
        return self.model_copy(update={"strength": trial.suggest_float("strength", 0.003, 3.0, log=True)})

    def build(self, task: Task) -> Any:
        """Give a line over ranks of numbers and over categories; there is nothing to stop early."""
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        line = Ridge(alpha=1 / self.strength) if task.is_value else LogisticRegression(C=self.strength, max_iter=1000)
        prepared = self._prepare(task.features, task.people)
        # Columns are told from their middle: what a feature adds is told beside the people who were learned from.
        return Pipeline([("features", prepared), ("middle", StandardScaler(with_std=False)), ("line", line)])

    def explain(self, model: Any, features: Features, frame: Any) -> Any:
        """Give what each feature adds beyond the middle of the people learned from, its one-hot columns together."""
        import numpy

        prepared = model.named_steps["features"]
        parts = model[:-1].transform(frame) * numpy.ravel(model.named_steps["line"].coef_)
        found = numpy.zeros((len(frame), len(features.names)))
        for place, owner in enumerate(_owners(prepared, features)):
            found[:, owner] += parts[:, place]
        return found

    def _prepare(self, features: Features, people: int) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

        # Times and counts have long tails: their rank says more to a linear model than their size.
        numbers = Pipeline(
            [
                ("empty", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
                ("rank", QuantileTransformer(n_quantiles=max(2, min(50, people // 2)), random_state=0)),
            ]
        )
        # JSON says None where Arrow says NaN: both become no code at all, and that is one category.
        categories = Pipeline(
            [
                ("codes", category_codes(self.rare)),
                ("empty", SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True)),
                ("columns", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
            ]
        )
        parts = [("numbers", numbers, list(features.numbers)), ("categories", categories, list(features.categories))]
        return ColumnTransformer([part for part in parts if part[2]], remainder="drop")


def _owners(prepared: Any, features: Features) -> list[int]:
    """Give per column that a line sees the place of the feature that it came from."""
    steps = prepared.named_transformers_
    owners = list(range(len(features.numbers)))
    if features.numbers:
        owners += list(steps["numbers"].named_steps["empty"].indicator_.features_)
    if features.categories:
        for place, found in enumerate(steps["categories"].named_steps["columns"].categories_):
            owners += [len(features.numbers) + place] * len(found)
    return owners
