"""What every destination declares and does: the base of `activate/destinations` plugins."""

from hashlib import sha256
from pathlib import Path
from typing import ClassVar, TypeVar, cast

import httpx
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from catchment.activate import ActivateSettings
from catchment.activate.batch import SENT, Batch, Job, Limits, Operation, Outcome, Pace, Payload, Refused
from catchment.activate.caller import Caller, Unanswered, open_caller
from catchment.activate.definition import Leave, Mode, Sync, near, say
from catchment.errors import CredentialsError, DefinitionError, SettingsError
from catchment.plugin import Plugin, build_plugin

__all__ = [
    "LEFT_OUT",
    "SENT",
    "Batch",
    "Caller",
    "Destination",
    "Job",
    "Limits",
    "Operation",
    "Outcome",
    "Pace",
    "Payload",
    "Refused",
    "Sync",
    "Target",
    "Unanswered",
    "WebDestination",
    "missing",
    "near",
    "open_destination",
]

LEFT_OUT = "_left_out"
"""The column in which `shape` says why a row cannot be sent; null where it can."""


class Target(BaseModel):
    """Where inside a destination a sync goes: the keys of its `target`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TargetKind = TypeVar("TargetKind", bound=Target)


class Destination(Plugin):
    """A system that rows are sent to: what it declares is read by the engine, which does everything else."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove",)
    identifiers: ClassVar[tuple[str, ...]] = ()
    """The identifiers it knows; empty where a sync may name any."""
    target_kind: ClassVar[type[Target]] = Target
    batch_limits: ClassVar[Limits] = Limits(rows=100)
    pace: ClassVar[Pace] = Pace()
    charges_for_fields: ClassVar[bool] = False
    """It counts each field that is written: of a row that it holds, only what changed is sent."""
    tells_rows: ClassVar[bool] = True
    """It says of each row what became of it; where it does not, a receipt says so."""
    can_forget: ClassVar[bool] = False
    can_read: ClassVar[bool] = False

    name: str = Field(default="", exclude=True, description="What catchment.yml calls it; filled from there.")

    def accept(self, sync: Sync) -> None:
        """Agree to carry a sync; raises DefinitionError naming its file and what cannot be."""
        self.target(sync, self.target_kind)
        if sync.mode not in self.modes:
            raise DefinitionError(f"{sync.file}: mode: {self.title} has no '{sync.mode}'.", hint=near("", self.modes))
        if sync.mode == "mirror" and sync.on_leave not in self.leaves:
            message = f"{sync.file}: on_leave: {self.title} has no '{sync.on_leave}'."
            raise DefinitionError(message, hint=near("", self.leaves))
        for name in sync.identifiers:
            if self.identifiers and name not in self.identifiers:
                message = f"{sync.file}: identifiers: {self.title} has no '{name}'."
                raise DefinitionError(message, hint=near(name, self.identifiers))
        if "only_if_empty" in sync.empties().values() and not self.can_read:
            raise DefinitionError(
                f"{sync.file}: empty: {self.title} cannot be asked what it holds, so only_if_empty cannot be kept.",
                hint="Use `empty: skip` or `empty: clear`.",
            )

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Turn rows, named as the destination names them, into the columns of its payload and `_left_out`."""
        return rows.with_columns(missing(any_of=list(sync.identifiers)).alias(LEFT_OUT))

    def identity(self, sync: Sync) -> list[str]:
        """Name the keys of a payload that tell its row apart: where they change, the old row must go."""
        return list(sync.identifiers)

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Say how much one request may hold, where `count` rows are to be sent in all."""
        return self.batch_limits

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say whether the same batch sent twice comes to the same there, so that it may go again unanswered.

        Inserts and events do where the vendor or this plugin remembers a row's key or a batch's id.
        """
        return operation not in ("insert", "event")

    def send(self, batch: Batch, caller: Caller) -> list[Outcome] | Job:
        """Send one batch and give an outcome for each row, in order, or the job that will have them.

        Raises Refused where the vendor does not say which rows are bad, Unanswered where nobody knows, and
        CredentialsError or DefinitionError where no row could ever pass.
        """
        raise NotImplementedError

    def poll(self, job: Job, batch: Batch, caller: Caller) -> list[Outcome] | None:
        """Ask once what became of a job, remembered from `send`; None while it lasts."""
        raise NotImplementedError

    def read(self, batch: Batch, caller: Caller) -> list[Payload]:
        """Give what the destination holds of each row, by the names of the sync; {} where it holds nothing."""
        raise NotImplementedError

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete people for good, by payloads as once accepted; where there is no such call, say so of each."""
        reason = f"{self.title} has no deletion by API; ask for it there"
        return [Outcome("rejected", "no_deletion", reason)] * len(batch.rows)

    def ask(self, caller: Caller) -> None:
        """Ask whether we are known there, changing nothing; raises CredentialsError."""
        raise NotImplementedError

    def wait_s(self, response: httpx.Response) -> float | None:
        """Read from an answer how long to hold back, where the vendor says so in its own way."""
        return None

    def close(self) -> None:
        """Let go of what `send` opened; called at the end of a run, and of a check."""

    def check(self) -> None:
        """Raise CredentialsError where the destination refuses us, Unanswered where it is not there."""
        with open_caller(tries=1) as caller:
            try:
                self.ask(caller)
            except Unanswered as error:
                raise Unanswered(
                    f"{self.title} does not answer at {self.address} ({self.place}): {error}", code=error.code
                ) from error
            finally:
                self.close()

    @property
    def address(self) -> str:
        """Where it is; another address is another place, to which everything is sent anew."""
        return ""

    @property
    def credential(self) -> str:
        """Stand for the key in use: syncs with the same one share a budget."""
        secrets = [value.get_secret_value() for value in vars(self).values() if isinstance(value, SecretStr)]
        return sha256("\n".join([type(self).__name__, self.address, *secrets]).encode()).hexdigest()

    @property
    def title(self) -> str:
        """What a person calls it."""
        return type(self).__name__

    @property
    def place(self) -> str:
        """Where catchment.yml declares it."""
        return f"activate.destinations.{self.name or type(self).__name__.lower()}"

    def own_pace(self) -> Pace:
        """Give the pace to keep: as declared, or as catchment.yml has it."""
        return self.pace

    def target(self, sync: Sync, kind: type[TargetKind]) -> TargetKind:
        """Read where the sync goes; raises DefinitionError naming its file and key."""
        try:
            return kind(**sync.target)
        except ValidationError as error:
            raise DefinitionError(
                say(error, f"{sync.file}: target"), hint=f"target takes: {near('', kind.model_fields)}"
            ) from error

    def refused_key(self, setting: str, said: str) -> CredentialsError:
        """Make the error of a wrong key, with the setting to mend."""
        variable = f"{self.title}_{setting}".upper()
        return CredentialsError(
            f"{self.title} at {self.address} refused {self.place}.{setting}: {said}",
            hint=f"export {variable}=... with `{setting}: ${{{variable}}}` under {self.place} in catchment.yml.",
        )

    def unexpected(self, response: httpx.Response) -> Unanswered:
        """Make the error of an answer that the vendor does not document."""
        return Unanswered(f"{self.title} answered {response.status_code}", code=str(response.status_code))


class WebDestination(Destination):
    """A vendor behind an HTTP API."""

    url: str = Field(description="The address of its API, without a path that the vendor documents.")
    requests_per_s: float | None = Field(
        default=None, gt=0, description="What your contract allows, if that is not what the vendor documents."
    )
    requests_at_once: int | None = Field(default=None, ge=1, description="How many requests may run at once.")

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with https:// or http://")
        return url.rstrip("/")

    @property
    def address(self) -> str:
        """Give the URL."""
        return self.url

    def own_pace(self) -> Pace:
        """Give the vendor's documented pace, or what catchment.yml says of the contract."""
        at_once = self.requests_at_once or self.pace.concurrent
        if self.requests_per_s is None:
            return self.pace._replace(concurrent=at_once)
        whole = max(1.0, self.requests_per_s)
        return Pace(round(whole), per_s=round(whole) / self.requests_per_s, concurrent=at_once)


def missing(*, all_of: list[str] | None = None, any_of: list[str] | None = None) -> pl.Expr:
    """Say of each row which names it lacks: each of `all_of`, and `any_of` where it has none of those."""
    lacks = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in all_of or []]
    if any_of:
        none = pl.all_horizontal(pl.col(name).is_null() for name in any_of)
        lacks.append(pl.when(none).then(pl.lit(" or ".join(any_of))))
    names = pl.concat_str(lacks, separator=", ", ignore_nulls=True)
    return pl.when(names != "").then(pl.lit("no identifier: ") + names)


def open_destination(settings: ActivateSettings, name: str, folder: Path) -> Destination:
    """Build the destination that catchment.yml calls by this name; raises SettingsError where it calls none so."""
    if name not in settings.destinations:
        raise SettingsError(
            f"There is no activate.destinations.{name}.", hint=f"Declare it. {near(name, settings.destinations)}"
        )
    block = {**settings.destinations[name], "name": name}
    place = f"activate.destinations.{name}"
    return cast(Destination, build_plugin("activate/destinations", block, place=place, project_folder=folder))
