"""Probable links between records that describe the same person, found by Splink.

In: records of the lake, each of one identifier. Out: the table that `identity.links` names, which identity joins by.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import SettingsError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.linkage import NUMBER, find_links
from catchment.model.identity.probable import Matching, Records
from catchment.model.identity.spelling import spell
from catchment.tables import IDENTITY_LINKS

PLACE = "model.identity.matching"


@dataclass(frozen=True)
class Matched:
    """What one comparison came to; `untrained` names columns of which too little was seen to learn all of it."""

    table: str
    records: int
    links: int
    joining: int
    untrained: str
    is_changed: bool


def match(lake: Lake, session: Session, settings: IdentitySettings) -> Matched:
    """Compare the records, and write the links where they changed.

    Raises SettingsError where a table or column of the settings does not stand, PluginError without Splink.
    """
    matching, table = settings.matching, settings.links
    if matching is None or table is None:
        raise SettingsError(f"{PLACE} is not set.", hint="Declare the records to compare; see docs/model.md.")
    records = _read(lake, session, settings, matching)
    links, untrained = find_links(records, matching)
    standing = lake.read(table) if lake.exists(table) else None
    is_ours = standing is not None and set(IDENTITY_LINKS.schema.names) == set(standing.column_names)
    is_changed = not is_ours or not _in_order(standing).equals(_in_order(links))
    if is_changed:
        lake.overwrite(table, links)
    joining = pc.sum(pc.greater_equal(links["score"], settings.min_score)).as_py() or 0
    return Matched(table, records.num_rows, links.num_rows, joining, ", ".join(untrained), is_changed)


def _in_order(links: pa.Table) -> pa.Table:
    """Sort links by their ends, for files may give them in any order."""
    ends = [(name, "ascending") for name in IDENTITY_LINKS.key]
    return links.select(IDENTITY_LINKS.schema.names).sort_by(ends)


def _read(lake: Lake, session: Session, settings: IdentitySettings, matching: Matching) -> pa.Table:
    """Give kind, value and compared columns as text, lower case and trimmed; sorted, so that order says nothing."""
    found = [
        _spelled(_records(lake, session, matching, place), settings, matching.records[place].identifier)
        for place in range(len(matching.records))
    ]
    keys = [(name, "ascending") for name in ("kind", "value", *matching.columns())]
    records = pa.concat_tables(found).sort_by(keys)
    return records.append_column(NUMBER, pa.array(range(records.num_rows), pa.int64()))


def _records(lake: Lake, session: Session, matching: Matching, place: int) -> pa.Table:
    records = matching.records[place]
    _check_columns(lake, records, matching.columns(), f"{PLACE}.records[{place}]")
    told = [f"nullif(lower(trim(cast({name} as string))), '') as {name}__text" for name in matching.columns()]
    columns = ", ".join([f"cast({records.column} as string) as value", *told])
    rows = session.query(f"select {columns} from {records.table} where {records.column} is not null").read_all()
    rows = rows.rename_columns(["value", *matching.columns()])
    return rows.cast(pa.schema([(name, pa.string()) for name in rows.column_names]))


def _check_columns(lake: Lake, records: Records, columns: list[str], place: str) -> None:
    if not lake.exists(records.table):
        raise SettingsError(
            f"{place} of catchment.yml: the lake has no table '{records.table}'.",
            hint=f"There are: {', '.join(lake.tables()) or 'none'}.",
        )
    known = lake.schema(records.table).names
    missing = [name for name in (records.column, *columns) if name not in known]
    if missing:
        raise SettingsError(
            f"{place} of catchment.yml: table '{records.table}' has no column {', '.join(missing)}.",
            hint=f"It has {', '.join(known)}; a model of your own may rename and combine them.",
        )


def _spelled(rows: pa.Table, settings: IdentitySettings, kind: str) -> pa.Table:
    """Spell values as identity does, and leave out those that identify nobody."""
    identifier = settings.identifier(kind)
    assert identifier is not None, "the settings refuse a kind that is not declared"
    values = pa.array([spell(value, identifier, settings) for value in rows["value"].to_pylist()], pa.string())
    spelled = rows.set_column(0, "value", values).append_column("kind", pa.array([kind] * rows.num_rows, pa.string()))
    return spelled.filter(pc.is_valid(spelled["value"]))
