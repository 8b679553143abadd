"""Note how tables stand that know no past, so that models can be learned of them without a leak.

Traits, and most models of a warehouse, say what is true now. What they said at an earlier moment only a note of that
moment can tell: each training and scoring notes the rows that differ from their last note, with the moment.
"""

from datetime import datetime
from functools import partial
from typing import Any

import ibis
import pyarrow as pa

from catchment.errors import DefinitionError
from catchment.lake.engine import Session
from catchment.predict.asof import SINCE, record_name, tables_of
from catchment.predict.behaviour import PERSON, TIMESTAMP_TYPE
from catchment.predict.definition import Prediction, near
from catchment.predict.people import IDENTIFIERS, drop, feature_kind, keep
from catchment.predict.workshop import Workshop


def record_sources(prediction: Prediction, shop: Workshop) -> int:
    """Note the rows of the recorded sources that differ from their last note; give how many did."""
    return sum(_record(prediction, shop, source) for source in prediction.features.recorded)


def _record(prediction: Prediction, shop: Workshop, source: str) -> int:
    backend = shop.session.ibis()
    table = _require(prediction, backend, source)
    kinds = {field.name: field.type for field in table.schema().to_pyarrow()}
    names = [name for name, kind in kinds.items() if name not in IDENTIFIERS | {SINCE} and feature_kind(kind)]
    rows = table.select(PERSON, *names)
    if record_name(source) in backend.list_tables():
        rows = _news(rows, backend.table(record_name(source)), names)
    news = keep(backend, rows, "news")
    count = int(backend.to_pyarrow(news.count()).as_py())
    if count:
        shop.lake.append_batches(record_name(source), partial(_stamped, shop.session, backend, news, shop.now))
    drop(backend, news)
    return count


def _stamped(session: Session, backend: Any, rows: Any, moment: datetime) -> pa.RecordBatchReader:
    """Read rows with the moment beside them, in the types that Ibis gives the columns."""
    rows = rows.mutate(**{SINCE: ibis.literal(moment, TIMESTAMP_TYPE)})
    schema = rows.schema().to_pyarrow()
    batches = session.query(backend.compile(rows))
    cast = (part for batch in batches for part in pa.Table.from_batches([batch]).cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, cast)


def _news(rows: Any, notes: Any, names: list[str]) -> Any:
    """Keep the rows that differ from the last note of their person; a column that is new differs from nothing."""
    known = [name for name in names if name in notes.columns]
    latest = ibis.window(group_by=notes[PERSON], order_by=notes[SINCE].desc())
    last = notes.mutate(place=ibis.row_number().over(latest))
    last = last.filter(last.place == 0).select(
        noted_person=last[PERSON], **{f"noted_{name}": last[name] for name in known}
    )
    joined = rows.left_join(last, rows[PERSON] == last.noted_person)
    same = [joined[name].identical_to(joined[f"noted_{name}"]) for name in known]
    same += [joined[name].isnull() for name in names if name not in known]
    return joined.filter(joined.noted_person.isnull() | ~ibis.and_(*same)).select(PERSON, *names)


def _require(prediction: Prediction, backend: Any, source: str) -> Any:
    place = f"{prediction.file}: features.recorded"
    names = tables_of(backend)
    if source not in names:
        raise DefinitionError(f"{place}: the lake has no table '{source}'.", hint=near(source, names))
    table = backend.table(source)
    if PERSON not in table.columns:
        raise DefinitionError(f"{place}: '{source}' has no column '{PERSON}'.", hint=near(PERSON, table.columns))
    table = table.filter(table[PERSON].notnull())
    told = backend.to_pyarrow(table.aggregate(rows=table.count(), people=table[PERSON].nunique())).to_pylist()[0]
    if told["people"] < told["rows"]:
        raise DefinitionError(
            f"{place}: '{source}' has {told['rows']} rows of {told['people']} people, and one of each is needed.",
            hint="Aggregate it in a model, or give it a column that says since when a row is true: features.as_of.",
        )
    return table
