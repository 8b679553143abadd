"""Every table that stages share: name, Arrow schema, key and owner.

The owner is the one stage that writes the table; anybody may read it. Timestamps are UTC. `PAYLOADS` is not in the
lake: it is what a log hands to enrichment.
"""

from typing import NamedTuple

import pyarrow as pa

from catchment.event import TIMESTAMP, atomic_schema


class Table(NamedTuple):
    """One table; `key` is unique, empty where rows are only ever appended."""

    name: str
    owner: str
    key: tuple[str, ...]
    grain: str
    schema: pa.Schema


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


STRING, LONG, INT, DOUBLE, BOOLEAN = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.bool_()

OFFSET = "_offset"
"""Position in the log of the payload a row came from; rides along from `enrich` to `lake`, which drops it."""

PAYLOADS = Table(
    "payloads",
    "collect",
    (OFFSET,),
    "one HTTP request that a tracker or webhook made, exactly as received",
    pa.schema(
        [
            (OFFSET, LONG),
            ("payload_id", STRING),
            ("collector_tstamp", TIMESTAMP),
            ("collector", STRING),
            ("path", STRING),
            ("querystring", STRING),
            ("content_type", STRING),
            ("body", pa.binary()),
            ("hostname", STRING),
            ("ip_address", STRING),
            ("useragent", STRING),
            ("referer_uri", STRING),
            ("headers", pa.list_(STRING)),
            ("network_userid", STRING),
        ]
    ),
)

EVENTS = Table(
    "events",
    "enrich",
    ("event_id",),
    "one valid event; delivered twice by a tracker, it is here twice until the models de-duplicate it",
    atomic_schema(),
)

FAILED_EVENTS = Table(
    "failed_events",
    "enrich",
    ("failed_id",),
    "one event (or one payload that could not be parted into events) that failed, with its original",
    _schema(
        failed_id=STRING,
        payload_id=STRING,
        event_index=INT,
        event_id=STRING,
        app_id=STRING,
        collector_tstamp=TIMESTAMP,
        failed_tstamp=TIMESTAMP,
        stage=STRING,
        type=STRING,
        code=STRING,
        message=STRING,
        schema=STRING,
        errors=STRING,
        original=STRING,
        payload=pa.binary(),
        replayed_tstamp=TIMESTAMP,
    ),
)

BATCHES = Table(
    "batches",
    "lake",
    ("log_id", "last_offset"),
    "one slice of the log committed to the lake; received = events + failed, always",
    _schema(
        log_id=STRING,
        first_offset=LONG,
        last_offset=LONG,
        payloads=LONG,
        received=LONG,
        events=LONG,
        failed=LONG,
        committed_at=TIMESTAMP,
    ),
)

RUNS = Table(
    "runs",
    "project",
    ("run_id",),
    "one execution of one verb",
    _schema(
        run_id=STRING,
        verb=STRING,
        name=STRING,
        started_at=TIMESTAMP,
        finished_at=TIMESTAMP,
        status=STRING,
        counts=STRING,
        error=STRING,
    ),
)

PROPENSITY_SCORES = Table(
    "propensity_scores",
    "predict",
    ("prediction", "person_id"),
    "the latest score of one person by one prediction; decile 10 is the highest",
    _schema(
        prediction=STRING,
        person_id=STRING,
        model_name=STRING,
        model_version=STRING,
        scored_at=TIMESTAMP,
        score=DOUBLE,
        decile=INT,
        label=STRING,
    ),
)

AUDIENCE_MEMBERS = Table(
    "audience_members",
    "audience",
    ("audience", "person_id", "entered_at"),
    "one stay of one person in one audience; left_at is null while it lasts",
    _schema(
        audience=STRING,
        person_id=STRING,
        arm=STRING,
        entered_at=TIMESTAMP,
        left_at=TIMESTAMP,
    ),
)

AUDIENCE_RUNS = Table(
    "audience_runs",
    "audience",
    ("audience", "refreshed_at"),
    "one refresh of one audience",
    _schema(
        audience=STRING,
        refreshed_at=TIMESTAMP,
        definition=STRING,
        size=LONG,
        entered=LONG,
        left=LONG,
    ),
)

SYNC_RUNS = Table(
    "sync_runs",
    "activate",
    ("run_id",),
    "one run of one sync; added + changed + removed = sent + rejected + retry + unknown; what was not sent is "
    "unchanged, skipped (no identifier) or held (refused before, and the same still)",
    _schema(
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
    _schema(
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
    _schema(
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

AD_SPEND = Table(
    "ad_spend",
    "ingest",
    ("date", "platform", "campaign"),
    "one day of one campaign on one advertising platform",
    _schema(
        date=pa.date32(),
        platform=STRING,
        campaign=STRING,
        impressions=LONG,
        clicks=LONG,
        spend=DOUBLE,
        currency=STRING,
        ingested_at=TIMESTAMP,
    ),
)

CRM_LEADS = Table(
    "crm_leads",
    "ingest",
    ("lead_id",),
    "one lead of the CRM at its latest stage",
    _schema(
        lead_id=STRING,
        user_id=STRING,
        email=STRING,
        stage=STRING,
        stage_tstamp=TIMESTAMP,
        amount=DOUBLE,
        currency=STRING,
        ingested_at=TIMESTAMP,
    ),
)

CAMPAIGN_PERFORMANCE = Table(
    "campaign_performance",
    "measure",
    ("platform", "campaign"),
    "one campaign over all time: what it cost and what came of it",
    _schema(
        platform=STRING,
        campaign=STRING,
        spend=DOUBLE,
        currency=STRING,
        clicks=LONG,
        visitors=LONG,
        conversions=LONG,
        qualified_leads=LONG,
        pipeline_amount=DOUBLE,
        cost_per_conversion=DOUBLE,
        cost_per_qualified_lead=DOUBLE,
        measured_at=TIMESTAMP,
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        EVENTS,
        FAILED_EVENTS,
        BATCHES,
        RUNS,
        PROPENSITY_SCORES,
        AUDIENCE_MEMBERS,
        AUDIENCE_RUNS,
        SYNC_RUNS,
        SYNC_ROWS,
        SYNC_STATE,
        AD_SPEND,
        CRM_LEADS,
        CAMPAIGN_PERFORMANCE,
    )
}
"""The tables whose schema is declared here. The models (`page_views`, `sessions`, ...) are declared by dbt."""
