"""People where nothing is disputed: everything that hangs together is one person, named after the oldest cookie."""

from typing import NamedTuple

import numpy as np

from catchment.model.identity.graph import Graph, Ints, Kind, Mask

OPEN = -1
"""The end of what holds until now."""


class Story(NamedTuple):
    """What became of identifiers, as columns. A person is written as twice the number of the identifier that gives the
    name, plus one where the name is not the bare value.

    `spans` are rows of (identifier, person, from, until), `merges` of (person, survivor, moment, edge).
    """

    spans: list[tuple[int, int, int, int]]
    merges: list[tuple[int, int, int, int]]


def seniority(graph: Graph, kinds: tuple[Kind, ...]) -> Ints:
    """Rank identifiers by who gives the name: those that name people first, then the oldest."""
    names = np.array([kind.names_people for kind in kinds])[graph.kind]
    rank = np.empty(graph.size, dtype=np.int64)
    rank[np.lexsort((np.arange(graph.size), graph.first, ~names))] = np.arange(graph.size)
    return rank


def steady_parts(graph: Graph, part: Ints, edges: Ints, rank: Ints) -> tuple[Mask, Ints]:
    """Mark the parts that were one person ever since their oldest identifier was seen; give each part's name-giver.

    There every other identifier was linked to an older one as soon as it was seen, so nobody ever merged.
    """
    count = int(part.max()) + 1
    least, begun = np.full(count, graph.size), np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(least, part, rank)
    np.minimum.at(begun, part, graph.first)
    by_rank = np.empty(graph.size, dtype=np.int64)
    by_rank[rank] = np.arange(graph.size)
    giver = by_rank[least]
    anchored = np.zeros(graph.size, dtype=np.bool_)
    anchored[giver] = True
    for one, other in ((graph.left[edges], graph.right[edges]), (graph.right[edges], graph.left[edges])):
        at_once = graph.edge_first[edges] == graph.first[one]
        older = (graph.first[other] < graph.first[one]) | (other == giver[part[one]])
        anchored[one[at_once & older]] = True
    steady = graph.first[giver] == begun
    steady[part[~anchored]] = False
    return steady, giver


class Growth:
    """A forest of people that grows edge by edge, in the order of time."""

    def __init__(self, first: list[int], rank: list[int], name: list[int]) -> None:
        self.first, self.rank, self.name = first, rank, name
        self.parent = list(range(len(first)))
        self.members: dict[int, list[int]] = {}
        self.since = first.copy()
        self.story = Story([], [])
        self._pending: list[tuple[int, int, int]] = []
        self._now = OPEN

    def find(self, node: int) -> int:
        """Give the identifier after which the person of this one is named."""
        parent = self.parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(self, edge: int, left: int, right: int, at: int) -> None:
        """Make one person of two: the older survives, and what was the younger's is the older's from then on."""
        if at != self._now:
            self._settle_merges()
            self._now = at
        older, younger = self.find(left), self.find(right)
        if older == younger:
            return
        if self.rank[younger] < self.rank[older]:
            older, younger = younger, older
        moved = self.members.pop(younger, [younger])
        for node in moved:
            if self.since[node] < at:
                self.story.spans.append((node, self.name[younger], self.since[node], at))
                self.since[node] = at
        self.members.setdefault(older, [older]).extend(moved)
        self.parent[younger] = older
        if self.first[younger] < at:
            self._pending.append((younger, at, edge))

    def finish(self) -> Story:
        """Close the books: what holds now has no end."""
        self._settle_merges()
        for node, since in enumerate(self.since):
            self.story.spans.append((node, self.name[self.find(node)], since, OPEN))
        return self.story

    def _settle_merges(self) -> None:
        """Of what was joined in one moment only the outcome is told, so the order within it does not show."""
        for younger, at, edge in self._pending:
            self.story.merges.append((self.name[younger], self.name[self.find(younger)], at, edge))
        self._pending.clear()
