"""What holds of every graph: of no order, of no batch, one person each, history without gaps."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.model.identity.graph import Graph
from catchment.model.identity.resolve import Resolution, Rules, resolve
from catchment.model.identity.settle import Dispute, Disputed, Edge
from tests.model.identity.world import KINDS, WEEK, Sighting, tell

VALUES = {"user_id": "ab", "email": "efgh", "device": "xy", "cookie": "cdijklm"}
SIGHTINGS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 6), min_size=1, max_size=3).map(
            lambda told: {kind: VALUES[kind][place % len(VALUES[kind])] for kind, place in told.items()}
        ),
    ),
    min_size=1,
    max_size=14,
)
LAW = settings(deadline=None, max_examples=60)
LOOSE = tuple(kind._replace(limit=None) for kind in KINDS)


@LAW
@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_shows(sightings: list[Sighting], chance: object) -> None:
    shuffled = sightings + sightings[: len(sightings) // 2]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tell(*shuffled) == tell(*sightings)


@LAW
@given(SIGHTINGS)
def test_an_identifier_is_one_person_and_no_person_has_more_than_the_limit(sightings: list[Sighting]) -> None:
    told = tell(*sightings)
    assert set(told.people) == {f"{kind}:{value}" for _, seen in sightings for kind, value in seen.items()}
    limits = {kind.name: kind.limit for kind in KINDS}
    for group in told.groups():
        for kind, count in Counter(name.partition(":")[0] for name in group).items():
            assert count <= (limits[kind] or count)


@LAW
@given(SIGHTINGS)
def test_history_has_no_gap_and_ends_with_what_holds(sightings: list[Sighting]) -> None:
    told = tell(*sightings)
    for name, spans in told.history.items():
        kind, _, value = name.partition(":")
        assert spans[0][0] == min(moment for moment, seen in sightings if seen.get(kind) == value)
        assert [until for _, until, _ in spans[:-1]] == [since for since, _, _ in spans[1:]]
        assert spans[-1][1] is None
        assert all(since < until for since, until, _ in spans[:-1] if until is not None)
        assert all(before[2] != after[2] for before, after in pairwise(spans))


@LAW
@given(SIGHTINGS, st.integers(0, 5).map(lambda week: week * WEEK + WEEK - 1))
def test_history_says_what_would_have_been_found_then(sightings: list[Sighting], moment: int) -> None:
    known = [sighting for sighting in sightings if sighting[0] <= moment]
    if not known:
        return
    then = tell(*known)
    told = tell(*sightings)
    for name, person in then.people.items():
        held = [
            who for since, until, who in told.history[name] if since <= moment and (until is None or moment < until)
        ]
        assert held == [person], name


@LAW
@given(SIGHTINGS)
def test_a_person_that_is_gone_is_in_the_log_of_merges(sightings: list[Sighting]) -> None:
    told = tell(*sightings)
    named = {who for spans in told.history.values() for _, _, who in spans}
    gone = named - set(told.people.values())
    assert gone <= {one for _, one, _ in told.merges}
    assert {one for _, one, _ in told.merges} <= named


@LAW
@given(SIGHTINGS)
def test_what_nobody_disputes_is_told_the_same_by_both_ways(sightings: list[Sighting]) -> None:
    assert tell(*sightings, kinds=LOOSE, how=disputing) == tell(*sightings, kinds=LOOSE)


def disputing(graph: Graph, rules: Rules) -> Resolution:
    """Take the whole graph for one dispute."""
    columns = (graph.left, graph.right, graph.edge_first, graph.strength, graph.score)
    edges = [
        Edge(number, *told, sightings=())
        for number, told in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]
    part = Disputed(dict(enumerate(graph.kind.tolist())), dict(enumerate(graph.first.tolist())), edges, [])
    story, refused = Dispute(part, rules.kinds).tell()
    assert refused == []
    grown = resolve(graph, rules)
    spans, merges = (np.array(rows, dtype=np.int64).reshape(-1, 4) for rows in story)
    return grown._replace(spans=spans, merges=merges)


@LAW
@given(SIGHTINGS)
def test_people_are_told_the_same_some_at_a_time(sightings: list[Sighting]) -> None:
    assert tell(*sightings, how=lambda graph, rules: resolve(graph, rules, edges_at_once=1)) == tell(*sightings)


@LAW
@given(SIGHTINGS)
def test_a_large_dispute_ends_as_it_would_if_every_moment_were_told(sightings: list[Sighting]) -> None:
    whole = tell(*sightings)
    short = tell(*sightings, how=lambda graph, rules: resolve(graph, rules._replace(effort=1)))
    assert (short.people, short.conflicts) == (whole.people, whole.conflicts)
