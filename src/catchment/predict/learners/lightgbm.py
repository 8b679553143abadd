"""Gradient-boosted trees."""

from typing import Any, ClassVar

from pydantic import Field

from catchment.predict.learner import Features, Labelled, Learner


class LightGBM(Learner):
    """LightGBM: categories natively, empty values as they are, and no more trees than later people bear out."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "lightgbm")

    seed: int = 20
    learning_rate: float = Field(default=0.03, gt=0)
    leaves: int = Field(default=8, gt=1, description="Leaves per tree; more of them fit finer and overfit sooner.")
    rows_per_leaf: int = Field(default=40, gt=0, description="A leaf needs as many people.")
    rare: int = Field(default=20, gt=1, description="Categories of fewer people are one category together.")
    trees: int = Field(default=2000, gt=0, description="At most; early stopping chooses the number.")
    patience: int = Field(
        default=100, gt=0, description="Stop once so many trees did not help on the validation slice."
    )

    def fit(self, features: Features, train: Labelled, validation: Labelled, threads: int) -> Any:
        """Choose the number of trees on the validation slice, then learn from both slices with that number."""
        import lightgbm
        import pandas
        from sklearn.pipeline import Pipeline

        prepared = self._prepare(features)
        stop = lightgbm.early_stopping(self.patience, verbose=False)
        trial = self._classifier(self.trees, threads)
        trial.fit(
            prepared.fit_transform(train.frame),
            train.label,
            eval_X=prepared.transform(validation.frame),
            eval_y=validation.label,
            categorical_feature=list(features.categories),
            callbacks=[stop],
        )
        both = pandas.concat([train.frame, validation.frame], ignore_index=True)
        label = [*train.label, *validation.label]
        final = self._classifier(max(1, trial.best_iteration_), threads)
        prepared = self._prepare(features)
        final.fit(prepared.fit_transform(both), label, categorical_feature=list(features.categories))
        return Pipeline([("features", prepared), ("trees", final)])

    def _prepare(self, features: Features) -> Any:
        """Give the step that turns categories into codes; empty and unknown ones become NaN, which trees can take."""
        import numpy
        from sklearn.compose import ColumnTransformer
        from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

        floats = FunctionTransformer(numpy.asarray, kw_args={"dtype": "float64"}, feature_names_out="one-to-one")
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=numpy.nan,
            encoded_missing_value=numpy.nan,
            min_frequency=self.rare,
        )
        parts = [("numbers", floats, list(features.numbers)), ("categories", codes, list(features.categories))]
        return ColumnTransformer(
            [part for part in parts if part[2]], remainder="drop", verbose_feature_names_out=False
        ).set_output(transform="pandas")

    def _classifier(self, trees: int, threads: int) -> Any:
        import lightgbm

        return lightgbm.LGBMClassifier(
            n_estimators=trees,
            learning_rate=self.learning_rate,
            num_leaves=self.leaves,
            min_child_samples=self.rows_per_leaf,
            subsample=0.8,
            subsample_freq=1,
            colsample_bytree=0.7,
            reg_lambda=5.0,
            cat_smooth=20.0,
            max_cat_to_onehot=8,
            random_state=self.seed,
            deterministic=True,
            force_row_wise=True,
            n_jobs=threads,
            verbose=-1,
        )
