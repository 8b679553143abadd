"""What was sent where, and what each destination holds."""

from catchment.event import TIMESTAMP
from catchment.tables.table import INT, LONG, STRING, Table, columns

SYNC_RUNS = Table(
    "sync_runs",
    "activate",
    ("run_id",),
    "one run of one sync; added + changed + removed = sent + rejected + retry + unknown + pending; what was not is "
    "unchanged, skipped (no identifier), held (refused before, and the same still) or waiting (for its next attempt)",
    columns(
        run_id=STRING,
        sync=STRING,
        destination=STRING,
        audience=STRING,
        started_at=TIMESTAMP,
        finished_at=TIMESTAMP,
        status=STRING,
        added=LONG,
        changed=LONG,
        removed=LONG,
        unchanged=LONG,
        skipped=LONG,
        held=LONG,
        waiting=LONG,
        sent=LONG,
        rejected=LONG,
        retry=LONG,
        unknown=LONG,
        pending=LONG,
        error=STRING,
        versions=STRING,
    ),
)

SYNC_ROWS = Table(
    "sync_rows",
    "activate",
    ("run_id", "row_key", "operation"),
    "one row that one run sent, tried to send or skipped for a new reason, with the exact payload (names, addresses "
    "and hashes masked)",
    columns(
        run_id=STRING,
        sync=STRING,
        row_key=STRING,
        operation=STRING,
        status=STRING,
        code=STRING,
        reason=STRING,
        field=STRING,
        payload=STRING,
        fingerprint=STRING,
        batch_id=STRING,
        attempts=INT,
        sent_at=TIMESTAMP,
    ),
)

SYNC_STATE = Table(
    "sync_state",
    "activate",
    ("sync", "row_key"),
    "what one destination holds of one row, and what is on its way there; the fingerprint moves only on ok. A run "
    "appends before it sends and after, so of a key that stands here twice the highest sequence counts",
    columns(
        sync=STRING,
        row_key=STRING,
        scope=STRING,
        identity=STRING,
        fingerprint=STRING,
        payload=STRING,
        operation=STRING,
        tried_fingerprint=STRING,
        tried_payload=STRING,
        batch_id=STRING,
        job=STRING,
        last_status=STRING,
        reason=STRING,
        attempts=INT,
        next_attempt_at=TIMESTAMP,
        sent_at=TIMESTAMP,
        row_hash=LONG,
        source_hash=LONG,
        sequence=LONG,
    ),
    partition=("sync",),
)

SYNC_PLANS = Table(
    "sync_plans",
    "activate",
    ("plan_id",),
    "one plan of one sync, with the versions of the tables it was made from: what `apply` does, or refuses",
    columns(
        plan_id=STRING,
        sync=STRING,
        made_at=TIMESTAMP,
        definition=STRING,
        versions=STRING,
        digest=STRING,
        counts=STRING,
    ),
)

SYNC_ALERTS = Table(
    "sync_alerts",
    "activate",
    ("sync", "told_at"),
    "one change of a sync's state that somebody was told of, or could not be",
    columns(
        sync=STRING,
        state=STRING,
        reason=STRING,
        run_id=STRING,
        channel=STRING,
        told_at=TIMESTAMP,
        error=STRING,
    ),
)
