"""What people did, and when: the one thing that is taken from after a look."""

from datetime import datetime
from typing import Any

import ibis

from catchment.errors import DefinitionError, LakeError
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.definition import Prediction, near

ANY = "any"
COMMERCE = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
COMMERCE_TRANSACTION = "contexts_com_snowplowanalytics_snowplow_ecommerce_transaction_1"
BEFORE, LABEL, HAPPENED = "happened_before", "label", "happened_at"


def happenings(prediction: Prediction, backend: Any, events: Any) -> Any:
    """Give what counts as the outcome: person, `happened_at` and `amount`."""
    outcome = prediction.outcome
    if outcome is None:
        raise ValueError(f"{prediction.file}: a {prediction.kind} waits for nothing.")
    if outcome.conversion is not None:
        return _conversions(prediction, backend, outcome.conversion)
    raw = backend.table("events")
    if outcome.purchase:
        chosen, amount = _purchases(raw)
    else:
        chosen = raw if outcome.event == ANY else raw.filter(raw.event_name == outcome.event)
        amount = _amount(prediction, chosen, outcome.value)
    chosen = chosen.select(bought="event_id", amount=amount(chosen) if callable(amount) else amount)
    chosen = chosen.group_by("bought").agg(amount=chosen.amount.max())
    joined = events.inner_join(chosen, events.event_id == chosen.bought)
    return joined.select(PERSON, happened_at=joined.derived_tstamp, amount=joined.amount)


def outcomes_of(prediction: Prediction, looks: Any, done: Any) -> Any:
    """Give per look whether it was done before, and the label: what was done after it and within the horizon."""
    horizon = ibis.interval(days=prediction.horizon)
    wanted = looks.select(who=looks[PERSON], at=looks[MOMENT])
    told = wanted.inner_join(done, wanted.who == done[PERSON])
    after = (told[HAPPENED] > told["at"]) & (told[HAPPENED] <= told["at"] + horizon)
    found = told.group_by(["who", "at"]).agg(
        before=(told[HAPPENED] <= told["at"]).any(),
        times=after.sum(),
        amount=ibis.ifelse(after, told.amount, 0.0).sum(),
        happened_at=told[HAPPENED].min(where=told[HAPPENED] > told["at"]),
    )
    joined = wanted.left_join(found, [wanted.who == found.who, wanted["at"] == found["at"]])
    times, amount = joined.times.fill_null(0), joined.amount.fill_null(0.0)
    label = {"churn": (times == 0).cast("double"), "value": amount}.get(prediction.kind, (times > 0).cast("double"))
    return joined.select(
        outcome_person=joined.who,
        outcome_at=joined["at"],
        **{BEFORE: joined.before.fill_null(False), LABEL: label, HAPPENED: joined.happened_at},
    )


def known_outcomes(prediction: Prediction, backend: Any) -> list[str]:
    """Give the names that the outcome could have meant: conversions, or events, of which the lake has any."""
    outcome = prediction.outcome
    if outcome is None or ANY in (outcome.conversion, outcome.event) or outcome.purchase:
        return []
    table, name = ("conversions", "cv_type") if outcome.conversion is not None else ("events", "event_name")
    rows = backend.table(table)
    names = backend.to_pyarrow(rows.filter(rows[name].notnull()).select(name).distinct())[name].to_pylist()
    return sorted(names)


def seed(prediction: Prediction, backend: Any) -> Any:
    """Give who is in the seed audience now."""
    if "audience_members" not in backend.list_tables():
        raise LakeError(
            f"{prediction.file}: seed: no audience has members yet.", hint=f"catchment refresh {prediction.seed}"
        )
    stays = backend.table("audience_members")
    return stays.filter(stays.audience == prediction.seed, stays.left_at.isnull())


def seed_of(prediction: Prediction, backend: Any, looks: Any) -> Any:
    """Give per look whether the person is in the seed audience now."""
    known = looks[PERSON].isin(seed(prediction, backend)[PERSON])
    return looks.select(
        outcome_person=looks[PERSON],
        outcome_at=looks[MOMENT],
        **{BEFORE: ibis.literal(False), LABEL: known.cast("double"), HAPPENED: ibis.null("timestamp('UTC', 6)")},
    )


def last_happening(backend: Any, done: Any) -> datetime | None:
    """Give when the outcome was last seen."""
    last: datetime | None = backend.to_pyarrow(done.aggregate(last=done[HAPPENED].max()))["last"][0].as_py()
    return last


def _conversions(prediction: Prediction, backend: Any, name: str) -> Any:
    if "conversions" not in backend.list_tables():
        raise LakeError(f"{prediction.file}: the lake has no conversions yet.", hint="catchment build")
    table = backend.table("conversions")
    chosen = table if name == ANY else table.filter(table.cv_type == name)
    return chosen.select(PERSON, happened_at=chosen.cv_tstamp, amount=chosen.cv_value.cast("double").fill_null(0.0))


def _amount(prediction: Prediction, events: Any, column: str | None) -> Any:
    if column is None:
        return ibis.literal(0.0)
    if column not in events.columns or not events[column].type().is_numeric():
        numbers = [name for name in events.columns if events[name].type().is_numeric()]
        raise DefinitionError(
            f"{prediction.file}: outcome.value: '{column}' is no number column of events.", hint=near(column, numbers)
        )
    return events[column].cast("double").fill_null(0.0)


def _purchases(events: Any) -> tuple[Any, Any]:
    """Give the transactions of the legacy protocol and of the e-commerce protocol, as far as events brought them."""
    bought = events.event_name == "transaction"
    amount = events.tr_total.cast("double").fill_null(0.0)
    if COMMERCE in events.columns:
        is_transaction = (events[COMMERCE].type == "transaction").fill_null(False)
        bought = bought | is_transaction
        if COMMERCE_TRANSACTION in events.columns:
            revenue = events[COMMERCE_TRANSACTION][0].revenue.cast("double").fill_null(0.0)
            amount = ibis.ifelse(is_transaction, revenue, amount)
    chosen = events.mutate(catchment_amount=amount).filter(bought)
    return chosen, chosen.catchment_amount
