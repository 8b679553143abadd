"""Meta (Facebook, Instagram) custom audiences, through hashed identifiers."""

from hashlib import sha256
from typing import Any, ClassVar

import orjson
import polars as pl
from pydantic import Field

from catchment.activate import hashing
from catchment.activate.caller import Caller
from catchment.activate.definition import Mode, Sync, near
from catchment.activate.destination import LEFT_OUT, SENT, Batch, Limits, Outcome, Refused, Target, missing
from catchment.activate.graph import GraphDestination
from catchment.errors import DefinitionError


class _MetaTarget(Target):
    audience_id: str = Field(pattern=r"^\d+$", description="The id of the custom audience in Ads Manager.")


class Meta(GraphDestination):
    """A Meta custom audience: people are added and removed by what Meta can match, normalised and hashed here."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "remove", "snapshot")
    batch_limits: ClassVar[Limits] = Limits(rows=10_000)
    target_kind: ClassVar[type[Target]] = _MetaTarget

    def accept(self, sync: Sync) -> None:
        """Agree to keys that Meta can match; Meta holds nothing else."""
        super().accept(sync)
        for name in [*sync.identifiers, *sync.fields]:
            if name not in NORMALISE:
                raise DefinitionError(f"{sync.file}: Meta has no key '{name}'.", hint=near(name, NORMALISE))

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Normalise and hash, once for each distinct value; an identifier that cannot be normalised is none."""
        names = [*sync.identifiers, *sync.fields]
        identifiers = list(sync.identifiers)
        given = ~pl.all_horizontal(pl.col(name).is_null() for name in identifiers)
        rows = rows.with_columns(given.alias("_given")).with_columns(_hash(rows[name], name) for name in names)
        nothing = missing(any_of=identifiers)
        invalid = pl.when(pl.col("_given") & nothing.is_not_null()).then(
            pl.lit(f"not valid: {' or '.join(identifiers)}")
        )
        return rows.with_columns(pl.coalesce(invalid, nothing).alias(LEFT_OUT)).drop("_given")

    def identity(self, sync: Sync) -> list[str]:
        """Name every key: Meta knows a person by them alone, so who changes is removed and added."""
        return [*sync.identifiers, *sync.fields]

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Add, remove or replace people; Meta only counts what was invalid, so a batch with such entries is halved."""
        schema = list(dict.fromkeys(name for row in batch.rows for name in row))
        data = [[row.get(name) or "" for name in schema] for row in batch.rows]
        form = {"payload": orjson.dumps({"schema": schema, "data": data}).decode()}
        is_snapshot = batch.sync.mode == "snapshot"
        if is_snapshot:
            form["session"] = orjson.dumps(_session(batch)).decode()
        audience_id = self.target(batch.sync, _MetaTarget).audience_id
        method = "POST" if batch.operation == "upsert" else "DELETE"
        path = f"{audience_id}/{'usersreplace' if is_snapshot else 'users'}"
        body = self.call_graph(caller, method, path, place=batch.sync.file, data=form)
        invalid = int(body.get("num_invalid_entries") or 0)
        if not invalid and body.get("num_received") == len(data):
            return [SENT] * len(data)
        said = f"{invalid} invalid of {body.get('num_received')} received, such as {body.get('invalid_entry_samples')}"
        if is_snapshot:
            return [Outcome("unknown", "200", said)] * len(data)
        raise Refused(said, code="200")


def _session(batch: Batch) -> dict[str, Any]:
    """Name the replacement that a batch is part of: Meta lets the new audience take the old one's place at the end."""
    number = int.from_bytes(sha256(f"{batch.run_id} {batch.sync.name}".encode()).digest()[:7], "big")
    return {
        "session_id": number,
        "batch_seq": batch.number,
        "last_batch_flag": batch.is_last,
        "estimated_num_total": batch.total,
    }


NORMALISE: dict[str, hashing.Rule] = {
    "EMAIL": hashing.email,
    "PHONE": hashing.phone_digits,
    "GEN": hashing.gender,
    "DOBY": hashing.padded(4),
    "DOBM": hashing.padded(2),
    "DOBD": hashing.padded(2),
    "FN": hashing.name,
    "LN": hashing.name,
    "FI": hashing.initial,
    "CT": hashing.place,
    "ST": hashing.place,
    "ZIP": hashing.postal_code,
    "COUNTRY": hashing.country,
    "MADID": hashing.trimmed,
    "EXTERN_ID": hashing.as_is,
}
PLAIN = {"MADID", "EXTERN_ID"}


def _hash(values: pl.Series, key: str) -> pl.Series:
    change = hashing.normalise_column if key in PLAIN else hashing.hash_column
    return change(values, NORMALISE[key])
