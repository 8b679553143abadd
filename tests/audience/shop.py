"""The people of acme.py as a shop has them: accounts, orders, lines of orders, and events of cookies."""

from typing import Any

import pyarrow as pa

from catchment.audience import AudienceSettings
from catchment.audience.relations import EventSource, Parent, Relation
from catchment.lake.lake import Lake

from .acme import TIME, ago, fill, table

SETTINGS = AudienceSettings(
    parents={"people": Parent(), "accounts": Parent(key="account_id")},
    related={
        "orders": Relation(on={"customer": "person_id"}),
        "lines": Relation(table="order_lines", through="orders", on={"order_id": "order_id"}),
        "account": Relation(table="accounts", on={"country": "country"}, cardinality="one"),
        "staff": Relation(table="people", parent="accounts", on={"country": "country"}),
    },
    events={"people": EventSource()},
)

ORDERS = pa.schema(
    [("order_id", pa.int64()), ("customer", pa.string()), ("amount", pa.float64()), ("ordered_at", TIME)]
)
LINES = pa.schema([("order_id", pa.int64()), ("product", pa.string())])
ACCOUNTS = pa.schema([("account_id", pa.int64()), ("country", pa.string()), ("employees", pa.int64())])
EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_name", pa.string()),
        ("derived_tstamp", TIME),
        ("domain_userid", pa.string()),
        ("page_urlpath", pa.string()),
    ]
)
MAPPING = pa.schema([("domain_userid", pa.string()), ("person_id", pa.string())])


def fill_shop(lake: Lake) -> Lake:
    fill(lake)
    orders: list[tuple[Any, ...]] = [
        (1, "ann", 60.0, ago(3)),
        (2, "ann", 50.0, ago(200)),
        (3, "bob", 20.0, ago(10)),
        (4, "cem", None, ago(10)),
        (5, None, 999.0, ago(1)),
    ]
    lines = [(1, "shoe"), (1, "hat"), (2, "shoe"), (3, "sock"), (4, "hat")]
    accounts = [(10, "DE", 900), (20, "FR", 12), (30, "JP", 5)]
    # ann has two cookies; her visit to /pricing came twice. bob signed up before he looked, cem looked and left.
    events: list[tuple[Any, ...]] = [
        ("1", "page_view", ago(9), "ann-phone", "/pricing"),
        ("2", "page_view", ago(8), "ann", "/pricing"),
        ("2", "page_view", ago(8), "ann", "/pricing"),
        ("3", "signup", ago(7), "ann", "/form"),
        ("4", "signup", ago(30), "bob", "/form"),
        ("5", "page_view", ago(20), "bob", "/pricing"),
        ("6", "page_view", ago(5), "cem", "/pricing"),
        ("7", "page_view", ago(0.5), "eve", "/docs"),
        ("8", "page_view", ago(1), None, "/pricing"),
    ]
    lake.overwrite("orders", table(orders, ORDERS))
    lake.overwrite("order_lines", table(lines, LINES))
    lake.overwrite("accounts", table(accounts, ACCOUNTS))
    lake.overwrite("events", table(events, EVENTS))
    lake.overwrite("user_mapping", table([("ann-phone", "ann"), ("ann", "ann")], MAPPING))
    return lake
