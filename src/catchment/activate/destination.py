"""What every destination declares and does: the base of `activate/destinations` plugins."""

from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, cast

import httpx
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from catchment.activate import ActivateSettings
from catchment.activate.caller import Caller, Unanswered, open_caller
from catchment.activate.definition import Sync, near, say
from catchment.errors import CredentialsError, DefinitionError, SettingsError
from catchment.plugin import Plugin, build_plugin

Operation = Literal["upsert", "remove"]
Status = Literal["sent", "rejected", "retry", "unknown"]
LEFT_OUT = "_left_out"
"""The column in which `shape` says why a row cannot be sent; null where it can."""


class Outcome(NamedTuple):
    """What became of one row, in the vendor's words."""

    status: Status
    code: str | None = None
    reason: str | None = None
    field: str | None = None


SENT = Outcome("sent")


class Batch(NamedTuple):
    """Rows for one request: payloads to upsert, or payloads as once accepted, to remove."""

    sync: Sync
    operation: Operation
    rows: list[dict[str, Any]]


class Refused(Exception):
    """A vendor refused a whole batch for the sake of rows it did not name; smaller batches tell which."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason)
        self.code = code


class Target(BaseModel):
    """Where inside a destination a sync goes: the keys of its `target`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TargetKind = TypeVar("TargetKind", bound=Target)


class Destination(Plugin):
    """A system that people are sent to. What is sent twice must come to the same there."""

    batch_size: ClassVar[int] = 100
    modes: ClassVar[tuple[str, ...]] = ("mirror", "upsert")
    target_kind: ClassVar[type[Target]] = Target

    name: str = Field(default="", exclude=True, description="What catchment.yml calls it; filled from there.")
    url: str = Field(description="The address of its API, without a path that the vendor documents.")

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with https:// or http://")
        return url.rstrip("/")

    def accept(self, sync: Sync) -> None:
        """Agree to carry a sync; raises DefinitionError naming its file and what cannot be."""
        self.target(sync, self.target_kind)
        if sync.mode not in self.modes:
            raise DefinitionError(f"{sync.file}: mode: {self.title} has no '{sync.mode}'.", hint=near("", self.modes))

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Turn rows, named as the destination names them, into the columns of its payload and `_left_out`."""
        return rows.with_columns(missing(any_of=list(sync.identifiers)).alias(LEFT_OUT))

    def identity(self, sync: Sync) -> list[str]:
        """Name the keys of a payload that tell its row apart: where they change, the old row must go."""
        return list(sync.identifiers)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Send one batch and give an outcome for each row, in order.

        Raises Refused where the vendor does not say which rows are bad, Unanswered where nobody knows, and
        CredentialsError or DefinitionError where no row could ever pass.
        """
        raise NotImplementedError

    def ask(self, caller: Caller) -> None:
        """Ask the vendor whether it knows our key, changing nothing there; raises CredentialsError."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise CredentialsError where the vendor refuses us, Unanswered where it is not there."""
        with open_caller(tries=1) as caller:
            try:
                self.ask(caller)
            except Unanswered as error:
                raise Unanswered(
                    f"{self.title} does not answer at {self.url} ({self.place}): {error}", code=error.code
                ) from error

    @property
    def title(self) -> str:
        """What a person calls it."""
        return type(self).__name__

    @property
    def place(self) -> str:
        """Where catchment.yml declares it."""
        return f"activate.destinations.{self.name or type(self).__name__.lower()}"

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
            f"{self.title} at {self.url} refused {self.place}.{setting}: {said}",
            hint=f"export {variable}=... with `{setting}: ${{{variable}}}` under {self.place} in catchment.yml.",
        )

    def unexpected(self, response: httpx.Response) -> Unanswered:
        """Make the error of an answer that the vendor does not document."""
        return Unanswered(f"{self.title} answered {response.status_code}", code=str(response.status_code))


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
