"""The table that a prediction reads: which of its columns are features, and who is left out."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import DefinitionError, LakeError
from catchment.event import TIMESTAMP
from catchment.lake.engine import Session
from catchment.predict.definition import Prediction, near
from catchment.predict.learner import Features

PERSON = "person_id"
IDENTIFIERS = {PERSON, "domain_userid", "user_id", "network_userid", "email"}
"""Columns that name a person: a model that read them would learn people by heart."""


def read_people(prediction: Prediction, session: Session) -> pa.Table:
    """Read everybody who had not converted before being observed, in the columns of which a feature can be made.

    Raises LakeError where the table was never built and DefinitionError where it has not the columns.
    """
    return pa.concat_tables(stream_people(prediction, session))


def stream_people(prediction: Prediction, session: Session) -> Iterator[pa.Table]:
    """Give what `read_people` gives in bounded pieces, at least one."""
    backend = session.ibis()
    if prediction.table not in backend.list_tables():
        raise LakeError(
            f"{prediction.file}: the lake has no table '{prediction.table}' yet.", hint="`catchment run` fills it."
        )
    expression = backend.table(prediction.table)
    schema = expression.schema().to_pyarrow()
    _require(prediction, schema)
    wanted = [PERSON, *sorted(prediction.reserved())]
    wanted += [name for name in schema.names if name not in wanted and _kind(schema.field(name).type) is not None]
    yield _eligible(prediction, expression.select(wanted).schema().to_pyarrow().empty_table())
    for batch in session.query(backend.compile(expression.select(wanted))):
        yield _eligible(prediction, pa.Table.from_batches([batch]))


def choose_features(prediction: Prediction, schema: pa.Schema) -> Features:
    """Choose the columns to learn from; raises DefinitionError where the file names one that cannot be a feature."""
    choice = prediction.features
    possible = [name for name in schema.names if name not in prediction.reserved() | IDENTIFIERS]
    possible = [name for name in possible if _kind(schema.field(name).type) is not None]
    for key, names in (("include", choice.include or ()), ("exclude", choice.exclude)):
        unknown = next((name for name in names if name not in possible), None)
        if unknown is not None:
            raise DefinitionError(
                f"{prediction.file}: features.{key}: '{unknown}' is no feature of the table '{prediction.table}'.",
                hint=near(unknown, possible),
            )
    chosen = [name for name in choice.include or possible if name not in choice.exclude]
    if not chosen:
        raise DefinitionError(f"{prediction.file}: features: none is left.", hint=near("", possible))
    kinds = {name: _kind(schema.field(name).type) for name in chosen}
    return Features(
        numbers=tuple(name for name in chosen if kinds[name] == "number"),
        categories=tuple(name for name in chosen if kinds[name] == "category"),
    )


def feature_frame(people: pa.Table, features: Features) -> Any:
    """Give a pandas frame of the features: numbers as float64, categories as text, NaN for null."""
    numbers = [people[name].cast(pa.float64()) for name in features.numbers]
    categories = [people[name].cast(pa.string()) for name in features.categories]
    return pa.table([*numbers, *categories], names=features.names).to_pandas()


def _kind(column: pa.DataType) -> str | None:
    if pa.types.is_dictionary(column):
        column = column.value_type
    if pa.types.is_string(column) or pa.types.is_large_string(column):
        return "category"
    number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return "number" if any(is_such(column) for is_such in number) else None


def _require(prediction: Prediction, schema: pa.Schema) -> None:
    """Raise DefinitionError where a column that the file names is missing or of a type that cannot be what it says."""
    expected = {
        "observed_tstamp": (pa.types.is_timestamp, "time"),
        "target_tstamp": (pa.types.is_timestamp, "time"),
        "target": (pa.types.is_boolean, "boolean"),
        "target_before": (pa.types.is_boolean, "boolean"),
    }
    for key, (is_such, word) in expected.items():
        name = getattr(prediction, key)
        if name not in schema.names:
            raise DefinitionError(
                f"{prediction.file}: {key}: the table '{prediction.table}' has no column '{name}'.",
                hint=near(name, schema.names),
            )
        column = schema.field(name).type
        if not is_such(column):
            raise DefinitionError(
                f"{prediction.file}: {key}: '{name}' is {column}, not a {word}.",
                hint=near("", (field.name for field in schema if is_such(field.type))),
            )
    if PERSON not in schema.names:
        raise DefinitionError(
            f"{prediction.file}: table: '{prediction.table}' has no column '{PERSON}'.", hint=near(PERSON, schema.names)
        )


def _eligible(prediction: Prediction, people: pa.Table) -> pa.Table:
    for name in (prediction.observed_tstamp, prediction.target_tstamp):
        place = people.column_names.index(name)
        people = people.set_column(place, name, _utc(people[name]))
    before = pc.fill_null(people[prediction.target_before], False)
    known = pc.and_(pc.is_valid(people[PERSON]), pc.is_valid(people[prediction.observed_tstamp]))
    return people.filter(pc.and_(known, pc.invert(before)))


def _utc(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    if moments.type.tz is None:
        moments = pc.assume_timezone(moments, "UTC")
    return moments.cast(TIMESTAMP)
