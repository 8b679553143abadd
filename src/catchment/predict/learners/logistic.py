"""Logistic regression."""

from typing import Any

from pydantic import Field

from catchment.predict.learner import Features, Labelled, Learner


class Logistic(Learner):
    """Logistic regression of scikit-learn: fast, smooth, and the baseline that more should have to beat."""

    strength: float = Field(default=0.3, gt=0, description="The inverse of regularisation (C).")
    rare: int = Field(default=20, gt=1, description="Categories of fewer people are one category together.")

    def fit(self, features: Features, train: Labelled, validation: Labelled, threads: int) -> Any:
        """Learn from both slices; there is nothing to stop early."""
        import pandas
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline

        both = pandas.concat([train.frame, validation.frame], ignore_index=True)
        logistic = LogisticRegression(C=self.strength, max_iter=1000)
        model = Pipeline([("features", self._prepare(features, len(both))), ("logistic", logistic)])
        return model.fit(both, [*train.label, *validation.label])

    def _prepare(self, features: Features, people: int) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

        # Times and counts have long tails: their rank says more to a linear model than their size.
        numbers = Pipeline(
            [
                ("empty", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
                ("rank", QuantileTransformer(n_quantiles=min(50, people), random_state=0)),
            ]
        )
        categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=self.rare, sparse_output=False)
        parts = [("numbers", numbers, list(features.numbers)), ("categories", categories, list(features.categories))]
        return ColumnTransformer([part for part in parts if part[2]], remainder="drop")
