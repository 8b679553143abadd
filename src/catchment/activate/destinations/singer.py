"""Any Singer target: a program that reads rows from its standard input and says how far it has come, and no more."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import orjson
from pydantic import Field, SecretStr, field_validator

from catchment.activate.batch import Operation, without_values
from catchment.activate.caller import Caller
from catchment.activate.definition import Leave, Mode, Sync
from catchment.activate.destination import SENT, Batch, Destination, Limits, Outcome, Target
from catchment.errors import SettingsError

DELETED = "_sdc_deleted_at"
"""The column by which taps tell targets that a row is gone."""
MARK = "catchment"
STATE_EVERY = 1_000
"""Rows between two messages of state: what a target has confirmed when it dies is known to so many rows."""
LONGEST_WORD = 300
TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": ["null", "string"]},
    "integer": {"type": ["null", "integer"]},
    "number": {"type": ["null", "number"]},
    "boolean": {"type": ["null", "boolean"]},
    "date": {"type": ["null", "string"], "format": "date"},
    "timestamp": {"type": ["null", "string"], "format": "date-time"},
}


class _SingerTarget(Target):
    stream: str = Field(pattern=r"^[\w.-]+$", description="The stream, which most targets make a table or a file of.")


class Singer(Destination):
    """A Singer target, for what nothing else here reaches: it confirms how far it has come, and speaks of no row."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "event")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "clear")
    target_kind: ClassVar[type[Target]] = _SingerTarget
    tells_rows: ClassVar[bool] = False

    command: list[str] = Field(description="The target and its arguments, such as [target-postgres].")
    config: dict[str, Any] = Field(default={}, description="The target's own settings, given to it by --config.")
    secrets: dict[str, SecretStr] = Field(default={}, description="Of its settings those that nobody should see.")
    rows: int = Field(default=10_000, ge=1, description="Rows for one run of the target.")
    timeout_s: float = Field(default=600, gt=0, description="A run of the target that takes longer is ended.")

    @field_validator("command")
    @classmethod
    def _is_a_program(cls, command: list[str]) -> list[str]:
        if not command or not command[0]:
            raise ValueError("name the program")
        return command

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Give the rows of one run of the target."""
        return Limits(rows=self.rows)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Run the target over the batch: rows before the last state that it echoed are sent, the others unknown."""
        said = self._run(b"".join(self._messages(batch)))
        confirmed = max((_rows_of(line, batch) for line in said.stdout.splitlines()), default=0)
        if said.code == 0:
            silent = Outcome("unknown", "no_state", "the target ended without echoing the last state")
        else:
            words = without_values(said.last_words, batch)[:LONGEST_WORD]
            silent = Outcome("unknown", f"exit {said.code}", words)
        return [SENT] * confirmed + [silent] * (len(batch.rows) - confirmed)

    def ask(self, caller: Caller) -> None:
        """Run the target over nothing, which reads its settings and writes nothing."""
        said = self._run(b"")
        if said.code:
            raise SettingsError(
                f"{self.place}: '{self.command[0]}' ended with {said.code}: {said.last_words[:LONGEST_WORD]}",
                hint=f"Mend {self.place}.config or secrets; the target's own page says what it takes.",
            )

    @property
    def address(self) -> str:
        """Give the program and its settings: a target with others may write elsewhere."""
        return " ".join([*self.command, orjson.dumps(self.config, option=orjson.OPT_SORT_KEYS).decode()])

    def _messages(self, batch: Batch) -> Iterator[bytes]:
        stream = self.target(batch.sync, _SingerTarget).stream
        gone = datetime.now(UTC).isoformat() if batch.operation == "remove" else None
        schema = {"type": "object", "properties": _properties(batch)}
        keys = list(batch.sync.identifiers)
        yield _line({"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": keys})
        for number, row in enumerate(batch.rows, start=1):
            record = {**row, DELETED: gone} if gone else row
            yield _line({"type": "RECORD", "stream": stream, "record": record})
            if number % STATE_EVERY == 0 or number == len(batch.rows):
                yield _line({"type": "STATE", "value": {MARK: {"batch": batch.id, "rows": number}}})

    def _run(self, messages: bytes) -> "_Said":
        with self._configured() as command, tempfile.TemporaryFile() as words:
            try:
                child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words)
            except OSError as error:
                raise self._no_program(str(error)) from error
            code: int | str
            try:
                stdout, _ = child.communicate(messages, timeout=self.timeout_s)
                code = child.returncode
            except subprocess.TimeoutExpired:
                child.kill()
                stdout, _ = child.communicate()
                code = "timeout"
            finally:
                child.kill()
                child.wait()
            return _Said(code, stdout, _last_line(words))

    @contextmanager
    def _configured(self) -> Iterator[list[str]]:
        """Give the command with its settings in a file that nobody else may read, for as long as it runs."""
        if shutil.which(self.command[0]) is None:
            raise self._no_program("there is no such program")
        config = {**self.config, **{name: value.get_secret_value() for name, value in self.secrets.items()}}
        with tempfile.TemporaryDirectory(prefix="singer-") as folder:
            file = Path(folder) / "config.json"
            file.touch(mode=0o600)
            file.write_bytes(orjson.dumps(config))
            yield [*self.command, "--config", str(file)]

    def _no_program(self, why: str) -> SettingsError:
        return SettingsError(
            f"{self.place}.command: '{self.command[0]}' cannot be run: {why}.",
            hint="Install the target in an environment of its own, and name its full path.",
        )


class _Said(NamedTuple):
    """What a run of a target came to: its exit code or `timeout`, what it wrote, and its last words."""

    code: int | str
    stdout: bytes
    last_words: str


def _properties(batch: Batch) -> dict[str, Any]:
    """Give each column its type: as the sync declares it, else as the values have it."""
    properties: dict[str, Any] = {}
    for name, source in batch.sync.sources().items():
        kind = source.type or _kind_of([row[name] for row in batch.rows if row.get(name) is not None])
        properties[name] = {"type": ["null", kind]} if kind in ("object", "array") else TYPES[kind]
    for name in sorted({name for row in batch.rows for name in row} - properties.keys()):
        properties[name] = TYPES["text"]
    return properties | {DELETED: TYPES["timestamp"]} if batch.sync.mode == "mirror" else properties


def _kind_of(values: list[Any]) -> str:
    kinds = {type(value) for value in values}
    names = {bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    if kinds == {int, float}:
        return "number"
    return names.get(kinds.pop(), "text") if len(kinds) == 1 else "text"


def _line(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)


def _rows_of(line: bytes, batch: Batch) -> int:
    """Read how many rows of the batch a line confirms: an echoed state, bare or still in its message."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return 0
    state = said.get("value", said) if isinstance(said, dict) else None
    mark = state.get(MARK) if isinstance(state, dict) else None
    if not isinstance(mark, dict) or mark.get("batch") != batch.id:
        return 0
    return min(int(mark.get("rows", 0)), len(batch.rows))


def _last_line(words: Any) -> str:
    words.seek(0)
    lines = [line.strip() for line in words.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
