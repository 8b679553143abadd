"""Who is held back from a destination, whatever audience they are in; the audience itself stays as it is."""

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience import AudienceSettings
from catchment.audience.compile import PERSON
from catchment.audience.members import current_members
from catchment.audience.values import near
from catchment.errors import SettingsError
from catchment.lake.lake import Lake


def held_back(people: pa.ChunkedArray, destination: str, settings: AudienceSettings, lake: Lake) -> dict[str, str]:
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
    wanted = set(people.to_pylist())
    return {person: reason for person, reason in reasons.items() if person in wanted}


def may_send(destination: str, settings: AudienceSettings, lake: Lake) -> Callable[[pa.Array], pa.Array] | None:
    """Give what says of each person whether the destination may be sent them; None where no rule speaks of it."""
    rules = settings.suppression
    never = [*rules.everywhere, *rules.never.get(destination, [])]
    only = rules.only.get(destination)
    if not never and only is None:
        return None
    held = pa.concat_arrays([pa.array([], pa.string()), *(_members(lake, name) for name in never)])
    allowed = None if only is None else _members(lake, only)

    def judge(people: pa.Array) -> pa.Array:
        passed = pc.invert(pc.is_in(people, value_set=held))
        return passed if allowed is None else pc.and_(passed, pc.is_in(people, value_set=allowed))

    return judge


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
    for name in [*rules.only, *rules.never]:
        if name not in destinations:
            raise SettingsError(
                f"audience.suppression: there is no destination '{name}'.", hint=near(name, destinations)
            )
