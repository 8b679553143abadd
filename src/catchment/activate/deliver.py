"""One batch on its way: sent, halved where it is refused whole, and given an outcome for each row."""

from collections.abc import Iterator

from catchment.activate.batch import Batch, Job, Outcome, Refused
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.destination import Destination


def send_in_halves(
    destination: Destination, batch: Batch, caller: Caller
) -> Iterator[tuple[Batch, list[Outcome] | Job]]:
    """Send one batch; halve one that is refused whole, until the row that is to blame stands alone.

    Gives each part as soon as it is known what became of it, or which job will say.
    """
    is_repeatable = destination.is_repeatable(batch.sync, batch.operation)
    try:
        done = destination.send(batch, caller if is_repeatable else caller.once())
    except Unanswered as error:
        yield batch, [silence(error, is_repeatable=is_repeatable)] * len(batch.rows)
        return
    except Refused as refused:
        if len(batch.rows) == 1:
            yield batch, [Outcome("rejected", refused.code, str(refused))]
            return
        for half in _halves(batch):
            yield from send_in_halves(destination, half, caller)
        return
    if not isinstance(done, Job) and len(done) != len(batch.rows):
        raise ValueError(f"{destination.title} gave {len(done)} outcomes for {len(batch.rows)} rows.")
    yield batch, done


def silence(error: Unanswered, *, is_repeatable: bool) -> Outcome:
    """Say what is known of rows whose request got no answer to go by."""
    is_unknown = error.may_have_acted and (error.is_silent or not is_repeatable)
    return Outcome("unknown" if is_unknown else "retry", error.code, str(error))


def _halves(batch: Batch) -> Iterator[Batch]:
    middle = len(batch.rows) // 2
    for number, part in enumerate((slice(None, middle), slice(middle, None))):
        yield batch._replace(
            rows=batch.rows[part],
            keys=batch.keys[part],
            id=f"{batch.id}.{number}" if batch.id else "",
            is_last=batch.is_last and number == 1,
        )
