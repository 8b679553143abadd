"""Replace what names a person by a hash."""

import hashlib
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
import pyarrow as pa
from pydantic import Field, SecretStr, StringConstraints

from catchment.enrich.enrichment import HEADERS, Enrichment, Step, column
from catchment.event import STRING

Scalar = Literal[
    "user_id", "user_ipaddress", "user_fingerprint", "domain_userid", "network_userid", "ip_organization", "ip_domain",
    "tr_orderid", "ti_orderid", "mkt_term", "mkt_content", "se_category", "se_action", "se_label", "se_property",
    "mkt_clickid", "refr_domain_userid", "domain_sessionid",
]  # fmt: skip
JsonPath = Annotated[str, StringConstraints(pattern=r"^\$(\.\w+|\[\*\])+$")]
Hash = Callable[[str], str]


class Pseudonymize(Enrichment):
    """Replace what names a person by a hash of it and a salt, the same each time; null stays null.

    A value whose column cannot hold a text, such as a number, is taken out.
    """

    protects: ClassVar[bool] = True
    columns: list[Scalar] = Field(default=[], description="Columns whose text is replaced.")
    paths: dict[str, list[JsonPath]] = Field(
        default={},
        description="Column of an entity or self-describing event, and the places in it: '$.email', '$.lines[*].sku'.",
    )
    algorithm: Literal["MD5", "SHA1", "SHA256", "SHA384", "SHA512"] = "SHA256"
    salt: SecretStr = Field(min_length=1, description="Appended before hashing; from the environment, as ${SALT}.")
    anonymous_only: bool = Field(default=False, description="Only events sent with the header SP-Anonymous.")
    mapping_path: str | None = Field(
        default=None, description="An SQLite file that keeps which pseudonym is whose; guard it, or leave it out."
    )

    def reads(self) -> tuple[str, ...]:
        return (HEADERS,) if self.anonymous_only else ()

    def open(self, project_folder: Path) -> Step:
        mapping = None if self.mapping_path is None else project_folder / self.mapping_path
        if mapping is not None:
            mapping.parent.mkdir(parents=True, exist_ok=True)
        return lambda events: _enrich(self, mapping, events)


def _enrich(settings: Pseudonymize, mapping: Path | None, events: pa.Table) -> pa.Table:
    made: dict[str, str] = {}
    salt, algorithm = settings.salt.get_secret_value(), settings.algorithm.lower()

    def pseudonym(value: str) -> str:
        if value not in made:
            made[value] = hashlib.new(algorithm, (value + salt).encode(), usedforsecurity=False).hexdigest()
        return made[value]

    chosen = _anonymous(events) if settings.anonymous_only else [True] * events.num_rows
    for name in settings.columns:
        values = zip(column(events, name).to_pylist(), chosen, strict=True)
        hashed = pa.array([pseudonym(value) if value and is_ours else value for value, is_ours in values], STRING)
        events = events.set_column(events.column_names.index(name), name, hashed)
    for base, paths in settings.paths.items():
        steps = [re.findall(r"\w+|\*", path) for path in paths]
        for place in _columns_of(base, events):
            rows = zip(column(events, place).to_pylist(), chosen, strict=True)
            type_ = events.schema.field(place).type
            replaced = [_replace_all(row, type_, steps, pseudonym) if is_ours else row for row, is_ours in rows]
            position = events.column_names.index(place)
            events = events.set_column(position, place, pa.array(replaced, type_))
    if mapping is not None:
        _remember(mapping, made)
    return events


def _columns_of(base: str, events: pa.Table) -> list[str]:
    return [name for name in events.column_names if name == base or name.startswith(f"{base}_recovered_")]


def _anonymous(events: pa.Table) -> list[bool]:
    rows = column(events, HEADERS).to_pylist()
    return [any(header.lower().startswith("sp-anonymous:") for header in row or ()) for row in rows]


def _replace_all(row: Any, type_: pa.DataType, paths: list[list[str]], pseudonym: Hash) -> Any:
    for path in paths:
        row = _replace(row, type_, path if not pa.types.is_list(type_) else ["*", *path], pseudonym)
    return row


def _replace(value: Any, type_: pa.DataType, path: list[str], pseudonym: Hash) -> Any:
    if value is None:
        return None
    if not path:
        return pseudonym(str(value)) if pa.types.is_string(type_) else None
    if pa.types.is_list(type_):
        return [_replace(item, type_.value_type, path[1:], pseudonym) for item in value] if path[0] == "*" else value
    if pa.types.is_struct(type_) and type_.get_field_index(path[0]) >= 0:
        field = type_.field(path[0])
        return {**value, path[0]: _replace(value[path[0]], field.type, path[1:], pseudonym)}
    if pa.types.is_string(type_) and value[:1] in ("{", "["):
        return orjson.dumps(_replace_json(orjson.loads(value), path, pseudonym)).decode()
    return value


def _replace_json(value: Any, path: list[str], pseudonym: Hash) -> Any:
    if value is None:
        return None
    if not path:
        return pseudonym(value if isinstance(value, str) else orjson.dumps(value).decode())
    if isinstance(value, list) and path[0] == "*":
        return [_replace_json(item, path[1:], pseudonym) for item in value]
    if isinstance(value, dict) and path[0] in value:
        return {**value, path[0]: _replace_json(value[path[0]], path[1:], pseudonym)}
    return value


def _remember(path: Path, made: dict[str, str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table if not exists mapping (pseudonym text primary key, value text not null)")
        rows = [(pseudonym, value) for value, pseudonym in made.items()]
        connection.executemany("insert or ignore into mapping values (?, ?)", rows)
