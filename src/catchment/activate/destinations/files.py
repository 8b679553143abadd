"""Files of CSV, Parquet or JSON lines, in a folder, an object store or behind SFTP."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NoReturn

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pydantic import Field, PrivateAttr, SecretStr, field_validator

from catchment.activate.batch import Operation
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import SENT, Batch, Destination, Limits, Outcome, Target
from catchment.activate.sftp import SCHEME, SftpStore
from catchment.activate.store import ArrowStore, Store
from catchment.errors import CredentialsError, SettingsError

KEY_REFUSED = ("access_denied", "access denied", "permission denied", "invalidaccesskeyid", "signaturedoesnotmatch")
TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}


class _FilesTarget(Target):
    name: str | None = Field(default=None, pattern=r"^[\w.-]+$", description="Of the file; else that of the sync.")
    format: Literal["csv", "parquet", "jsonl"] = "csv"
    gzip: bool = Field(default=False, description="Packs CSV and JSON lines.")
    rows: int = Field(default=1_000_000, ge=1, description="Rows in one file; more make further files.")


class Files(Destination):
    """Files of CSV, Parquet or JSON lines in a folder or an object store, each there whole or not at all."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "event", "snapshot")
    target_kind: ClassVar[type[Target]] = _FilesTarget

    url: str = Field(
        description="A folder, s3://, gs:// or abfs:// with bucket and folder, or sftp://USER@HOST/FOLDER."
    )
    options: dict[str, SecretStr] = Field(
        default={},
        description="Of the object store, as pyarrow calls them: access_key, secret_key, endpoint_override. Of SFTP: "
        "password, or key or key_file and passphrase; known_hosts, a file, or host_key.",
    )
    _opened: list[Store] = PrivateAttr(default_factory=list)

    @field_validator("url")
    @classmethod
    def _tells_no_password(cls, url: str) -> str:
        if url.startswith(SCHEME) and ":" in url.removeprefix(SCHEME).rpartition("@")[0]:
            raise ValueError("must not hold a password; options.password does")
        return url

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Give the rows of one file."""
        return Limits(rows=self.target(sync, _FilesTarget).rows)

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say yes: the same batch is the same file."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Write one file; a snapshot takes the place of the last one."""
        target = self.target(batch.sync, _FilesTarget)
        name = target.name or batch.sync.name
        ending = target.format + (".gz" if target.gzip and target.format != "parquet" else "")
        try:
            if batch.sync.mode == "snapshot":
                self._open().write(f"{name}{_part(batch.number)}.{ending}", _pack(_table(batch), target))
                if batch.is_last:
                    self._drop_later_parts(name, batch.number, ending)
            else:
                self._open().write(f"{name}/{self._name_once(name, batch)}.{ending}", _pack(_table(batch), target))
        except OSError as error:
            self._say(error)
        return [SENT] * len(batch.rows)

    def ask(self, caller: Caller) -> None:
        """Look at the folder."""
        try:
            self._open().look()
        except OSError as error:
            self._say(error)

    def close(self) -> None:
        """Let go of the store."""
        while self._opened:
            self._opened.pop().close()

    @property
    def address(self) -> str:
        """Give the URL."""
        return self.url

    def _open(self) -> Store:
        if not self._opened:
            options = {name: value.get_secret_value() for name, value in self.options.items()}
            self._opened.append(self._find(options))
        return self._opened[0]

    def _find(self, options: dict[str, str]) -> Store:
        if self.url.startswith(SCHEME):
            return SftpStore(self.url, options, self.place)
        try:
            return ArrowStore(self.url, options)
        except (pa.ArrowInvalid, TypeError, OSError) as error:
            raise SettingsError(
                f"{self.place} cannot be opened: {error}", hint=f"Mend {self.place}.url or its options."
            ) from error

    def _name_once(self, name: str, batch: Batch) -> str:
        """Give a name that sorts by time; a batch that comes again keeps the one that it has."""
        for known in self._open().names(name):
            if f"-{batch.id}." in known and not known.endswith(".part"):
                return known.partition(f"-{batch.id}.")[0] + f"-{batch.id}"
        return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{batch.id}"

    def _drop_later_parts(self, name: str, last: int, ending: str) -> None:
        """Take away what a larger snapshot before this one left."""
        store = self._open()
        while store.is_file(f"{name}{_part(last + 1)}.{ending}"):
            last += 1
            store.delete(f"{name}{_part(last)}.{ending}")

    def _say(self, error: OSError) -> NoReturn:
        said = str(error)
        self.close()
        if isinstance(error, PermissionError) or any(word in said.lower() for word in KEY_REFUSED):
            raise CredentialsError(
                f"{self.place}: {said}", hint=f"Give the right to write at {self.url}, or mend {self.place}.options."
            ) from error
        raise Unanswered(said, code=type(error).__name__, is_silent=True) from error


def _part(number: int) -> str:
    return "" if number == 1 else f"-{number:05}"


def _table(batch: Batch) -> pa.Table:
    """Give the rows in the order of the sync, every column in every file; a feed of changes names its operation."""
    sources = batch.sync.sources()
    names = [*sources, *sorted({name for row in batch.rows for name in row} - set(sources))]
    columns = {name: _column([row.get(name) for row in batch.rows], sources.get(name)) for name in names}
    if batch.sync.mode in ("mirror", "upsert"):
        columns = {"_operation": pa.array([batch.operation] * len(batch.rows)), **columns}
    return pa.table(columns)


def _column(values: list[Any], source: Any) -> pa.Array:
    kind = getattr(source, "type", None)
    if kind in ("date", "timestamp"):
        values = [value and datetime.fromisoformat(value) for value in values]
    if kind is not None:
        return pa.array(values, TYPES[kind])
    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_text(value) for value in values], pa.string())
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _pack(table: pa.Table, target: _FilesTarget) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    if target.format == "parquet":
        pa.parquet.write_table(table, sink)
        return sink.getvalue()
    with pa.CompressedOutputStream(sink, "gzip") if target.gzip else sink as stream:
        if target.format == "jsonl":
            options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
            stream.write(b"".join(orjson.dumps(row, option=options) for row in table.to_pylist()))
        else:
            flat = [
                pa.array([_text(value) for value in column.to_pylist()]) if pa.types.is_nested(column.type) else column
                for column in table.columns
            ]
            pa.csv.write_csv(pa.table(flat, names=table.column_names), stream)
        if not target.gzip:
            return sink.getvalue()
    return sink.getvalue()
