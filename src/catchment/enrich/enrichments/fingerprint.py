"""Say by one short text whether two events are the same."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Literal

import orjson
import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import PARAMETERS, Columns, Enrichment, Step, column
from catchment.event import STRING

_END = "\x1f"


class Fingerprint(Enrichment):
    """Say by one short text whether two events are the same, by Snowplow's rule for `event_fingerprint`.

    What a retry changes is left out, so that an event sent twice has one fingerprint.
    """

    algorithm: Literal["MD5", "SHA1", "SHA256", "SHA384", "SHA512"] = "MD5"
    exclude: list[str] = Field(default=["cv", "eid", "nuid", "stm"], description="Tracker parameters left out.")

    def reads(self) -> tuple[str, ...]:
        return (PARAMETERS,)

    def writes(self) -> tuple[str, ...]:
        return ("event_fingerprint",)

    def open(self, project_folder: Path) -> Step:
        return partial(_enrich, self.algorithm.lower(), frozenset(self.exclude))


def _enrich(algorithm: str, exclude: frozenset[str], events: pa.Table) -> Columns:
    texts = column(events, PARAMETERS).to_pylist()
    return {"event_fingerprint": pa.array([_hash(algorithm, exclude, text) for text in texts], STRING)}


def _hash(algorithm: str, exclude: frozenset[str], text: str) -> str:
    told = sorted((key, value) for key, value in orjson.loads(text).items() if key not in exclude and value is not None)
    content = "".join(f"{key}{_END}{value}{_END}" for key, value in told)
    return hashlib.new(algorithm, content.encode(), usedforsecurity=False).hexdigest()
