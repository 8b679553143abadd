"""Laws of the comparison, whatever the destination holds."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from catchment.activate.diff import REMOVED, Plan, Rules, make_plan

KEYS = st.sampled_from([f"p{number}" for number in range(6)])
VALUES = st.sampled_from(["a", "b"])
STATUSES = st.sampled_from(["sent", "rejected", "retry", "unknown", REMOVED, "skipped"])
STATE = dict.fromkeys(("row_key", "payload", "fingerprint", "identity", "tried_fingerprint"), pl.String) | {
    "last_status": pl.String,
    "reason": pl.String,
    "attempts": pl.Int32,
    "next_attempt_at": pl.Datetime("us", "UTC"),
}


def wanted_rows(values: dict[str, str]) -> pl.DataFrame:
    rows = [
        {"row_key": key, "payload": value, "fingerprint": value, "identity": f"{key}{value}"}
        for key, value in values.items()
    ]
    return pl.DataFrame(rows, dict.fromkeys(("row_key", "payload", "fingerprint", "identity"), pl.String))


def state_rows(held: dict[str, tuple[str | None, str, str]]) -> pl.DataFrame:
    rows = [
        {
            "row_key": key,
            "payload": value,
            "fingerprint": value,
            "identity": None if value is None else f"{key}{value}",
            "tried_fingerprint": tried,
            "last_status": status,
            "reason": None,
            "attempts": 0,
            "next_attempt_at": None,
        }
        for key, (value, tried, status) in held.items()
    ]
    return pl.DataFrame(rows, STATE)


def plan_for(wanted: dict[str, str], held: dict[str, tuple[str | None, str, str]], *, is_mirror: bool = True) -> Plan:
    nobody = pl.DataFrame(schema={"row_key": pl.String, "reason": pl.String})
    return make_plan(wanted_rows(wanted), nobody, state_rows(held), Rules(mode="mirror" if is_mirror else "upsert"))


WANTED = st.dictionaries(KEYS, VALUES)
HELD = st.dictionaries(KEYS, st.tuples(st.none() | VALUES, VALUES | st.just(REMOVED), STATUSES))


@given(WANTED, HELD)
def test_every_wanted_row_has_one_place(wanted: dict[str, str], held: dict[str, tuple[str | None, str, str]]) -> None:
    plan = plan_for(wanted, held)
    assert plan.added + plan.changed + plan.unchanged + plan.held == len(wanted)
    assert plan.upserts.height == plan.added + plan.changed


@given(WANTED, HELD)
def test_nobody_is_taken_out_who_is_wanted_as_held(
    wanted: dict[str, str], held: dict[str, tuple[str | None, str, str]]
) -> None:
    plan = plan_for(wanted, held)
    removed = plan.removals.select("row_key", "held_identity").rows()
    assert all(identity not in {f"{key}{value}" for key, value in wanted.items()} for _, identity in removed)
    assert len({key for key, _ in removed}) == len(removed)


@given(WANTED)
def test_what_was_sent_is_not_sent_again(wanted: dict[str, str]) -> None:
    plan = plan_for(wanted, {key: (value, value, "sent") for key, value in wanted.items()})
    assert (plan.unchanged, plan.upserts.height, plan.removals.height) == (len(wanted), 0, 0)


@given(WANTED, HELD)
def test_mode_upsert_takes_nobody_out(wanted: dict[str, str], held: dict[str, tuple[str | None, str, str]]) -> None:
    assert plan_for(wanted, held, is_mirror=False).removals.height == 0


def test_after_silence_the_same_payload_is_sent_again() -> None:
    plan = plan_for({"p1": "a"}, {"p1": ("a", "b", "retry")})
    assert plan.upserts["row_key"].to_list() == ["p1"]
