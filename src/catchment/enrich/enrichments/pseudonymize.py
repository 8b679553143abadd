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
from catchment.schema.arrow import snake_case

Scalar = Literal[
    "user_id", "user_ipaddress", "user_fingerprint", "domain_userid", "network_userid", "ip_organization", "ip_domain",
    "tr_orderid", "ti_orderid", "mkt_term", "mkt_content", "se_category", "se_action", "se_label", "se_property",
    "mkt_clickid", "refr_domain_userid", "domain_sessionid",
]  # fmt: skip
_STEP = r"\.([\w-]+)|\['([^']+)'\]|\[(\*|\d+)\]"
JsonPath = Annotated[str, StringConstraints(pattern=rf"^\$({_STEP})+$")]
Place = Annotated[str, StringConstraints(pattern=r"^(contexts|unstruct_event)_\w+_\d+$")]
Hash = Callable[[str], str]


class Pseudonymize(Enrichment):
    """Replace what names a person by a hash of it and a salt, the same each time; null stays null.

    A value whose column cannot hold a text, such as a number, is taken out. A list that a path goes through without
    saying which of its items it means is replaced in all of them.
    """

    protects: ClassVar[bool] = True
    columns: list[Scalar] = Field(default=[], description="Columns whose text is replaced.")
    paths: dict[Place, list[JsonPath]] = Field(
        default={},
        description="Column of an entity or self-describing event, and the places in it, by the names of the column or "
        "those that were sent: '$.email', '$.lines[*].sku'.",
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
        steps = [["".join(groups) for groups in re.findall(_STEP, path)] for path in paths]
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
        row = _replace(row, type_, path, pseudonym)
    return row


def _replace(value: Any, type_: pa.DataType, path: list[str], pseudonym: Hash) -> Any:
    if value is None:
        return None
    if pa.types.is_list(type_):
        return _replace_items(value, path, lambda item, rest: _replace(item, type_.value_type, rest, pseudonym))
    if not path:
        return pseudonym(str(value)) if pa.types.is_string(type_) else None
    if pa.types.is_struct(type_):
        name = next((name for name in (path[0], snake_case(path[0])) if type_.get_field_index(name) >= 0), None)
        if name is None:
            return value
        return {**value, name: _replace(value[name], type_.field(name).type, path[1:], pseudonym)}
    if pa.types.is_string(type_) and value[:1] in ("{", "["):
        return orjson.dumps(_replace_json(orjson.loads(value), path, pseudonym)).decode()
    return value


def _replace_items(items: list[Any], path: list[str], replace: Callable[[Any, list[str]], Any]) -> list[Any]:
    """Replace what a path means in a list: one item or all of them, by number or star or by naming neither."""
    if not path or not (path[0] == "*" or path[0].isdigit()):
        return [replace(item, path) for item in items]
    return [replace(item, path[1:]) if path[0] in ("*", str(place)) else item for place, item in enumerate(items)]


def _replace_json(value: Any, path: list[str], pseudonym: Hash) -> Any:
    if value is None:
        return None
    if not path:
        return pseudonym(value if isinstance(value, str) else orjson.dumps(value).decode())
    if isinstance(value, list):
        return _replace_items(value, path, lambda item, rest: _replace_json(item, rest, pseudonym))
    if isinstance(value, dict) and path[0] in value:
        return {**value, path[0]: _replace_json(value[path[0]], path[1:], pseudonym)}
    return value


def _remember(path: Path, made: dict[str, str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table if not exists mapping (pseudonym text primary key, value text not null)")
        rows = [(pseudonym, value) for value, pseudonym in made.items()]
        connection.executemany("insert or ignore into mapping values (?, ?)", rows)
