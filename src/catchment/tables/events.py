"""Events, what failed, and how they came into the lake."""

import pyarrow as pa

from catchment.event import TIMESTAMP, atomic_schema
from catchment.tables.table import DATE, INT, LONG, STRING, Table, columns

OFFSET = "_offset"
"""Position in the log of the payload a row came from; rides along from `enrich` to `lake`, which drops it."""

COLLECTOR_DATE = "collector_date"
"""The day of `collector_tstamp`, UTC: events and failed events are partitioned by it."""

CLUSTER_KEY = "cluster_key"
"""The event's name and one of 64 buckets of visitors: what the files of a day are sorted by, so that a query for one
event, and the deletion of one person, touch few of them."""

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
    atomic_schema().append(pa.field(COLLECTOR_DATE, DATE)).append(pa.field(CLUSTER_KEY, STRING)),
    partition=(COLLECTOR_DATE,),
    statistics=(
        *("load_tstamp", "collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "app_id", "event_name"),
        CLUSTER_KEY,
    ),
)

FAILED_EVENTS = Table(
    "failed_events",
    "enrich",
    ("failed_id",),
    "one event (or one payload that could not be parted into events) that failed, with its original",
    columns(
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
        ancestor_id=STRING,
        collector_date=DATE,
    ),
    partition=(COLLECTOR_DATE,),
    statistics=("collector_tstamp", "failed_tstamp", "replayed_tstamp", "stage", "type", "code"),
)

REPLAYS = Table(
    "replays",
    "lake",
    ("replay_id", "position"),
    "one failed event that a replay sends through enrichment again; the replay may still be going on",
    columns(
        replay_id=STRING,
        number=LONG,
        position=LONG,
        failed_id=STRING,
        failed_tstamp=TIMESTAMP,
        requested_at=TIMESTAMP,
        repair=STRING,
    ),
)

BATCHES = Table(
    "batches",
    "lake",
    ("log_id", "last_offset"),
    "one slice of the log committed to the lake; received = events + failed + suppressed, always; suppressed "
    "events are those of a person who was forgotten after they happened; event_ids sums the digests of the events' ids",
    columns(
        log_id=STRING,
        first_offset=LONG,
        last_offset=LONG,
        payloads=LONG,
        received=LONG,
        events=LONG,
        failed=LONG,
        suppressed=LONG,
        committed_at=TIMESTAMP,
        event_ids=LONG,
    ),
)

RUNS = Table(
    "runs",
    "project",
    ("run_id",),
    "one execution of one verb",
    columns(
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
