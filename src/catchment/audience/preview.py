"""What a definition would come to, changing nothing: sizes, people, shares, overlaps, and why somebody is in or out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import ibis

from catchment.audience.catalog import Catalog
from catchment.audience.compile import PERSON, Compiled, compile_audience, compile_conditions
from catchment.audience.condition import All, AnyOf, Node, Not
from catchment.audience.definition import Audience, walk
from catchment.audience.values import Scope

REDACTED = "•••"


@dataclass(frozen=True)
class Block:
    """One condition: where it stands in the file, what it says, and how many it is true of on its own."""

    place: str
    condition: str
    people: int


@dataclass(frozen=True)
class Share:
    """How many members have one value of a column."""

    value: Any
    people: int
    share: float


@dataclass(frozen=True)
class Preview:
    """What a definition would come to now, of `population` rows of the parent."""

    audience: str
    size: int
    population: int
    blocks: tuple[Block, ...]
    sample: tuple[dict[str, Any], ...] = ()
    breakdown: dict[str, tuple[Share, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reason:
    """The truth of one condition of one person."""

    place: str
    condition: str
    holds: bool


@dataclass(frozen=True)
class Overlap:
    """How many two audiences share."""

    one: str
    other: str
    people: int
    share_of_one: float
    share_of_other: float


class Previewer:
    """Answers about definitions over one session's tables; `shown` names the columns whose values may be seen."""

    def __init__(self, backend: Any, catalog: Catalog, now: datetime) -> None:
        self.backend = backend
        self.catalog = catalog
        self.now = now

    def size(self, audience: Audience) -> int:
        """Count the members."""
        if audience.top is None and audience.cap is None:
            compiled = compile_conditions(audience, self.catalog, self.now)
            found = compiled.table.filter(compiled.predicates["where"]).count()
        else:
            found = compile_audience(audience, self.catalog, self.now).count()
        return int(self.backend.to_pyarrow(found).as_py())

    def preview(
        self, audience: Audience, *, columns: Sequence[str] = (), by: Sequence[str] = (), sample: int = 10
    ) -> Preview:
        """Count the whole and each condition, and show some members and how they spread over columns.

        Raises DefinitionError where a column is not the parent's.
        """
        compiled = compile_conditions(audience, self.catalog, self.now)
        counts = self._counts(compiled)
        size = self.size(audience) if audience.top or audience.cap else counts["where"]
        return Preview(
            audience=audience.name,
            size=size,
            population=counts[""],
            blocks=tuple(Block(place, say(node), counts[place]) for place, node in _conditions(audience)),
            sample=self._sample(audience, columns, sample) if sample else (),
            breakdown={name: self._breakdown(audience, name, size) for name in by},
        )

    def why(self, audience: Audience, person: str) -> tuple[Reason, ...] | None:
        """Give the truth of each condition for one person, None where the parent has no such row."""
        compiled = compile_conditions(audience, self.catalog, self.now)
        key = compiled.table[compiled.key]
        truth = {f"_{number}": predicate for number, predicate in enumerate(compiled.predicates.values())}
        found = compiled.table.filter(key.cast("string") == ibis.literal(person)).select(**truth).limit(1)
        rows = self.backend.to_pyarrow(found).to_pylist()
        if not rows:
            return None
        places = dict(zip(compiled.predicates, rows[0].values(), strict=True))
        return tuple(Reason(place, say(node), bool(places[place])) for place, node in _conditions(audience))

    def overlap(self, audiences: Sequence[Audience]) -> tuple[Overlap, ...]:
        """Count, for each pair, who would be in both."""
        sizes = {audience.name: self.size(audience) for audience in audiences}
        found = []
        for place, one in enumerate(audiences):
            members = compile_audience(one, self.catalog, self.now)
            for other in audiences[place + 1 :]:
                both = members.inner_join(compile_audience(other, self.catalog, self.now), PERSON).count()
                people = int(self.backend.to_pyarrow(both).as_py())
                found.append(
                    Overlap(
                        one.name,
                        other.name,
                        people,
                        _share(people, sizes[one.name]),
                        _share(people, sizes[other.name]),
                    )
                )
        return tuple(found)

    def _counts(self, compiled: Compiled) -> dict[str, int]:
        truth = {f"_{number}": predicate.sum() for number, predicate in enumerate(compiled.predicates.values())}
        totals = compiled.table.agg(_all=compiled.table.count(), **truth)
        row = self.backend.to_pyarrow(totals).to_pylist()[0]
        places = dict(zip(["", *compiled.predicates], row.values(), strict=True))
        return {place: int(count or 0) for place, count in places.items()}

    def _members(self, audience: Audience) -> tuple[Any, Scope, str]:
        """Give the parent's rows of the members."""
        key = self.catalog.key(audience.parent)
        parent = self.catalog.tables[audience.parent]()
        members = compile_audience(audience, self.catalog, self.now).rename(_member=PERSON)
        rows = parent.semi_join(members, parent[key] == members._member)
        return rows, Scope(audience.file, audience.parent, audience.parent, rows, self.now), key

    def _sample(self, audience: Audience, columns: Sequence[str], count: int) -> tuple[dict[str, Any], ...]:
        rows, scope, key = self._members(audience)
        for name in columns:
            scope.column("columns", name)
        kept = list(dict.fromkeys([key, *columns]))
        found = self.backend.to_pyarrow(rows.select(*kept).order_by(key).limit(count)).to_pylist()
        shown = {key, *self.catalog.settings.shown}
        return tuple(
            {name: value if name in shown or value is None else REDACTED for name, value in row.items()}
            for row in found
        )

    def _breakdown(self, audience: Audience, name: str, size: int) -> tuple[Share, ...]:
        rows, scope, _ = self._members(audience)
        column = scope.column("by", name)
        counted = rows.group_by(_value=column).agg(_people=rows.count())
        ordered = counted.order_by(counted._people.desc(), counted._value).limit(20)
        found = self.backend.to_pyarrow(ordered).to_pylist()
        return tuple(Share(row["_value"], row["_people"], _share(row["_people"], size)) for row in found)


def say(condition: Node) -> str:
    """Say a condition in one line, as it would stand in the file."""
    match condition:
        case All():
            return "all"
        case AnyOf():
            return "any"
        case Not():
            return "not"
    told = condition.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return ", ".join(f"{key}: {value}" for key, value in told.items())


def _conditions(audience: Audience) -> list[tuple[str, Node]]:
    """Give the conditions on the parent's rows; those inside a related table's `where` have no truth of their own."""
    return [(place, node) for place, node in walk(audience.where) if ".where" not in place and ".sequence" not in place]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
