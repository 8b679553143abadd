"""Gradient-boosted trees."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from catchment.errors import PluginError
from catchment.predict.encoding import encoder
from catchment.predict.learner import Features, Labelled, Learner, Task, Watch
from catchment.predict.treeshap import Shap

MANY = 5_000
"""From so many people on the trees are opened, which fewer people do not pay."""


class LightGBM(Learner):
    """LightGBM: categories natively, empty values as they are, and no more trees than later people bear out."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "lightgbm")

    seed: int = 20
    learning_rate: float = Field(default=0.05, gt=0)
    leaves: int = Field(default=6, gt=1, description="Leaves per tree; more of them fit finer and overfit sooner.")
    rows_per_leaf: int = Field(default=80, gt=0, description="A leaf needs as many people.")
    columns_per_tree: float = Field(default=0.6, gt=0, le=1, description="Share of the features that a tree sees.")
    rows_per_tree: float = Field(default=0.8, gt=0, le=1, description="Share of the people that a tree sees.")
    shrink: float = Field(default=5.0, ge=0, description="L2 regularisation of leaf values.")
    smooth_categories: float = Field(default=20.0, ge=0, description="How much rare categories lean to the mean.")
    rare: int = Field(default=20, gt=1, description="Categories of fewer people are one category together.")
    trees: int = Field(default=1000, gt=0, description="At most; early stopping chooses the number.")
    patience: int = Field(default=60, gt=0, description="Stop once so many trees did not help on the validation slice.")
    monotone: dict[str, Literal[-1, 1]] = Field(
        default={}, description="Features whose rise may only raise (1) or only lower (-1) the score."
    )

    def check(self, features: Features) -> None:
        """Raise PluginError where something is held to a direction that is no number among the features."""
        for name in self.monotone:
            if name in features.categories:
                raise PluginError(
                    f"monotone: '{name}' is text, which rises nowhere.", hint=f"Numbers: {', '.join(features.numbers)}."
                )
            if name not in features.numbers:
                raise PluginError(f"monotone: '{name}' is no feature.", hint=f"Numbers: {', '.join(features.numbers)}.")

    def vary(self, trial: Any) -> Self:
        """Draw the options that the file leaves open."""
        drawn: dict[str, Callable[[], Any]] = {
            "leaves": lambda: trial.suggest_int("leaves", 3, 24, log=True),
            "rows_per_leaf": lambda: trial.suggest_int("rows_per_leaf", 20, 300, log=True),
            "columns_per_tree": lambda: trial.suggest_float("columns_per_tree", 0.2, 1.0),
            "shrink": lambda: trial.suggest_float("shrink", 0.1, 60.0, log=True),
            "smooth_categories": lambda: trial.suggest_float("smooth_categories", 2.0, 100.0, log=True),
        }
        return self.model_copy(
            update={name: draw() for name, draw in drawn.items() if name not in self.model_fields_set}
        )

    def prepare(self, task: Task, train: Labelled, validation: Labelled) -> Any:
        """Encode both slices once, by what the training slice shows."""
        prepared = encoder(task.features, self.rare)
        seen = prepared.fit_transform(train.frame)
        return Labelled(seen, train.label), Labelled(prepared.transform(validation.frame), validation.label)

    def settle(self, task: Task, prepared: Any, watch: Watch) -> tuple[Self, float]:
        """Choose the number of trees on the validation slice."""
        import lightgbm

        train, validation = prepared

        def report(progress: Any) -> None:
            watch(progress.iteration, progress.evaluation_result_list[0][2])

        model = self._trees(task, self.trees)
        model.fit(
            train.frame,
            train.label,
            eval_X=validation.frame,
            eval_y=validation.label,
            eval_metric="l2" if task.is_value else "binary_logloss",
            categorical_feature=list(task.features.categories),
            callbacks=[lightgbm.early_stopping(self.patience, verbose=False, first_metric_only=True), report],
        )
        best = next(iter(next(iter(model.best_score_.values())).values()))
        return self.model_copy(update={"trees": max(1, model.best_iteration_)}), float(best)

    def build(self, task: Task) -> Any:
        """Give as many trees as were settled."""
        from sklearn.pipeline import Pipeline

        return Pipeline([("features", encoder(task.features, self.rare)), ("trees", self._trees(task, self.trees))])

    def fit_options(self, task: Task) -> dict[str, Any]:
        """Name the categories to the trees."""
        return {"trees__categorical_feature": list(task.features.categories)}

    def explain(self, model: Any, features: Features, frame: Any) -> Any:
        """Give the SHAP values that LightGBM itself computes, in log-odds or amounts."""
        people = model.named_steps["features"].transform(frame)
        booster = model.named_steps["trees"].booster_
        if len(frame) < MANY:
            return booster.predict(people, pred_contrib=True, num_threads=1)[:, :-1]
        return _open_shap(booster).values(people.to_numpy())

    def _trees(self, task: Task, trees: int) -> Any:
        import lightgbm

        options: dict[str, Any] = {
            "n_estimators": trees,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_child_samples": self.rows_per_leaf,
            "subsample": self.rows_per_tree,
            "subsample_freq": 1,
            "colsample_bytree": self.columns_per_tree,
            "reg_lambda": self.shrink,
            "cat_smooth": self.smooth_categories,
            "max_cat_to_onehot": 8,
            "random_state": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "n_jobs": task.useful_threads,
            "verbose": -1,
        }
        if self.monotone:
            options["monotone_constraints"] = [self.monotone.get(name, 0) for name in task.features.names]
        if task.is_value:
            return lightgbm.LGBMRegressor(objective="tweedie", tweedie_variance_power=1.5, **options)
        return lightgbm.LGBMClassifier(**options)


@lru_cache(maxsize=2)
def _open_shap(booster: Any) -> Shap:
    """Open the trees of a model once, however many batches of people come."""
    return Shap(booster)
