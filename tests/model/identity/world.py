"""Events told in a line each, and who their identifiers turn out to be."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from catchment.model.identity.graph import RULE, SEEN, Burst, Graph, Kind, Pairs
from catchment.model.identity.resolve import REASONS, Resolution, Rules, resolve

KINDS = (
    Kind("user_id", limit=1),
    Kind("email", limit=3),
    Kind("device", limit=5),
    Kind("cookie", limit=6, names_people=True),
)
Sighting = tuple[int, dict[str, str]]
WEEK = 7


def at(moment: int, **identifiers: str) -> Sighting:
    """One event, and the identifiers that it tells."""
    return moment, identifiers


@dataclass(frozen=True)
class Told:
    """What came out, by the names of things: an identifier is written `kind:value`."""

    people: dict[str, str]
    history: dict[str, list[tuple[int, int | None, str]]]
    merges: list[tuple[int, str, str]]
    conflicts: set[tuple[str, str, str]]
    clusters: dict[str, str]

    def groups(self) -> set[frozenset[str]]:
        """Give the identifiers of each person."""
        found: dict[str, set[str]] = defaultdict(set)
        for identifier, person in self.people.items():
            found[person].add(identifier)
        return {frozenset(group) for group in found.values()}


def tell(
    *sightings: Sighting,
    kinds: tuple[Kind, ...] = KINDS,
    max_links: int = 100,
    burst: Burst | None = None,
    never: tuple[tuple[str, str], ...] = (),
    cut: tuple[tuple[str, str], ...] = (),
    always: tuple[tuple[str, str], ...] = (),
    how: Callable[[Graph, Rules], Resolution] = resolve,
) -> Told:
    """Form people of events, as the models do: each event links its identifiers to its strongest."""
    order = [kind.name for kind in kinds]
    nodes = sorted(
        {(order.index(kind), value) for _, told in sightings for kind, value in told.items()},
    )
    number = {node: place for place, node in enumerate(nodes)}
    first: dict[int, int] = {}
    seen: dict[tuple[int, int], list[int]] = defaultdict(list)
    for moment, told in sightings:
        here = sorted(number[order.index(kind), value] for kind, value in told.items())
        for node in here:
            first[node] = min(moment, first.get(node, moment))
        for node in here[1:]:
            seen[here[0], node].append(moment)

    def named(text: str) -> int:
        kind, _, value = text.partition(":")
        return number[order.index(kind), value]

    rule_edges = {tuple(sorted((named(one), named(other)))) for one, other in always}
    edges = [*sorted(seen), *sorted(rule_edges)]
    graph = _graph(nodes, first, edges, seen, len(rule_edges))
    cuts = {tuple(sorted((named(one), named(other)))) for one, other in cut}
    pairs = [(named(one), named(other)) for one, other in never]
    rules = Rules(
        kinds,
        max_links,
        Pairs(*(np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))),
        np.array([edge in cuts for edge in edges], dtype=np.bool_),
        burst=burst,
    )
    return _told(how(graph, rules), [f"{order[kind]}:{value}" for kind, value in nodes], edges)


def _graph(nodes: Any, first: Any, edges: Any, seen: Any, rules: int) -> Graph:
    def ints(values: Any) -> Any:
        return np.array(list(values), dtype=np.int64)

    moments = [seen.get(edge) or [max(first[edge[0]], first[edge[1]])] for edge in edges]
    sightings = [
        (place, moment)
        for place, known in enumerate(moments)
        for week in {when // WEEK for when in known}
        for moment in {
            min(when for when in known if when // WEEK == week),
            max(when for when in known if when // WEEK == week),
        }
    ]
    return Graph(
        kind=ints(kind for kind, _ in nodes),
        first=ints(first[place] for place in range(len(nodes))),
        left=ints(edge[0] for edge in edges),
        right=ints(edge[1] for edge in edges),
        edge_first=ints(min(known) for known in moments),
        strength=ints([SEEN] * (len(edges) - rules) + [RULE] * rules),
        score=np.ones(len(edges)),
        sighting_edge=ints(place for place, _ in sightings),
        sighting_at=ints(moment for _, moment in sightings),
    )


def _told(result: Resolution, names: list[str], edges: list[tuple[int, int]]) -> Told:
    def person(code: int) -> str:
        name = names[code // 2]
        return f"({name})" if code % 2 else name.partition(":")[2]

    history: dict[str, list[tuple[int, int | None, str]]] = defaultdict(list)
    for node, code, since, until in result.spans.tolist():
        history[names[node]].append((since, None if until < 0 else until, person(code)))
    return Told(
        people={name: spans[-1][2] for name, spans in _sorted(history).items()},
        history=_sorted(history),
        merges=sorted((moment, person(one), person(other)) for one, other, moment, _ in result.merges.tolist()),
        conflicts={
            (names[edges[edge][0]], names[edges[edge][1]], REASONS[reason])
            for edge, reason, _ in result.refusals.tolist()
        },
        clusters={name: names[cluster] for name, cluster in zip(names, result.cluster.tolist(), strict=True)},
    )


def _sorted(history: dict[str, list[tuple[int, int | None, str]]]) -> dict[str, list[tuple[int, int | None, str]]]:
    return {name: sorted(spans, key=lambda span: span[0]) for name, spans in history.items()}
