"""What was sent where, and what each destination holds."""

from catchment.event import TIMESTAMP
from catchment.tables.table import INT, LONG, STRING, Table, columns

SYNC_RUNS = Table(
    "sync_runs",
    "activate",
    ("run_id",),
    "one run of one sync; added + changed + removed = sent + rejected + retry + unknown; what was not sent is "
    "unchanged, skipped (no identifier) or held (refused before, and the same still)",
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
        sent=LONG,
        rejected=LONG,
        retry=LONG,
        unknown=LONG,
        error=STRING,
    ),
)

SYNC_ROWS = Table(
    "sync_rows",
    "activate",
    ("run_id", "row_key", "operation"),
    "one row that one run sent, tried to send or skipped for a new reason, with the exact payload (names and addresses "
    "masked)",
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
        attempts=INT,
        sent_at=TIMESTAMP,
    ),
)

SYNC_STATE = Table(
    "sync_state",
    "activate",
    ("sync", "row_key"),
    "what one destination holds of one row; the fingerprint moves only on ok. A run appends, so of a key that stands "
    "here twice the highest sequence counts; the end of a run leaves one",
    columns(
        sync=STRING,
        row_key=STRING,
        scope=STRING,
        identity=STRING,
        fingerprint=STRING,
        payload=STRING,
        tried_fingerprint=STRING,
        last_status=STRING,
        reason=STRING,
        attempts=INT,
        next_attempt_at=TIMESTAMP,
        sent_at=TIMESTAMP,
        sequence=LONG,
    ),
)
