"""People where nothing is disputed: everything that hangs together is one person, named after the oldest cookie."""

from typing import NamedTuple

import numpy as np

from catchment.model.identity.graph import Graph, Ints, Kind

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
