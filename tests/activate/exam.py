"""What a destination brings to its conformance exam: one file in `exams/`, found by being there, named as its type."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from . import exams


class Place(NamedTuple):
    """Where an exam takes place: a vendor of the sandbox, or an empty folder."""

    type_name: str
    sandbox: httpx.Client
    folder: Path

    @property
    def url(self) -> str:
        """The address of the sandbox's vendor of the destination's name."""
        return f"{str(self.sandbox.base_url).rstrip('/')}/{self.type_name}"

    def records(self, kind: str) -> dict[str, dict[str, Any]]:
        """Give what the sandbox's vendor holds of one kind."""
        held: dict[str, dict[str, Any]] = self.sandbox.get(f"/sandbox/{self.type_name}").json()["holds"].get(kind, {})
        return held


@dataclass(frozen=True)
class Exam:
    """`settings` are those of catchment.yml without `type`; `sync` the keys of a sync file of `people`.

    `held` says what is there now, and `known_as` how one payload is known there once it was accepted. `spoil` makes of
    a good payload one that the destination refuses; None where it takes anything. `is_web`: a vendor of the same name
    stands in the sandbox, and faults can be ordered of it. `person` changes columns of every person.
    """

    settings: Callable[[Place], dict[str, Any]]
    sync: dict[str, Any]
    held: Callable[[Place], set[str]]
    known_as: Callable[[dict[str, Any]], str]
    spoil: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    is_web: bool = True
    person: dict[str, Any] = field(default_factory=dict)


def find_exams() -> dict[str, Exam]:
    """Give every exam by the type of its destination."""
    names = sorted(entry.name for entry in pkgutil.iter_modules(exams.__path__))
    return {name: importlib.import_module(f"{exams.__name__}.{name}").EXAM for name in names}
