"""Which rows a sync is about, read from the lake with the columns that its payloads are made of."""

import pyarrow as pa

from catchment.activate.definition import Sync, near
from catchment.errors import DefinitionError, LakeError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS, AUDIENCE_RUNS, PROPENSITY_SCORES

HOLDOUT = "holdout"
"""The arm of an audience that no destination hears of."""


def read_sources(sync: Sync, session: Session, lake: Lake) -> pa.RecordBatchReader:
    """Stream the key of each row that a sync is about, and the columns that its payload is made of, in order."""
    query, parameters = _query(sync, session, lake)
    return session.query(query, parameters)


def source_tables(sync: Sync) -> list[str]:
    """Name the tables that a sync reads."""
    has_scores = any("." in column for column in sync.columns())
    audience = [AUDIENCE_MEMBERS.name] if sync.audience is not None else []
    return [sync.model, *audience, *([PROPENSITY_SCORES.name] if has_scores else [])]


def _query(sync: Sync, session: Session, lake: Lake) -> tuple[str, dict[str, str]]:
    predictions = dict.fromkeys(column.split(".")[0] for column in sync.columns() if "." in column)
    aliases = {prediction: f"score_{number}" for number, prediction in enumerate(predictions)}
    selected = _select(sync, _columns(sync, session, lake), aliases)
    parameters = {alias: prediction for prediction, alias in aliases.items()}
    for prediction in predictions:
        _require_prediction(prediction, sync, session, lake)
    source = f"from {sync.model} as model"
    members = ""
    if sync.audience is not None:
        _require_audience(sync, session, lake)
        parameters |= {"audience": sync.audience, "holdout": HOLDOUT}
        members = (
            f"with members as (\n    select distinct person_id as row_key\n    from {AUDIENCE_MEMBERS.name}"
            "\n    where audience = $audience\n        and left_at is null"
            "\n        and coalesce(arm, '') <> $holdout\n)\n"
        )
        joined = f"on cast(model.{sync.key} as string) = members.row_key"
        source = f"from members\nleft join {sync.model} as model\n    {joined}"
    joins = [
        f"left join {PROPENSITY_SCORES.name} as {alias}\n"
        f"    on {alias}.person_id = {_key(sync)} and {alias}.prediction = ${alias}"
        for alias in aliases.values()
    ]
    columns = ",\n    ".join(f"{column} as column_{number}" for number, column in enumerate(selected))
    return "\n".join([f"{members}select\n    {_key(sync)} as row_key,\n    {columns}", source, *joins]), parameters


def _key(sync: Sync) -> str:
    """Give the expression of a row's key; a table's own rows are read once, and joined to nothing for it."""
    return "members.row_key" if sync.audience is not None else f"cast(model.{sync.key} as string)"


def _select(sync: Sync, known: list[str], aliases: dict[str, str]) -> list[str]:
    """Give the expression behind each of the destination's names; raises DefinitionError for a column we have not."""
    for name, source in sync.sources().items():
        for column in source.columns():
            if "." not in column and column != sync.key and column not in known:
                message = f"{sync.file}: {name}: {sync.model} has no column '{column}'."
                raise DefinitionError(message, hint=near(column, known))
    return [_place(column, sync, aliases) for column in sync.columns()]


def _place(column: str, sync: Sync, aliases: dict[str, str]) -> str:
    if column == sync.key:
        return _key(sync)
    return _score_column(column, aliases) if "." in column else f"model.{column}"


def _score_column(reference: str, aliases: dict[str, str]) -> str:
    prediction, column = reference.split(".")
    return f"{aliases[prediction]}.{column}"


def _columns(sync: Sync, session: Session, lake: Lake) -> list[str]:
    _require(sync.model, lake, hint="`catchment build` fills it; or name another model in the sync.")
    names: list[str] = session.query(f"select * from {sync.model} where 1 = 0").schema.names
    if sync.key not in names:
        raise DefinitionError(f"{sync.file}: key: {sync.model} has no column '{sync.key}'.", hint=near(sync.key, names))
    return names


def _require(table: str, lake: Lake, *, hint: str) -> None:
    if not lake.exists(table):
        raise LakeError(f"The lake has no table '{table}' yet.", hint=hint)


def _require_prediction(prediction: str, sync: Sync, session: Session, lake: Lake) -> None:
    """Refuse scores that never were: as empty ones they would clear what was sent before."""
    table = PROPENSITY_SCORES.name
    _require(table, lake, hint="`catchment train` and `catchment score` fill it.")
    known = _distinct("prediction", table, session)
    if prediction not in known:
        raise DefinitionError(
            f"{sync.file}: fields: the prediction '{prediction}' has scored nobody.",
            hint=f"`catchment score {prediction}`, or mend the name. {near(prediction, known)}",
        )


def _require_audience(sync: Sync, session: Session, lake: Lake) -> None:
    """Refuse an audience that never was: as an empty one it would take everybody out."""
    _require(AUDIENCE_MEMBERS.name, lake, hint="`catchment refresh` fills it.")
    tables = [table for table in (AUDIENCE_MEMBERS.name, AUDIENCE_RUNS.name) if lake.exists(table)]
    known = {name for table in tables for name in _distinct("audience", table, session)}
    if sync.audience not in known:
        raise DefinitionError(
            f"{sync.file}: audience: '{sync.audience}' was never refreshed.",
            hint=f"`catchment refresh {sync.audience}`, or mend the name. {near(str(sync.audience), known)}",
        )


def _distinct(column: str, table: str, session: Session) -> set[str]:
    return set(session.query(f"select distinct {column} from {table}").read_all()[column].to_pylist())
