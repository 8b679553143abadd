"""The step before trees: text becomes codes, and what is rare or unknown becomes empty, which trees can take."""

from typing import Any

from catchment.predict.learner import Features


def encoder(features: Features, rare: int) -> Any:
    """Give the transformer: numbers first, then codes, as a pandas frame with the names of the columns."""
    import numpy
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    floats = FunctionTransformer(numpy.asarray, kw_args={"dtype": "float64"}, feature_names_out="one-to-one")
    codes = category_codes(rare)
    parts = [("numbers", floats, list(features.numbers)), ("categories", codes, list(features.categories))]
    return ColumnTransformer(
        [part for part in parts if part[2]], remainder="drop", verbose_feature_names_out=False
    ).set_output(transform="pandas")


def category_codes(rare: int) -> Any:
    """Give the step that numbers categories, those of fewer people than `rare` as one, and what is empty as NaN."""
    import numpy
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=numpy.nan,
        encoded_missing_value=numpy.nan,
        min_frequency=rare,
    )
