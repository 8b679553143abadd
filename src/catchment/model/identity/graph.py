"""The graph of identifiers as numbers: what was seen together, cut where it is too common, and what hangs together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

RULE, SEEN, PROBABLE = 0, 1, 2
"""How strong an edge is: said by a rule, seen in an event, or only probable."""


class Kind(NamedTuple):
    """One kind of identifier, in the order of strength: how many a person may have, and whose a shared one is."""

    name: str
    limit: int | None = None
    shared: str = "last"
    names_people: bool = False


class Graph(NamedTuple):
    """Identifiers by number, in the order of kind and value, and the edges between them.

    `left` is the stronger end of an edge. Moments are microseconds. `sighting_*` are the moments at which an edge was
    seen that are known: its first and its last of each week. `score` is 1 but for probable edges.
    """

    kind: Ints
    first: Ints
    left: Ints
    right: Ints
    edge_first: Ints
    strength: Ints
    score: NDArray[np.float64]
    sighting_edge: Ints
    sighting_at: Ints

    @property
    def size(self) -> int:
        """Count the identifiers."""
        return len(self.kind)


class Pairs(NamedTuple):
    """Pairs of identifiers by number that a rule keeps apart."""

    left: Ints
    right: Ints


class Burst(NamedTuple):
    """So many new neighbours of a kind an identifier may get within a span of time."""

    links: int
    within: int


def over_linked(graph: Graph, max_links: int) -> Mask:
    """Mark the edges by which an identifier has more neighbours of a kind than it may have; the first to come stay."""
    return _beyond(graph, max_links, None)


def in_bursts(graph: Graph, burst: Burst) -> Mask:
    """Mark the edges before which an identifier had got as many neighbours of a kind as it may, not long ago."""
    return _beyond(graph, burst.links, burst.within)


def _beyond(graph: Graph, links: int, within: int | None) -> Mask:
    """Mark the edges that have so many before them, at either end and of one kind, within a span of time or ever."""
    cut = np.zeros(len(graph.left), dtype=np.bool_)
    degree = np.bincount(graph.left, minlength=graph.size) + np.bincount(graph.right, minlength=graph.size)
    if not len(cut) or degree.max() <= links:
        return cut
    node, other = np.concatenate([graph.left, graph.right]), np.concatenate([graph.right, graph.left])
    edge = np.tile(np.arange(len(cut)), 2)
    busy = (degree[node] > links) & (graph.strength[edge] != RULE)
    node, other, edge = node[busy], other[busy], edge[busy]
    order = np.lexsort((other, graph.edge_first[edge], graph.kind[other], node))
    node, kind, edge = node[order], graph.kind[other[order]], edge[order]
    late, early = edge[links:], edge[:-links]
    over = (node[links:] == node[:-links]) & (kind[links:] == kind[:-links])
    if within is not None:
        over &= graph.edge_first[late] - graph.edge_first[early] < within
    cut[late[over]] = True
    return cut


def parts_of(size: int, left: Ints, right: Ints) -> Ints:
    """Give each identifier the number of the part that it hangs together with."""
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def disputed_parts(graph: Graph, kinds: tuple[Kind, ...], never: Pairs, part: Ints) -> Mask:
    """Mark the parts in which some person would have more of a kind than the limit, or a pair that a rule keeps apart.

    Every other part is one person, whatever the order of its edges.
    """
    disputed = np.zeros(int(part.max()) + 1 if len(part) else 0, dtype=np.bool_)
    for number, kind in enumerate(kinds):
        if kind.limit is not None:
            disputed |= np.bincount(part[graph.kind == number], minlength=len(disputed)) > kind.limit
    together = part[never.left] == part[never.right]
    disputed[part[never.left[together]]] = True
    return disputed
