"""Tracker parameters become atomic columns, a column at a time.

Source of the rules: the tracker protocol's parameter table. A value that cannot be converted is a fault of its event.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from catchment.event import ATOMIC, BOOLEAN, DOUBLE, INT, MONEY, STRING, TIMESTAMP
from catchment.schema.validate import Fault

Convert = Callable[[pa.Array], pa.Array]
"""Null stays null; what cannot be converted becomes null too, and is found by comparing."""

PLATFORMS = ("web", "iot", "app", "mob", "pc", "cnsl", "tv", "srv", "headset")
EVENTS = {
    "pv": ("page_view", "com.snowplowanalytics.snowplow", "page_view"),
    "pp": ("page_ping", "com.snowplowanalytics.snowplow", "page_ping"),
    "se": ("struct", "com.google.analytics", "event"),
    "ev": ("struct", "com.google.analytics", "event"),
    "tr": ("transaction", "com.snowplowanalytics.snowplow", "transaction"),
    "ti": ("transaction_item", "com.snowplowanalytics.snowplow", "transaction_item"),
    "ad": ("ad_impression", "com.snowplowanalytics.snowplow", "ad_impression"),
    "ue": ("unstruct", None, None),
}
"""Parameter `e`: the columns `event`, `event_vendor` and `event_name`; `ue` takes the latter from its own schema."""

_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_YEAR_1_MS = -62_135_596_800_000
_YEAR_10000_MS = 253_402_300_800_000
_CONTROL = "[\\x00-\\x1f\\x7f]"
_SPACES = "    "


class Rule(NamedTuple):
    """How one column is filled: the first of the parameters that is present, converted; `wants` ends the message."""

    column: str
    keys: tuple[str, ...]
    convert: Convert
    wants: str


def convert_parameters(parameters: Sequence[dict[str, Any]]) -> tuple[dict[str, pa.Array], dict[int, list[Fault]]]:
    """Give the columns that parameters fill, and the faults by the position of their event."""
    columns: dict[str, pa.Array] = {}
    faults: dict[int, list[Fault]] = {}
    told = _transpose(parameters)
    for rule in RULES:
        present = [told[key] for key in rule.keys if key in told]
        if not present:
            columns[rule.column] = pa.nulls(len(parameters), _TYPES[rule.column])
            continue
        raw = pc.coalesce(*present) if len(present) > 1 else present[0]
        columns[rule.column] = column = rule.convert(raw)
        for position in _lost(raw, column, rule.convert):
            fault = Fault("invalid_parameter", f"{'/'.join(rule.keys)}: {rule.wants} was expected.", path=rule.column)
            faults.setdefault(position, []).append(fault)
    for position in _unknown_events(columns["event"]):
        fault = Fault("invalid_parameter", f"e: one of {', '.join(EVENTS)} was expected.", path="event")
        faults.setdefault(position, []).append(fault)
    return columns, faults


def _transpose(parameters: Sequence[dict[str, Any]]) -> dict[str, pa.Array]:
    """Give the values of each parameter that some event has; an empty text is none."""
    lists: dict[str, list[Any]] = {}
    unread: list[Any] = [None] * len(parameters)
    for position, row in enumerate(parameters):
        for key, value in row.items():
            try:
                lists[key][position] = value
            except KeyError:
                lists[key] = [None] * len(parameters) if key in _KEYS else unread
                lists[key][position] = value
    told = {key: pa.array(values, STRING) for key, values in lists.items() if key in _KEYS}
    return {key: pc.if_else(pc.equal(values, ""), None, values) for key, values in told.items()}


def _lost(raw: pa.Array, column: pa.Array, convert: Convert) -> Iterator[int]:
    if convert is _text or raw.null_count == column.null_count:
        return
    lost = pc.and_(raw.is_valid(), column.is_null())
    if convert in (_integer, _double, _money):
        lost = pc.and_(lost, pc.not_equal(raw, "null"))
    yield from pc.indices_nonzero(pc.fill_null(lost, False)).to_pylist()


def _unknown_events(events: pa.Array) -> Iterator[int]:
    yield from pc.indices_nonzero(events.is_null()).to_pylist()


def _text(values: pa.Array) -> pa.Array:
    """Tabs become four spaces, other control characters go; text that is then empty is null."""
    if not pc.any(pc.match_substring_regex(pc.unique(values), _CONTROL), min_count=0).as_py():
        return values
    clean = pc.replace_substring_regex(pc.replace_substring(values, "\t", _SPACES), _CONTROL, "")
    return pc.if_else(pc.equal(clean, ""), None, clean)


def _matching(pattern: str) -> Convert:
    def convert(values: pa.Array) -> pa.Array:
        return pc.if_else(pc.match_substring_regex(values, pattern), values, None)

    return convert


def _uuid(values: pa.Array) -> pa.Array:
    return pc.utf8_lower(_matching(_UUID)(values))


def _integer(values: pa.Array) -> pa.Array:
    digits = pc.replace_substring_regex(_matching(r"^[+-]?\d{1,18}$")(values), r"^\+", "")
    numbers = pc.cast(digits, pa.int64())
    fits = pc.and_(pc.greater_equal(numbers, -(2**31)), pc.less(numbers, 2**31))
    return pc.cast(pc.if_else(fits, numbers, None), INT)


def _double(values: pa.Array) -> pa.Array:
    numbers = pc.cast(_matching(_NUMBER)(values), DOUBLE)
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _money(values: pa.Array) -> pa.Array:
    return pa.array([_to_money(value) for value in values.to_pylist()], MONEY)


def _to_money(text: str | None) -> Decimal | None:
    if text is None or not re.fullmatch(_NUMBER, text):
        return None
    try:
        amount = Decimal(text).quantize(Decimal("0.01"))
    except InvalidOperation:
        return None
    return amount if abs(amount) < Decimal(10) ** 16 else None


def _moment(values: pa.Array) -> pa.Array:
    numbers = pc.cast(_matching(r"^-?\d{1,15}$")(values), pa.int64())
    is_known = pc.and_(pc.greater_equal(numbers, _YEAR_1_MS), pc.less(numbers, _YEAR_10000_MS))
    known = pc.if_else(is_known, numbers, None)
    return pc.cast(pc.cast(known, pa.timestamp("ms", "UTC")), TIMESTAMP)


def _flag(values: pa.Array) -> pa.Array:
    known = pc.is_in(values, value_set=pa.array(["0", "1"]))
    return pc.if_else(known, pc.equal(values, "1"), pa.scalar(None, BOOLEAN))


def _side(group: str) -> Convert:
    def convert(values: pa.Array) -> pa.Array:
        sides = pc.extract_regex(values, r"^(?P<left>\d{1,10})x(?P<right>\d{1,10})$")
        return _integer(pc.struct_field(sides, group))

    return convert


def _platform(values: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(values, value_set=pa.array(PLATFORMS)), values, None)


def _event(values: pa.Array) -> pa.Array:
    return pa.array([EVENTS.get(value, (None,))[0] for value in values.to_pylist()], STRING)


def _first_address(values: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.list_element(pc.split_pattern(values, ","), 0)) if len(values) else values


def _texts(**columns: str) -> tuple[Rule, ...]:
    return tuple(Rule(column, tuple(keys.split()), _text, "text") for column, keys in columns.items())


def _rules(convert: Convert, wants: str, **columns: str) -> tuple[Rule, ...]:
    return tuple(Rule(column, tuple(keys.split()), convert, wants) for column, keys in columns.items())


RULES: tuple[Rule, ...] = (
    *_rules(_event, "a known kind of event", event="e"),
    *_rules(_platform, f"one of {', '.join(PLATFORMS)}", platform="p"),
    *_rules(_uuid, "a UUID", event_id="eid", domain_sessionid="sid"),
    *_rules(
        _moment, "milliseconds since 1970, of a year from 1 to 9999",
        dvce_created_tstamp="dtm", dvce_sent_tstamp="stm", true_tstamp="ttm",
    ),
    *_rules(
        _integer, "an integer of 32 bits",
        txn_id="tid", domain_sessionidx="vid", ti_quantity="ti_qu", pp_xoffset_min="pp_mix", pp_xoffset_max="pp_max",
        pp_yoffset_min="pp_miy", pp_yoffset_max="pp_may",
    ),
    *_rules(_double, "a number", se_value="se_va ev_va"),
    *_rules(_money, "an amount", tr_total="tr_tt", tr_tax="tr_tx", tr_shipping="tr_sh", ti_price="ti_pr"),
    *_rules(
        _flag, "0 or 1",
        br_cookies="cookie", br_features_pdf="f_pdf", br_features_flash="f_fla", br_features_java="f_java",
        br_features_director="f_dir", br_features_quicktime="f_qt", br_features_realplayer="f_realp",
        br_features_windowsmedia="f_wma", br_features_gears="f_gears", br_features_silverlight="f_ag",
    ),
    *_rules(
        _side("left"), "WIDTHxHEIGHT in pixels", dvce_screenwidth="res", br_viewwidth="vp", doc_width="ds"
    ),
    *_rules(
        _side("right"), "WIDTHxHEIGHT in pixels", dvce_screenheight="res", br_viewheight="vp", doc_height="ds"
    ),
    *_rules(_first_address, "an address", user_ipaddress="ip"),
    *_texts(
        app_id="aid", name_tracker="tna", v_tracker="tv", v_collector="cv", user_id="uid", user_fingerprint="fp",
        domain_userid="duid", network_userid="tnuid nuid", page_url="url", page_title="page", page_referrer="refr",
        useragent="ua", br_lang="lang", br_colordepth="cd", os_timezone="tz", doc_charset="cs",
        se_category="se_ca ev_ca", se_action="se_ac ev_ac", se_label="se_la ev_la", se_property="se_pr ev_pr",
        tr_orderid="tr_id", tr_affiliation="tr_af", tr_city="tr_ci", tr_state="tr_st", tr_country="tr_co",
        tr_currency="tr_cu", ti_orderid="ti_id", ti_sku="ti_sk", ti_name="ti_nm ti_na", ti_category="ti_ca",
        ti_currency="ti_cu",
    ),
)  # fmt: skip

_KEYS = frozenset(key for rule in RULES for key in rule.keys)
_TYPES = {known.name: known.type for known in ATOMIC}
