"""Who is held back from a destination, whatever audience they are in; the audience itself stays as it is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience import AudienceSettings
from catchment.audience.compile import PERSON
from catchment.audience.members import current_members
from catchment.audience.values import near
from catchment.errors import SettingsError
from catchment.lake.lake import Lake

CONSENTS = "consents"
"""One person and one purpose, with what the person said last; made by the models."""


def held_back(
    people: pa.ChunkedArray, destination: str, settings: AudienceSettings, lake: Lake, now: datetime
) -> dict[str, str]:
    """Give, of these people, those whom the destination may not be sent, each with the rule that says so."""
    rules = settings.suppression
    reasons: dict[str, str] = {}
    for name in [*rules.everywhere, *rules.never.get(destination, [])]:
        where = "everywhere" if name in rules.everywhere else f"never.{destination}"
        for person in current_members(lake, name)[PERSON].to_pylist():
            reasons.setdefault(person, f"audience.suppression.{where}: in {name}")
    only = rules.only.get(destination)
    if only is not None:
        allowed = set(current_members(lake, only)[PERSON].to_pylist())
        for person in people.to_pylist():
            if person not in allowed:
                reasons.setdefault(person, f"audience.suppression.only.{destination}: not in {only}")
    for purpose in rules.consent.get(destination, []):
        granted = set(_granted(lake, [purpose], destination, now).to_pylist())
        for person in people.to_pylist():
            if person not in granted:
                reasons.setdefault(person, f"audience.suppression.consent.{destination}: has not granted {purpose}")
    wanted = set(people.to_pylist())
    return {person: reason for person, reason in reasons.items() if person in wanted}


def may_send(
    destination: str, settings: AudienceSettings, lake: Lake, now: datetime
) -> Callable[[pa.Array], pa.Array] | None:
    """Give what says of each person whether the destination may be sent them; None where no rule speaks of it.

    Raises SettingsError where a rule of consent asks for what nobody was ever asked.
    """
    rules = settings.suppression
    never = [*rules.everywhere, *rules.never.get(destination, [])]
    only, purposes = rules.only.get(destination), rules.consent.get(destination, [])
    held = pa.concat_arrays([pa.array([], pa.string()), *(_members(lake, name) for name in never)])
    allowed = [] if only is None else [_members(lake, only)]
    allowed += [_granted(lake, purposes, destination, now)] if purposes else []
    if not never and not allowed:
        return None

    def judge(people: pa.Array) -> pa.Array:
        passed = pc.invert(pc.is_in(people, value_set=held))
        for those in allowed:
            passed = pc.and_(passed, pc.is_in(people, value_set=those))
        return passed

    return judge


def _granted(lake: Lake, purposes: Sequence[str], destination: str, now: datetime) -> pa.Array:
    """Give the people who have granted each of these purposes, by consents that have not run out."""
    place = f"audience.suppression.consent.{destination}"
    if not lake.exists(CONSENTS):
        raise SettingsError(f"{place}: there is no table '{CONSENTS}' yet.", hint="`catchment build` makes it.")
    told = lake.read(CONSENTS, ["person_id", "purpose", "granted", "expires_tstamp"])
    known = set(pc.unique(told["purpose"]).to_pylist())
    for purpose in purposes:
        if purpose not in known:
            raise SettingsError(f"{place}: nobody was ever asked for '{purpose}'.", hint=near(purpose, known))
    lasts = pc.fill_null(pc.greater(told["expires_tstamp"], pa.scalar(now, told["expires_tstamp"].type)), True)
    told = told.filter(pc.and_(pc.fill_null(told["granted"], False), lasts))
    people = [pc.unique(told.filter(pc.equal(told["purpose"], purpose))[PERSON]) for purpose in purposes]
    everybody = people[0]
    for those in people[1:]:
        everybody = everybody.filter(pc.is_in(everybody, value_set=those))
    return everybody


def _members(lake: Lake, audience: str) -> pa.Array:
    return current_members(lake, audience)[PERSON].combine_chunks()


def check_rules(
    settings: AudienceSettings, audiences: Mapping[str, object], destinations: Mapping[str, object]
) -> None:
    """Refuse rules that name an audience or destination there is not; raises SettingsError."""
    rules = settings.suppression
    for name in [*rules.everywhere, *rules.only.values(), *(one for names in rules.never.values() for one in names)]:
        if name not in audiences:
            raise SettingsError(f"audience.suppression: there is no audience '{name}'.", hint=near(name, audiences))
    for name in [*rules.only, *rules.never, *rules.consent]:
        if name not in destinations:
            raise SettingsError(
                f"audience.suppression: there is no destination '{name}'.", hint=near(name, destinations)
            )
