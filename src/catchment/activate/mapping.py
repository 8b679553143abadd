"""Members and their columns become payloads: what exactly the destination would be told of each row."""

from hashlib import blake2b
from typing import NamedTuple

import polars as pl
import polars.selectors as cs

from catchment.activate.definition import Sync, near
from catchment.activate.destination import LEFT_OUT, Destination
from catchment.errors import DefinitionError, LakeError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS, AUDIENCE_RUNS, PROPENSITY_SCORES

ROW_KEY = "_row_key"
HOLDOUT = "holdout"
"""The arm of an audience that no destination hears of."""


class Rows(NamedTuple):
    """`wanted`: row_key, payload, fingerprint, identity. `left_out`: row_key, reason. Together, every member."""

    wanted: pl.DataFrame
    left_out: pl.DataFrame


def read_rows(sync: Sync, destination: Destination, session: Session, lake: Lake) -> Rows:
    """Read the rows that a sync wants the destination to hold, and those that it cannot be told of."""
    query, parameters = _query(sync, session, lake)
    reader = session.query(query, parameters)
    rows = pl.DataFrame(pl.from_arrow(reader.read_all()))
    names = [ROW_KEY, *sync.columns()]
    rows = rows.rename(dict(zip(rows.columns, names, strict=True)))
    _require_unique(sync, rows)
    rows = rows.with_columns(pl.lit(value).alias(name) for name, value in sync.constants().items())
    return _render(destination.shape(_plain(rows), sync), destination.identity(sync))


def _query(sync: Sync, session: Session, lake: Lake) -> tuple[str, dict[str, str]]:
    predictions = dict.fromkeys(column.split(".")[0] for column in sync.columns().values() if "." in column)
    aliases = {prediction: f"score_{number}" for number, prediction in enumerate(predictions)}
    selected = _select(sync, _columns(sync, session, lake), aliases)
    parameters = {alias: prediction for prediction, alias in aliases.items()}
    joins = [
        f"left join {PROPENSITY_SCORES.name} as {alias}\n"
        f"    on {alias}.person_id = members.row_key and {alias}.prediction = ${alias}"
        for alias in aliases.values()
    ]
    for prediction in predictions:
        _require_prediction(prediction, sync, session, lake)
    members = f"select cast({sync.key} as string) as row_key\n    from {sync.model}"
    if sync.audience is not None:
        _require_audience(sync, session, lake)
        parameters |= {"audience": sync.audience, "holdout": HOLDOUT}
        members = (
            f"select distinct person_id as row_key\n    from {AUDIENCE_MEMBERS.name}\n    where audience = $audience"
            "\n        and left_at is null\n        and coalesce(arm, '') <> $holdout"
        )
    columns = ",\n    ".join(f"{column} as column_{number}" for number, column in enumerate(selected))
    lines = [
        f"with members as (\n    {members}\n)\nselect\n    members.row_key,\n    {columns}\nfrom members",
        f"left join {sync.model} as model\n    on cast(model.{sync.key} as string) = members.row_key",
        *joins,
    ]
    return "\n".join(lines), parameters


def _select(sync: Sync, known: list[str], aliases: dict[str, str]) -> list[str]:
    """Give the expression behind each of the destination's names; raises DefinitionError for a column we have not."""
    own = {name: column for name, column in sync.columns().items() if "." not in column and column != sync.key}
    for name, column in own.items():
        if column not in known:
            message = f"{sync.file}: {name}: {sync.model} has no column '{column}'."
            raise DefinitionError(message, hint=near(column, known))
    places = {**{column: f"model.{column}" for column in own.values()}, sync.key: "members.row_key"}
    return [places.get(column) or _score_column(column, aliases) for column in sync.columns().values()]


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


def _require_unique(sync: Sync, rows: pl.DataFrame) -> None:
    nulls = rows[ROW_KEY].null_count()
    twice = rows.height - rows[ROW_KEY].n_unique()
    if nulls or twice:
        raise DefinitionError(
            f"{sync.file}: key: {sync.key} of {sync.model} is no key: {nulls} rows have none, {twice} have another's.",
            hint="Name a column that is unique in that table.",
        )


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Make of every column what JSON can say; empty text is no value."""
    stripped = cs.string() - cs.by_name(ROW_KEY)
    return rows.with_columns(
        cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        cs.date().dt.to_string("%Y-%m-%d"),
        cs.decimal().cast(pl.Float64),
        cs.float().fill_nan(None),
        pl.when(stripped.str.strip_chars() != "").then(stripped).name.keep(),
    )


def _render(shaped: pl.DataFrame, identity: list[str]) -> Rows:
    payload = [name for name in shaped.columns if name not in (ROW_KEY, LEFT_OUT)]
    rows = shaped.select(
        pl.col(ROW_KEY).alias("row_key"),
        _json(payload).alias("payload"),
        _json([name for name in payload if name in identity]).alias("identity"),
        pl.col(LEFT_OUT).cast(pl.String).alias("reason"),
    ).sort("row_key")
    sendable = rows.filter(pl.col("reason").is_null())
    is_twin = ~pl.col("identity").is_first_distinct()
    twins = sendable.filter(is_twin).with_columns(pl.lit("another row has the same identifier").alias("reason"))
    wanted = sendable.filter(~is_twin).with_columns(
        _hashes("payload").alias("fingerprint"), _hashes("identity").alias("identity")
    )
    left_out = pl.concat([rows.filter(pl.col("reason").is_not_null()), twins])
    return Rows(wanted.select("row_key", "payload", "fingerprint", "identity"), left_out.select("row_key", "reason"))


def _json(columns: list[str]) -> pl.Expr:
    return pl.struct(sorted(columns)).struct.json_encode()


def _hashes(column: str) -> pl.Expr:
    return pl.col(column).map_batches(
        lambda texts: pl.Series([hash_text(text) for text in texts.to_list()], dtype=pl.String),
        return_dtype=pl.String,
    )


def hash_text(text: str) -> str:
    """Give the fingerprint of a text."""
    return blake2b(text.encode(), digest_size=16).hexdigest()
