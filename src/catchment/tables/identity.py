"""Who is who, and how that was found.

A `key` is a number for an identifier, `person_key` that of the identifier which a person is named after, and `cluster`
the key of the least identifier that hangs together with this one: by them rows are found without reading texts.
"""

from catchment.event import TIMESTAMP
from catchment.tables.table import BOOLEAN, DATE, DOUBLE, INT, LONG, STRING, Rewritten, Table, columns

_REWRITTEN = Rewritten(
    file_rows=20_000,
    file_bytes=2**21,
    few_values=("kind", "kind_a", "kind_b", "source", "score", "weekdays", "days", "valid_to", "is_current", "reason"),
)

_PAIR = {"kind_a": STRING, "value_a": STRING, "kind_b": STRING, "value_b": STRING, "week": DATE}

IDENTITY_EDGES = Table(
    "identity_edges",
    "model",
    ("kind_a", "value_a", "kind_b", "value_b", "week"),
    "one pair of identifiers that was seen together in one week; `a` is the stronger",
    columns(
        **_PAIR,
        source=STRING,
        score=DOUBLE,
        first_seen_tstamp=TIMESTAMP,
        last_seen_tstamp=TIMESTAMP,
        weekdays=INT,
        days=INT,
        first_event_id=STRING,
        key_a=LONG,
        key_b=LONG,
    ),
    partition=("week",),
    rewritten=_REWRITTEN,
)

IDENTITY_IDENTIFIERS = Table(
    "identity_identifiers",
    "model",
    ("kind", "value"),
    "one identifier, and the person it belongs to",
    columns(
        kind=STRING,
        value=STRING,
        person_id=STRING,
        first_seen_tstamp=TIMESTAMP,
        first_week=DATE,
        key=LONG,
        person_key=LONG,
        cluster=LONG,
    ),
    partition=("first_week",),
    rewritten=_REWRITTEN,
)

IDENTITY_HISTORY = Table(
    "identity_history",
    "model",
    ("kind", "value", "valid_from"),
    "one identifier that was ever linked, and the person it belonged to for a time; valid_to is null of what holds now",
    columns(
        kind=STRING,
        value=STRING,
        person_id=STRING,
        valid_from=TIMESTAMP,
        valid_to=TIMESTAMP,
        is_current=BOOLEAN,
        from_week=DATE,
        key=LONG,
        person_key=LONG,
    ),
    partition=("from_week",),
    rewritten=_REWRITTEN,
)

IDENTITY_MERGES = Table(
    "identity_merges",
    "model",
    ("person_id", "merged_tstamp"),
    "one person that became part of another, and which edge showed it",
    columns(
        person_id=STRING,
        survivor_id=STRING,
        current_id=STRING,
        merged_tstamp=TIMESTAMP,
        kind_a=STRING,
        value_a=STRING,
        kind_b=STRING,
        value_b=STRING,
        key=LONG,
        survivor_key=LONG,
        current_key=LONG,
        key_a=LONG,
        key_b=LONG,
    ),
    rewritten=_REWRITTEN,
)

IDENTITY_CONFLICTS = Table(
    "identity_conflicts",
    "model",
    ("kind_a", "value_a", "kind_b", "value_b"),
    "one pair of identifiers that was seen together and is not one person, and why",
    columns(
        kind_a=STRING,
        value_a=STRING,
        kind_b=STRING,
        value_b=STRING,
        reason=STRING,
        kind=STRING,
        person_a=STRING,
        person_b=STRING,
        first_seen_tstamp=TIMESTAMP,
        last_seen_tstamp=TIMESTAMP,
        key_a=LONG,
        key_b=LONG,
    ),
    rewritten=_REWRITTEN,
)

IDENTITY_CHANGES = Table(
    "identity_changes",
    "model",
    (),
    "one identifier whose person is another than an earlier build said",
    columns(
        kind=STRING,
        value=STRING,
        person_before=STRING,
        person_id=STRING,
        changed_at=TIMESTAMP,
    ),
)

IDENTITY_NEWS = Table(
    "identity_news",
    "model",
    (),
    "one pair of identifiers that events told together in one week, or one that they told alone (kind_a is empty); "
    "stands only where another engine than DuckDB finds pairs",
    columns(
        **_PAIR,
        first_seen_tstamp=TIMESTAMP,
        last_seen_tstamp=TIMESTAMP,
        weekdays=INT,
        first_event_id=STRING,
    ),
)

IDENTITY_LINKS = Table(
    "identity_links",
    "model",
    ("kind_a", "value_a", "kind_b", "value_b"),
    "one pair of identifiers whose records are alike; the probability that they are one person's, and what is alike",
    columns(
        kind_a=STRING,
        value_a=STRING,
        kind_b=STRING,
        value_b=STRING,
        score=DOUBLE,
        match_weight=DOUBLE,
        because=STRING,
    ),
)
