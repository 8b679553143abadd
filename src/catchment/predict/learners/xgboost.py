"""Gradient-boosted trees of XGBoost, an extra."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

from pydantic import Field

from catchment.errors import PluginError
from catchment.predict.encoding import encoder
from catchment.predict.learner import Features, Learner, Task


class XGBoost(Learner):
    """XGBoost: needs `pip install 'catchment[xgboost]'`."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "xgboost-cpu")

    seed: int = 20
    learning_rate: float = Field(default=0.05, gt=0)
    depth: int = Field(default=3, gt=0, description="Levels of a tree.")
    weight_per_leaf: float = Field(default=5.0, ge=0, description="A leaf needs as much weight.")
    columns_per_tree: float = Field(default=0.6, gt=0, le=1, description="Share of the features that a tree sees.")
    shrink: float = Field(default=5.0, ge=0, description="L2 regularisation of leaf values.")
    rare: int = Field(default=20, gt=1, description="Categories of fewer people are one category together.")
    trees: int = Field(default=300, gt=0, description="How many.")

    def vary(self, trial: Any) -> Self:
        """Draw the options that the file leaves open."""
        drawn: dict[str, Callable[[], Any]] = {
            "depth": lambda: trial.suggest_int("depth", 2, 6),
            "weight_per_leaf": lambda: trial.suggest_float("weight_per_leaf", 1.0, 50.0, log=True),
            "columns_per_tree": lambda: trial.suggest_float("columns_per_tree", 0.2, 1.0),
            "shrink": lambda: trial.suggest_float("shrink", 0.1, 60.0, log=True),
            "trees": lambda: trial.suggest_int("trees", 50, 600, log=True),
        }
        return self.model_copy(
            update={name: draw() for name, draw in drawn.items() if name not in self.model_fields_set}
        )

    def build(self, task: Task) -> Any:
        """Give the trees."""
        from sklearn.pipeline import Pipeline

        kind = self._xgboost()
        options = {
            "n_estimators": self.trees,
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "min_child_weight": self.weight_per_leaf,
            "colsample_bytree": self.columns_per_tree,
            "subsample": 0.8,
            "reg_lambda": self.shrink,
            "random_state": self.seed,
            "n_jobs": task.useful_threads,
        }
        trees = kind.XGBRegressor(**options) if task.is_value else kind.XGBClassifier(**options)
        return Pipeline([("features", encoder(task.features, self.rare)), ("trees", trees)])

    def explain(self, model: Any, features: Features, frame: Any) -> Any:
        """Give the SHAP values that XGBoost itself computes, in log-odds or amounts."""
        kind = self._xgboost()
        rows = kind.DMatrix(model.named_steps["features"].transform(frame))
        return model.named_steps["trees"].get_booster().predict(rows, pred_contribs=True)[:, :-1]

    def _xgboost(self) -> Any:
        try:
            import xgboost
        except ImportError as error:
            raise PluginError("XGBoost is not installed.", hint="pip install 'catchment[xgboost]'") from error
        return xgboost
