"""People where something is disputed: who keeps what, at every moment at which that changed.

At a moment only edges that were seen by then are known. Then
1. an identifier that was seen with several values of a unique kind is given to one of them (`shared`),
2. edges are taken, the strongest first and of equal ones the oldest; one that would give a person more of a kind than
   the limit, or would join what a rule keeps apart, is refused.
A name goes to the person who was first seen with it, so that it never changes hands when a device does.
"""

from collections import defaultdict
from typing import NamedTuple

from catchment.model.identity.graph import SEEN, Kind
from catchment.model.identity.grow import OPEN, Story

EFFORT = 300_000
"""A dispute whose moments times edges are more is told at so many fewer moments; its outcome is exact."""


class Edge(NamedTuple):
    """One edge of a disputed part; `left` is the stronger end."""

    number: int
    left: int
    right: int
    first: int
    strength: int
    score: float
    sightings: tuple[int, ...]


class Refusal(NamedTuple):
    """An edge that joins nobody, why, and the kind of identifier of which there would be too many (-1 for none)."""

    edge: int
    reason: str
    kind: int


class Disputed(NamedTuple):
    """One part of the graph in which something is disputed."""

    kind: dict[int, int]
    first: dict[int, int]
    edges: list[Edge]
    never: list[tuple[int, int]]


class _Joined:
    """Identifiers that were joined so far, and how many of each limited kind each person has."""

    def __init__(self, nodes: list[int], part: Disputed, limits: dict[int, int]) -> None:
        self.parent = {node: node for node in nodes}
        self.limits = limits
        self.held = {node: ({part.kind[node]: 1} if part.kind[node] in limits else {}) for node in nodes}
        self.never = [pair for pair in part.never if pair[0] in self.parent and pair[1] in self.parent]

    def find(self, node: int) -> int:
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, edge: Edge) -> Refusal | None:
        left, right = self.find(edge.left), self.find(edge.right)
        if left == right:
            return None
        if any({self.find(one), self.find(other)} == {left, right} for one, other in self.never):
            return Refusal(edge.number, "rule", OPEN)
        held, more = self.held[left], self.held[right]
        over = [kind for kind, count in more.items() if held.get(kind, 0) + count > self.limits[kind]]
        if over:
            return Refusal(edge.number, "limit", min(over))
        for kind, count in more.items():
            held[kind] = held.get(kind, 0) + count
        self.parent[right] = left
        return None


class Dispute:
    """One disputed part, looked at from moment to moment."""

    def __init__(self, part: Disputed, kinds: tuple[Kind, ...], effort: int = EFFORT) -> None:
        self.part, self.kinds, self.effort = part, kinds, effort
        self.limits = {number: kind.limit for number, kind in enumerate(kinds) if kind.limit is not None}
        self.unique = [number for number, limit in self.limits.items() if limit == 1]
        self.edges = sorted(
            part.edges,
            key=lambda edge: (
                edge.strength, -edge.score, part.kind[edge.left], part.kind[edge.right],
                edge.first, edge.left, edge.right,
            ),
        )  # fmt: skip
        self.claims = self._claims()
        self.last_seen: dict[int, int] = {}

    def _claims(self) -> dict[int, dict[int, list[Edge]]]:
        """Give, for each identifier, its edges to values of each unique kind that is stronger than itself."""
        claims: dict[int, dict[int, list[Edge]]] = defaultdict(lambda: defaultdict(list))
        for edge in self.edges:
            kind = self.part.kind[edge.left]
            if edge.strength == SEEN and kind in self.unique and self.part.kind[edge.right] > kind:
                claims[edge.right][kind].append(edge)
        return claims

    def tell(self) -> tuple[Story, list[Refusal]]:
        """Give the whole story, and what is refused at its end."""
        story = Story([], [])
        before: dict[int, int] = {}
        since: dict[int, int] = {}
        refused: list[Refusal] = []
        for at, news in self._moments():
            self.last_seen.update(news)
            now, refused = self.look(at)
            for node, person in now.items():
                if before.get(node, person) != person:
                    story.spans.append((node, before[node], since[node], at))
                    since[node] = at
                since.setdefault(node, at)
            story.merges.extend(self._vanished(before, now, at))
            before = now
        story.spans.extend((node, person, since[node], OPEN) for node, person in before.items())
        return story, refused

    def _moments(self) -> list[tuple[int, dict[int, int]]]:
        """Give the moments at which something may change, and which edges were seen until each since the one before."""
        shared = {
            edge.number
            for kinds in self.claims.values()
            for edges in kinds.values()
            if len(edges) > 1
            for edge in edges
        }
        seen: dict[int, dict[int, int]] = {at: {} for at in self.part.first.values()}
        for edge in self.edges:
            for at in {edge.first, *(edge.sightings if edge.number in shared else ())}:
                seen.setdefault(at, {})[edge.number] = at
        moments = sorted(seen.items())
        step = -(-len(moments) * max(1, len(self.edges)) // self.effort)
        if step <= 1:
            return moments
        groups = [moments[max(0, end - step) : end] for end in range(len(moments), 0, -step)]
        return [
            (group[-1][0], {edge: at for _, news in group for edge, at in news.items()}) for group in reversed(groups)
        ]

    def look(self, at: int) -> tuple[dict[int, int], list[Refusal]]:
        """Give the person of every identifier that was seen by then, and the edges that are refused."""
        nodes = [node for node, first in self.part.first.items() if first <= at]
        refused = self._given_to_others(at)
        taken = {refusal.edge for refusal in refused}
        joined = _Joined(nodes, self.part, self.limits)
        for edge in self.edges:
            if edge.first <= at and edge.number not in taken:
                refusal = joined.join(edge)
                refused += [refusal] if refusal else []
        return self._name(nodes, joined, at), refused

    def _given_to_others(self, at: int) -> list[Refusal]:
        """Give the edges of shared identifiers to those who do not have them."""
        refused = []
        for node, kinds in self.claims.items():
            for kind, edges in kinds.items():
                known = [edge for edge in edges if edge.first <= at]
                lost = self._lost(known, self.kinds[self.part.kind[node]].shared) if len(known) > 1 else []
                refused += [Refusal(edge.number, "shared", kind) for edge in lost]
        return refused

    def _lost(self, claims: list[Edge], how: str) -> list[Edge]:
        if how == "apart":
            return claims
        if how == "first":
            kept = min(claims, key=lambda edge: (edge.first, edge.left))
        else:
            kept = max(claims, key=lambda edge: (self.last_seen[edge.number], edge.left))
        return [edge for edge in claims if edge is not kept]

    def _name(self, nodes: list[int], joined: _Joined, at: int) -> dict[int, int]:
        groups: dict[int, list[int]] = defaultdict(list)
        homes: dict[int, list[int]] = defaultdict(list)
        for node in nodes:
            groups[joined.find(node)].append(node)
            homes[joined.find(self._claimant(node, at))].append(node)
        people = {}
        for root, members in groups.items():
            person = self._name_of(members, homes.get(root, []))
            people.update(dict.fromkeys(members, person))
        return people

    def _claimant(self, node: int, at: int) -> int:
        """Give who was first seen with an identifier, of the strongest unique kind that it was seen with."""
        for kind in self.unique:
            known = [edge for edge in self.claims.get(node, {}).get(kind, ()) if edge.first <= at]
            if known:
                return min(known, key=lambda edge: (edge.first, edge.left)).left
        return node

    def _name_of(self, members: list[int], at_home: list[int]) -> int:
        first, kind = self.part.first, self.part.kind
        naming = [node for node in at_home if self.kinds[kind[node]].names_people]
        if naming:
            return 2 * min(naming, key=lambda node: (first[node], node))
        own = set(members).intersection(at_home) or members
        return 2 * min(own, key=lambda node: (first[node], node)) + 1

    def _vanished(self, before: dict[int, int], now: dict[int, int], at: int) -> list[tuple[int, int, int, int]]:
        """Give the people that are no more, and who their strongest identifier belongs to since."""
        gone = set(before.values()) - set(now.values())
        strongest: dict[int, int] = {}
        for node, person in before.items():
            if person in gone:
                strongest[person] = min(node, strongest.get(person, node))
        return [(person, now[node], at, self._cause(person, before, at)) for person, node in sorted(strongest.items())]

    def _cause(self, person: int, before: dict[int, int], at: int) -> int:
        hers = (
            edge.number for edge in self.edges
            if edge.first == at and person in (before.get(edge.left), before.get(edge.right))
        )  # fmt: skip
        return min(hers, default=OPEN)
