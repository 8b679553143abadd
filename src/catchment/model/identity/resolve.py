"""From the graph to people: a function of the graph and the rules alone, so that no order and no batch can show."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from catchment.model.identity.graph import (
    Burst,
    Graph,
    Ints,
    Kind,
    Mask,
    Pairs,
    disputed_parts,
    in_bursts,
    over_linked,
    parts_of,
)
from catchment.model.identity.grow import OPEN, Growth, Story, seniority, steady_parts
from catchment.model.identity.settle import EFFORT, Dispute, Disputed, Edge, Refusal

EDGES_AT_ONCE = 250_000
"""So many edges are told as Python objects at a time, so memory does not grow with them."""


class Rules(NamedTuple):
    """What a resolution goes by, beside the graph."""

    kinds: tuple[Kind, ...]
    max_links: int
    never: Pairs
    cut: Mask
    effort: int = EFFORT
    burst: Burst | None = None


class Resolution(NamedTuple):
    """People, their history and what was refused, as columns of numbers.

    `spans` has the columns identifier, person, from, until; `merges` person, survivor, moment, edge; `refusals` edge,
    reason (by its place in `REASONS`), kind. A person is twice the number of an identifier, plus one where the name is
    not its bare value.
    """

    cluster: Ints
    spans: Ints
    merges: Ints
    refusals: Ints


REASONS = ("shared", "limit", "rule", "links", "burst")


def resolve(graph: Graph, rules: Rules, edges_at_once: int = EDGES_AT_ONCE) -> Resolution:
    """Form people; every identifier belongs to one, and every name to one."""
    crowded = over_linked(graph, rules.max_links) & ~rules.cut
    hasty = np.zeros_like(crowded) if rules.burst is None else in_bursts(graph, rules.burst) & ~(crowded | rules.cut)
    kept = np.flatnonzero(~(crowded | hasty | rules.cut))
    part = parts_of(graph.size, graph.left[kept], graph.right[kept])
    disputed = disputed_parts(graph, rules.kinds, rules.never, part)
    linked = np.zeros(len(disputed), dtype=np.bool_)
    linked[part[graph.left[kept]]] = True

    calm_edges = kept[~disputed[part[graph.left[kept]]]]
    spans, merges = [_alone(graph, rules.kinds, ~linked[part])], [_table([], 4)]
    for grown, joined in _grown(graph, rules.kinds, part, (calm_edges, edges_at_once)):
        spans.append(grown)
        merges.append(joined)
    refusals = [_refused(crowded, "links"), _refused(hasty, "burst"), _refused(rules.cut, "rule")]
    for story, refused in _settled(graph, rules, part, np.flatnonzero(disputed), kept):
        spans.append(_table(story.spans, 4))
        merges.append(_table(story.merges, 4))
        refusals.append(_table([(each.edge, REASONS.index(each.reason), each.kind) for each in refused], 3))
    cluster = parts_of(graph.size, graph.left, graph.right)
    return Resolution(_smallest(cluster), np.concatenate(spans), np.concatenate(merges), np.concatenate(refusals))


def _alone(graph: Graph, kinds: tuple[Kind, ...], alone: Mask) -> Ints:
    """Give the spans of identifiers that were seen with no other."""
    nodes = np.flatnonzero(alone)
    return _columns(nodes, _names(graph, kinds)[nodes], graph.first[nodes])


def _columns(nodes: Ints, people: Ints, since: Ints) -> Ints:
    return np.column_stack([nodes, people, since, np.full(len(nodes), OPEN)])


def _names(graph: Graph, kinds: tuple[Kind, ...]) -> Ints:
    bare = np.array([kind.names_people for kind in kinds])[graph.kind]
    return np.asarray(2 * np.arange(graph.size) + ~bare)


def _grown(graph: Graph, kinds: tuple[Kind, ...], part: Ints, calm: tuple[Ints, int]) -> Iterator[tuple[Ints, Ints]]:
    """Tell the undisputed parts, some whole parts at a time."""
    edges, at_once = calm
    if not len(edges):
        return
    rank, names = seniority(graph, kinds), _names(graph, kinds)
    steady, giver = steady_parts(graph, part, edges, rank)
    is_calm = np.zeros(len(steady), dtype=np.bool_)
    is_calm[part[graph.left[edges]]] = True
    nodes = np.flatnonzero((steady & is_calm)[part])
    yield _columns(nodes, names[giver[part[nodes]]], graph.first[nodes]), _table([], 4)
    edges = edges[~steady[part[graph.left[edges]]]]
    if not len(edges):
        return
    weight = np.bincount(part[graph.left[edges]], minlength=int(part.max()) + 1)
    stretch_of_part = np.cumsum(weight) // at_once
    stretch = stretch_of_part[part[graph.left[edges]]]
    edges = edges[np.lexsort((graph.right[edges], graph.left[edges], graph.edge_first[edges], stretch))]
    stretch = np.sort(stretch)
    bounds = np.flatnonzero(np.r_[True, stretch[1:] != stretch[:-1], True])
    for begin, end in pairwise(bounds.tolist()):
        yield _grow(graph, edges[begin:end], rank, names)


def _grow(graph: Graph, edges: Ints, rank: Ints, names: Ints) -> tuple[Ints, Ints]:
    nodes = np.unique(np.concatenate([graph.left[edges], graph.right[edges]]))
    growth = Growth(graph.first[nodes].tolist(), rank[nodes].tolist(), names[nodes].tolist())
    left, right = np.searchsorted(nodes, graph.left[edges]), np.searchsorted(nodes, graph.right[edges])
    columns = (edges.tolist(), left.tolist(), right.tolist(), graph.edge_first[edges].tolist())
    for edge, one, other, at in zip(*columns, strict=True):
        growth.join(edge, one, other, at)
    story = growth.finish()
    spans = _table(story.spans, 4)
    spans[:, 0] = nodes[spans[:, 0]]
    return spans, _table(story.merges, 4)


def _settled(
    graph: Graph, rules: Rules, part: Ints, disputed: Ints, kept: Ints
) -> Iterator[tuple[Story, list[Refusal]]]:
    """Tell the disputed parts."""
    nodes, edges = _by_part(part, disputed), defaultdict(list)
    is_wanted = np.isin(part[graph.left[kept]], disputed)
    sightings = _sightings(graph, kept[is_wanted])
    for edge in kept[is_wanted].tolist():
        edges[int(part[graph.left[edge]])].append(_edge(graph, edge, sightings.get(edge, ())))
    never: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one, other in zip(rules.never.left.tolist(), rules.never.right.tolist(), strict=True):
        if part[one] == part[other]:
            never[int(part[one])].append((one, other))
    for number in disputed.tolist():
        members = nodes[number]
        kind = dict(zip(members, graph.kind[members].tolist(), strict=True))
        first = dict(zip(members, graph.first[members].tolist(), strict=True))
        yield Dispute(Disputed(kind, first, edges[number], never[number]), rules.kinds, rules.effort).tell()


def _by_part(part: Ints, wanted: Ints) -> dict[int, list[int]]:
    nodes = np.flatnonzero(np.isin(part, wanted))
    found: dict[int, list[int]] = defaultdict(list)
    for node, number in zip(nodes.tolist(), part[nodes].tolist(), strict=True):
        found[number].append(node)
    return found


def _sightings(graph: Graph, edges: Ints) -> dict[int, tuple[int, ...]]:
    wanted = np.isin(graph.sighting_edge, edges)
    found: dict[int, list[int]] = defaultdict(list)
    for edge, at in zip(graph.sighting_edge[wanted].tolist(), graph.sighting_at[wanted].tolist(), strict=True):
        found[edge].append(at)
    return {edge: tuple(sorted(set(moments))) for edge, moments in found.items()}


def _edge(graph: Graph, edge: int, sightings: tuple[int, ...]) -> Edge:
    return Edge(
        number=edge, left=int(graph.left[edge]), right=int(graph.right[edge]), first=int(graph.edge_first[edge]),
        strength=int(graph.strength[edge]), score=float(graph.score[edge]), sightings=sightings,
    )  # fmt: skip


def _refused(edges: Mask, reason: str) -> Ints:
    number = np.flatnonzero(edges)
    return np.column_stack([number, np.full(len(number), REASONS.index(reason)), np.full(len(number), OPEN)])


def _smallest(part: Ints) -> Ints:
    """Give each identifier the smallest of its part."""
    smallest = np.full(int(part.max()) + 1 if len(part) else 0, len(part), dtype=np.int64)
    np.minimum.at(smallest, part, np.arange(len(part)))
    return np.asarray(smallest[part])


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, width)
