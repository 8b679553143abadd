"""A table of the user's own beside our features, each row from the moment on at which it was true and known."""

from datetime import datetime
from typing import Any

import ibis

from catchment.errors import DefinitionError
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.definition import EVENTS, Prediction, near

SINCE = "observed_tstamp"
KEPT = "catchment_kept_"
"""In the name of each table that a session works with."""


def record_name(source: str) -> str:
    """Name the table of the notes on a table that knows no past."""
    return f"{source}_recorded"


def first_note(backend: Any, source: str) -> datetime | None:
    """Give since when a table is noted, None where it is not yet."""
    if record_name(source) not in backend.list_tables():
        return None
    notes = backend.table(record_name(source))
    first: datetime | None = backend.to_pyarrow(notes.aggregate(first=notes[SINCE].min()))["first"][0].as_py()
    return first


def table_as_of(prediction: Prediction, backend: Any, source: str, looks: Any) -> Any:
    """Give per look the latest row of a table that was true and known by then; one without is not there.

    Raises DefinitionError where the table does not say since when its rows were true.
    """
    choice = prediction.features
    is_noted = source in choice.recorded
    as_of = SINCE if is_noted else choice.as_of
    table = backend.table(record_name(source)) if is_noted else _require(prediction, backend, source)
    known = table[as_of]
    if choice.known_at in table.columns and not is_noted:
        known = ibis.greatest(known, table[choice.known_at])
    wanted = looks.select(who=looks[PERSON], at=looks[MOMENT])
    columns = {name: table[name] for name in table.columns if name not in (PERSON, as_of, choice.known_at)}
    rows = table.select(row_person=table[PERSON], row_since=table[as_of], row_known=known, **columns)
    rows = wanted.inner_join(rows, wanted.who == rows.row_person)
    rows = rows.filter(rows.row_since <= rows["at"], rows.row_known <= rows["at"])
    latest = ibis.window(group_by=[rows.who, rows["at"]], order_by=[rows.row_since.desc(), rows.row_known.desc()])
    rows = rows.mutate(row_place=ibis.row_number().over(latest))
    rows = rows.filter(rows.row_place == 0).drop("row_person", "row_since", "row_known", "row_place")
    return rows.rename(**{PERSON: "who", MOMENT: "at"})


def tables_of(backend: Any) -> list[str]:
    """Name the tables of the lake, without those that a session works with."""
    return [name for name in backend.list_tables() if KEPT not in name]


def _require(prediction: Prediction, backend: Any, source: str) -> Any:
    names = {EVENTS, *tables_of(backend)}
    place = f"{prediction.file}: features.sources"
    if source not in names:
        raise DefinitionError(f"{place}: the lake has no table '{source}'.", hint=near(source, names))
    table = backend.table(source)
    as_of = prediction.features.as_of
    if PERSON not in table.columns:
        raise DefinitionError(f"{place}: '{source}' has no column '{PERSON}'.", hint=near(PERSON, table.columns))
    if as_of not in table.columns:
        times = [name for name in table.columns if table[name].type().is_timestamp()]
        raise DefinitionError(
            f"{prediction.file}: features.as_of: '{source}' has no column '{as_of}', so nobody can tell which of its "
            "rows were true at a moment in the past.",
            hint=f"Add the column to the model, name another with features.as_of, or have its rows noted from now on: "
            f"features.recorded: [{source}]. {near(as_of, times)}",
        )
    if not table[as_of].type().is_timestamp():
        raise DefinitionError(
            f"{prediction.file}: features.as_of: '{as_of}' of '{source}' is {table[as_of].type()}, not a time.",
            hint="Cast it to a timestamp in the model.",
        )
    return table
