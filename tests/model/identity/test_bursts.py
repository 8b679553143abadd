"""A limit on new links within a time: what an identifier gets too many of at once joins nobody."""

from hypothesis import given
from hypothesis import strategies as st

from catchment.model.identity.graph import Burst
from tests.model.identity.test_laws import LAW, SIGHTINGS
from tests.model.identity.world import KINDS, Sighting, at, tell

SHORT = Burst(links=1, within=9)


def test_a_burst_of_links_joins_no_more_than_the_first_until_it_is_over() -> None:
    hours = (0, 1, 2, 3, 30, 31, 32)
    told = tell(
        *(at(hour, device="kiosk", cookie=f"c{hour}") for hour in hours), burst=Burst(links=2, within=24),
        kinds=tuple(kind._replace(limit=None) for kind in KINDS),
    )  # fmt: skip
    assert told.conflicts == {("device:kiosk", f"cookie:c{hour}", "burst") for hour in (2, 3, 32)}
    assert {name for name, person in told.people.items() if person == "c0"} == {
        *("device:kiosk", "cookie:c0", "cookie:c1", "cookie:c30", "cookie:c31")
    }


def test_who_comes_again_is_no_burst_and_each_kind_has_its_own() -> None:
    seen = [at(hour, device="d", cookie="c1", email=f"e{hour % 2}") for hour in range(6)]
    told = tell(*seen, at(9, device="d", cookie="c2"), burst=Burst(links=2, within=24))
    assert told.conflicts == set()
    assert set(told.people.values()) == {"c1"}


@LAW
@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_shows_in_bursts(sightings: list[Sighting], chance: object) -> None:
    shuffled = sightings + sightings[: len(sightings) // 2]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tell(*shuffled, burst=SHORT) == tell(*sightings, burst=SHORT)


@LAW
@given(SIGHTINGS, st.integers(0, 40))
def test_what_comes_later_changes_nobody_who_a_burst_has_parted(sightings: list[Sighting], moment: int) -> None:
    then = tell(*[seen for seen in sightings if seen[0] <= moment] or sightings, burst=SHORT)
    now = tell(*sightings, burst=SHORT)
    assert {pair for pair in then.conflicts if pair[2] == "burst"} <= now.conflicts
