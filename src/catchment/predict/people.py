"""One row per look: the person, the moment, the features as of it, and what came after."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import ibis
import pyarrow as pa

from catchment.errors import DefinitionError, LakeError, TooFewExamples
from catchment.lake.engine import Session
from catchment.predict.asof import KEPT, first_note, table_as_of
from catchment.predict.behaviour import (
    MOMENT,
    PERSON,
    TIMESTAMP_TYPE,
    Times,
    behaviour_features,
    read_times,
    visible_events,
)
from catchment.predict.definition import EVENTS, Prediction, near
from catchment.predict.learner import Features
from catchment.predict.looks import looks_to_learn, looks_to_score
from catchment.predict.outcomes import BEFORE, HAPPENED, LABEL, happenings, outcomes_of, seed, seed_of

IDENTIFIERS = {PERSON, "domain_userid", "user_id", "network_userid", "email"}
"""Columns that name a person: a model that read them would learn people by heart."""
AT_ONCE = 250_000
"""So many people at most are joined with their features at a time."""
RESERVED = {PERSON, MOMENT, BEFORE, LABEL, HAPPENED}


class Lens(NamedTuple):
    """What looking needs: the tables, the clocks, and the moment up to which behaviour is known."""

    session: Session
    backend: Any
    events: Any
    times: Times
    clock: datetime
    now: datetime


def open_lens(prediction: Prediction, session: Session, now: datetime, history_hours: float) -> Lens:
    """Open the lake's tables; `clock` is `now`, or the last event where the lake lags behind.

    When the lake lags behind, silence is not taken for a no.
    """
    backend = session.ibis()
    times = read_times(backend, history_hours) if "events" in backend.list_tables() else None
    if times is None:
        raise LakeError(f"{prediction.file}: the lake has no events yet.", hint="`catchment run` fills it.")
    events = visible_events(backend, times, partial(keep, backend))
    return Lens(session, backend, events, times, min(now, times.last_event), now)


def read_examples_table(prediction: Prediction, lens: Lens) -> pa.Table:
    """Read every look whose outcome is known, oldest first, with label and features."""
    looks = looks_to_learn(prediction, lens.events, lens.clock, lens.times)
    looks = _drawn(_noted(prediction, lens, looks), prediction.observe.most, lens.backend)
    told = keep(lens.backend, _with_outcome(prediction, lens, looks), "looks")
    table = lens.backend.to_pyarrow(_seen(prediction, lens, told))
    return _plain(table).sort_by([(MOMENT, "ascending"), (PERSON, "ascending")])


def _noted(prediction: Prediction, lens: Lens, looks: Any) -> Any:
    """Leave out looks from before a recorded table was noted first; raises TooFewExamples where none is left."""
    for source in prediction.features.recorded:
        first = first_note(lens.backend, source)
        if first is None or first + timedelta(days=prediction.horizon) > lens.clock:
            since = "not recorded yet" if first is None else f"recorded since {first:%Y-%m-%d %H:%M}"
            raise TooFewExamples(
                f"{prediction.file}: features.recorded: '{source}' is {since}, so of no look that is "
                f"{prediction.horizon} days old it is known what it said.",
                hint=f"`catchment run` notes it; train {prediction.horizon} days after the first note, or take "
                f"'{source}' out of features.sources until then.",
            )
        looks = looks.filter(looks[MOMENT] >= ibis.literal(first, TIMESTAMP_TYPE))
    return looks


def stream_people(prediction: Prediction, lens: Lens, *, since: datetime | None = None) -> Iterator[pa.Table]:
    """Give everybody to score, in bounded batches; with `since` only people of whom something arrived after it."""
    looks = looks_to_score(prediction, lens.events, lens.now)
    if since is not None:
        fresh = lens.events.filter(lens.events.load_tstamp > ibis.literal(since, TIMESTAMP_TYPE))
        looks = looks.filter(looks[PERSON].isin(fresh[PERSON]))
    looks = keep(lens.backend, _open(prediction, lens, looks), "looks")
    for part in _parts(looks, lens.backend.to_pyarrow(looks.count()).as_py()):
        some = keep(lens.backend, part, "some")
        expression = _seen(prediction, lens, some)
        yield _plain(expression.schema().to_pyarrow().empty_table())
        for batch in lens.session.query(lens.backend.compile(expression)):
            yield _plain(pa.Table.from_batches([batch]))
        drop(lens.backend, some)
    drop(lens.backend, looks)


def _parts(looks: Any, count: int) -> Iterator[Any]:
    """Part people so that no more than AT_ONCE are joined with their features at a time."""
    parts = max(1, ceil(count / AT_ONCE))
    for part in range(parts):
        yield looks.filter((looks[PERSON].hash() % parts).abs() == part) if parts > 1 else looks


def keep(backend: Any, expression: Any, name: str) -> Any:
    """Work an expression out once for all that follow; the engine drops the rows with the session."""
    return backend.create_table(ibis.util.gen_name(f"{KEPT}{name}"), obj=expression, temp=True)


def drop(backend: Any, kept: Any) -> None:
    """Let go of what was kept."""
    backend.raw_sql(f"drop table {kept.get_name()}")


def _drawn(looks: Any, most: int, backend: Any) -> Any:
    """Draw so many looks where there are more, by person, so that nobody is half in."""
    count = backend.to_pyarrow(looks.count()).as_py()
    if count <= most:
        return looks
    kept = int(1000 * most / count)
    return looks.filter((looks[PERSON].hash() % 1000).abs() < kept)


def _with_outcome(prediction: Prediction, lens: Lens, looks: Any) -> Any:
    """Join the outcome to the looks, and leave out those of whom it is no question."""
    if prediction.kind == "lookalike":
        outcome = seed_of(prediction, lens.backend, looks)
    else:
        done = happenings(prediction, lens.backend, lens.events)
        outcome = outcomes_of(prediction, looks, done)
    told = looks.inner_join(
        outcome, [looks[PERSON] == outcome.outcome_person, looks[MOMENT] == outcome.outcome_at]
    ).drop("outcome_person", "outcome_at")
    return told.filter(~told[BEFORE]) if _is_once(prediction) else told


def _open(prediction: Prediction, lens: Lens, looks: Any) -> Any:
    """Leave out looks at people who did it already, where that is once and for all, or who are in the seed."""
    if prediction.kind == "lookalike":
        return looks.filter(~looks[PERSON].isin(seed(prediction, lens.backend)[PERSON]))
    if not _is_once(prediction):
        return looks
    done = happenings(prediction, lens.backend, lens.events)
    done = done.select(done_by=done[PERSON], done_at=done[HAPPENED])
    return looks.anti_join(done, [looks[PERSON] == done.done_by, looks[MOMENT] >= done.done_at])


def _is_once(prediction: Prediction) -> bool:
    outcome = prediction.outcome
    return prediction.kind == "propensity" and outcome is not None and not outcome.repeats


def _seen(prediction: Prediction, lens: Lens, told: Any) -> Any:
    """Join the features of every source to the looks."""
    expression = told
    for source in prediction.features.sources:
        if source == EVENTS:
            features = behaviour_features(prediction, lens.events, told)
        else:
            features = table_as_of(prediction, lens.backend, source, told)
        names = [name for name in features.columns if name not in (PERSON, MOMENT)]
        twice = next((name for name in names if name in expression.columns), None)
        if twice is not None:
            raise DefinitionError(
                f"{prediction.file}: features.sources: '{twice}' of '{source}' is in another source too.",
                hint=f"Rename it in the model '{source}'.",
            )
        features = features.rename(feature_person=PERSON, feature_at=MOMENT)
        keys = [expression[PERSON] == features.feature_person, expression[MOMENT] == features.feature_at]
        expression = expression.left_join(features, keys).drop("feature_person", "feature_at")
    if prediction.kind == "churn" and EVENTS in prediction.features.sources:
        outcome = prediction.outcome
        active = outcome.active_days if outcome is not None and outcome.active_days else prediction.horizon
        expression = expression.filter(expression.days_since_last <= active)
    return expression.drop("session")


def _plain(table: pa.Table) -> pa.Table:
    """Keep the columns of which a feature can be made, beside those that say who, when and what came."""
    return table.select(
        [name for name in table.column_names if name in RESERVED or feature_kind(table.schema.field(name).type)]
    )


def choose_features(prediction: Prediction, schema: pa.Schema) -> Features:
    """Choose the columns to learn from; raises DefinitionError where the file names one that cannot be a feature."""
    choice = prediction.features
    possible = [
        name for name in schema.names if name not in RESERVED | IDENTIFIERS and feature_kind(schema.field(name).type)
    ]
    named = {"include": choice.include or (), "exclude": choice.exclude, "trusted": choice.trusted}
    for key, names in (
        *((f"features.{key}", names) for key, names in named.items()),
        ("segments", prediction.segments),
    ):
        unknown = next((name for name in names if name not in possible), None)
        if unknown is not None:
            raise DefinitionError(
                f"{prediction.file}: {key}: '{unknown}' is no feature of {', '.join(choice.sources)}.",
                hint=near(unknown, possible),
            )
    chosen = [name for name in choice.include or possible if name not in choice.exclude]
    if not chosen:
        raise DefinitionError(f"{prediction.file}: features: none is left.", hint=near("", possible))
    kinds = {name: feature_kind(schema.field(name).type) for name in chosen}
    return Features(
        numbers=tuple(name for name in chosen if kinds[name] == "number"),
        categories=tuple(name for name in chosen if kinds[name] == "category"),
    )


def columns_of_yours(prediction: Prediction, lens: Lens) -> frozenset[str]:
    """Give the columns that tables of the user's own bring, whose moments are only as true as the user has them."""
    tables = [source for source in prediction.features.sources if source != EVENTS]
    return frozenset(name for table in tables for name in lens.backend.table(table).columns)


def feature_frame(people: pa.Table, features: Features) -> Any:
    """Give a pandas frame of the features: numbers as float64, categories as text, NaN for null."""
    numbers = [people[name].cast(pa.float64()) for name in features.numbers]
    categories = [people[name].cast(pa.string()) for name in features.categories]
    return pa.table([*numbers, *categories], names=features.names).to_pandas()


def feature_kind(column: pa.DataType) -> str | None:
    """Say whether a column can be a `number` or a `category`, None where it is neither."""
    if pa.types.is_dictionary(column):
        column = column.value_type
    if pa.types.is_string(column) or pa.types.is_large_string(column):
        return "category"
    number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return "number" if any(is_such(column) for is_such in number) else None
