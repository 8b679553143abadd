"""Which arm of an experiment a person is in: drawn by a hash on entering, and kept for ever."""

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

EVERYBODY = "all"
"""The one arm of an audience without a split."""

_SPAN = 2**64


def draw(audience: str, person: str) -> float:
    """Give the person's draw in [0, 1): the same on every machine, and unlike the draw for another audience."""
    return int.from_bytes(hashlib.sha256(f"{audience}\n{person}".encode()).digest()[:8], "big") / _SPAN


def choose_arm(audience: str, person: str, shares: Mapping[str, float]) -> str:
    """Choose by the draw alone; with more people the arms come as near to their shares as one likes."""
    point, edge = draw(audience, person), 0.0
    for arm, share in shares.items():
        edge += share
        if point < edge:
            return arm
    return list(shares)[-1]


def stratified_arms(
    audience: str,
    people: Sequence[tuple[str, Hashable]],
    shares: Mapping[str, float],
    held: Mapping[Hashable, Counter[str]],
) -> dict[str, str]:
    """Give each new person, with a stratum, an arm, so that in every stratum arms are as near their shares as can be.

    `held` counts who of each stratum is in which arm already. Within a stratum people are taken in the order of their
    draws, so that it cannot be foretold who comes into which arm.
    """
    arms: dict[str, str] = {}
    counts = {stratum: Counter(known) for stratum, known in held.items()}
    for person, stratum in sorted(people, key=lambda each: (draw(audience, each[0]), each[0])):
        count = counts.setdefault(stratum, Counter())
        total = sum(count.values()) + 1
        arm = max(shares, key=lambda name: (shares[name] * total - count[name], draw(name, person)))
        count[arm] += 1
        arms[person] = arm
    return arms
