"""Columns become the values that a destination is told, by its names, and values become payloads."""

from hashlib import blake2b
from typing import Any, NamedTuple

import polars as pl
import polars.selectors as cs

from catchment.activate.definition import Sync
from catchment.activate.destination import LEFT_OUT, Destination
from catchment.activate.fields import Source, as_source, render_template, template_columns

ROW_KEY = "_row_key"
AT_ONCE = 50_000
"""Rows whose payloads are made at a time; what it takes to make them is a few times what they are."""
OPEN, CLOSE = "\ue000", "\ue001"
"""Around the name of a variable in a payload that is compared and kept; filled when the row is sent."""
TYPES: dict[str, Any] = {
    "text": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "timestamp": pl.Datetime("us", "UTC"),
}
TRUE, FALSE = ("true", "yes", "y", "1", "t"), ("false", "no", "n", "0", "f")


TWIN = "another row has the same identifier"
HASHES = ("row_hash", "source_hash")
"""Columns that go along with a row and are no part of its payload."""


class Rows(NamedTuple):
    """`wanted`: row_key, payload, fingerprint, identity. `left_out`: row_key, reason. Together, every row."""

    wanted: pl.DataFrame
    left_out: pl.DataFrame


def render_rows(rows: pl.DataFrame, sync: Sync, destination: Destination) -> Rows:
    """Make payloads of rows: `_row_key` and one column for each that the sync names."""
    parts = rows.iter_slices(AT_ONCE) if rows.height > AT_ONCE else [rows]
    return _parted(pl.concat([_render_part(part, sync, destination) for part in parts]))


def _render_part(rows: pl.DataFrame, sync: Sync, destination: Destination) -> pl.DataFrame:
    named, faults = _name(rows, sync)
    shaped = destination.shape(_plain(named), sync)
    reason = pl.Series(LEFT_OUT, faults, dtype=pl.String)
    along = [rows[name] for name in HASHES if name in rows.columns]
    shaped = shaped.with_columns(*along, pl.coalesce(reason, pl.col(LEFT_OUT).cast(pl.String)).alias(LEFT_OUT))
    return _payloads(shaped, destination.identity(sync))


def fill_variables(payload: str, variables: dict[str, str]) -> str:
    """Put the run's values in place of its variables; what is read later as JSON stays JSON."""
    if OPEN not in payload:
        return payload
    for name, value in variables.items():
        payload = payload.replace(f"{OPEN}{name}{CLOSE}", value)
    return payload


def _name(rows: pl.DataFrame, sync: Sync) -> tuple[pl.DataFrame, list[str | None]]:
    """Give the columns by the destination's names, and of each row what could not be made."""
    faults: list[str | None] = [None] * rows.height
    made = [rows[ROW_KEY]]
    for name, source in sync.sources().items():
        values, wrong = _values(rows, source, name)
        made.append(values.alias(name))
        for index in wrong:
            faults[index] = faults[index] or f"not valid: {name} is no {source.type or 'value of its template'}"
    return pl.DataFrame(made), faults


def _values(rows: pl.DataFrame, source: Source, name: str) -> tuple[pl.Series, list[int]]:
    values, wrong = _raw(rows, source, name)
    if source.type is None:
        return values, wrong
    cast = _cast(values, source.type)
    lost = (cast.is_null() & values.is_not_null() & (_text(values) != "")).arg_true().to_list()
    return cast, [*wrong, *lost]


def _raw(rows: pl.DataFrame, source: Source, name: str) -> tuple[pl.Series, list[int]]:
    if source.column is not None:
        return rows[source.column], []
    if source.template is not None:
        return _render(rows, source.template)
    if source.variable is not None:
        return pl.repeat(f"{OPEN}{source.variable}{CLOSE}", rows.height, dtype=pl.String, eager=True), []
    if source.object is not None:
        parts = {key: _values(rows, as_source(part), key) for key, part in source.object.items()}
        frame = _plain(pl.DataFrame([values.alias(key) for key, (values, _) in parts.items()]))
        return frame.to_struct(name), [index for _, wrong in parts.values() for index in wrong]
    if source.array is not None:
        listed = [_values(rows, as_source(part), str(number)) for number, part in enumerate(source.array)]
        frame = _plain(pl.DataFrame([values.alias(str(number)) for number, (values, _) in enumerate(listed)]))
        values = frame.select(pl.concat_list(pl.all()).list.drop_nulls().alias(name))[name]
        return values, [index for _, wrong in listed for index in wrong]
    return pl.Series(name, [source.constant], strict=False).new_from_index(0, rows.height), []


def _render(rows: pl.DataFrame, template: str) -> tuple[pl.Series, list[int]]:
    """Fill a template once for each distinct row of what it reads."""
    columns = list(template_columns(template))
    if not columns:
        return pl.repeat(render_template(template, {}), rows.height, dtype=pl.String, eager=True), []
    known: dict[tuple[Any, ...], tuple[str | None, bool]] = {}
    read = list(zip(*(rows[column].to_list() for column in columns), strict=True))
    for values in dict.fromkeys(read):
        try:
            known[values] = (render_template(template, _nest(dict(zip(columns, values, strict=True)))), True)
        except ValueError:
            known[values] = (None, False)
    texts = pl.Series([known[values][0] for values in read], dtype=pl.String)
    return texts, [index for index, values in enumerate(read) if not known[values][1]]


def _nest(values: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        first, _, second = name.partition(".")
        if second:
            nested.setdefault(first, {})[second] = value
        else:
            nested[first] = value
    return nested


def _cast(values: pl.Series, kind: str) -> pl.Series:
    if kind == "text" and not values.dtype.is_nested():
        return _text(values)
    if kind == "boolean" and values.dtype == pl.String:
        low = values.str.strip_chars().str.to_lowercase()
        truth = pl.select(pl.when(low.is_in(TRUE)).then(True).when(low.is_in(FALSE)).then(False))
        return truth.to_series()
    if kind in ("integer", "number") and values.dtype == pl.String:
        numbers = values.str.strip_chars().cast(pl.Float64, strict=False)
        whole = pl.select(pl.when(numbers == numbers.round()).then(numbers)).to_series()
        return numbers if kind == "number" else whole.cast(pl.Int64, strict=False)
    if kind == "timestamp" and values.dtype == pl.String:
        return values.str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
    if kind == "date" and values.dtype == pl.String:
        return values.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return values.cast(TYPES[kind], strict=False)


def _text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Datetime or values.dtype == pl.Date:
        return _plain(values.to_frame()).to_series()
    return values.cast(pl.String, strict=False)


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Make of every column what JSON can say; empty text is no value."""
    stripped = cs.string() - cs.by_name(ROW_KEY, require_all=False)
    return rows.with_columns(
        cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        cs.date().dt.to_string("%Y-%m-%d"),
        cs.decimal().cast(pl.Float64),
        cs.float().fill_nan(None),
        pl.when(stripped.str.strip_chars() != "").then(stripped).name.keep(),
    )


def _payloads(shaped: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    payload = [name for name in shaped.columns if name not in (ROW_KEY, LEFT_OUT, *HASHES)]
    along = [name for name in HASHES if name in shaped.columns]
    rows = shaped.select(
        pl.col(ROW_KEY).alias("row_key"),
        _json(payload).alias("payload"),
        _json([name for name in payload if name in identity]).alias("identity"),
        pl.col(LEFT_OUT).cast(pl.String).alias("reason"),
        *along,
    )
    return rows.with_columns(_hashes("payload").alias("fingerprint"), _hashes("identity"))


def _parted(rows: pl.DataFrame) -> Rows:
    """Leave out what cannot be sent, and of rows with one identity all but the first by key."""
    along = [name for name in HASHES if name in rows.columns]
    rows = rows.sort("row_key")
    sendable = rows.filter(pl.col("reason").is_null())
    is_twin = ~pl.col("identity").is_first_distinct()
    twins = sendable.filter(is_twin).with_columns(pl.lit(TWIN).alias("reason"))
    left_out = pl.concat([rows.filter(pl.col("reason").is_not_null()), twins])
    wanted = sendable.filter(~is_twin).select("row_key", "payload", "fingerprint", "identity", *along)
    return Rows(wanted, left_out.select("row_key", "reason", *along))


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
