"""The canonical event: every column's name, Arrow type and origin, in Snowplow's order.

Grain of the `events` table: one row per event that passed validation. Timestamps are UTC with microseconds.
Source: the atomic schema `iglu:com.snowplowanalytics.snowplow/atomic/jsonschema/1-0-0` and the enriched TSV, whose
positions are the positions here.
"""

from typing import NamedTuple

import pyarrow as pa

STRING = pa.string()
TIMESTAMP = pa.timestamp("us", "UTC")
INT = pa.int32()
DOUBLE = pa.float64()
BOOLEAN = pa.bool_()
MONEY = pa.decimal128(18, 2)
JSON = pa.large_string()


class Column(NamedTuple):
    """One column of the atomic event; `origin` names the tracker parameter or the step that fills it."""

    name: str
    type: pa.DataType
    origin: str
    max_length: int | None = None
    required: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("app_id", STRING, "aid", max_length=255),
    Column("platform", STRING, "p", max_length=255),
    Column("etl_tstamp", TIMESTAMP, "enrich clock"),
    Column("collector_tstamp", TIMESTAMP, "payload timestamp", required=True),
    Column("dvce_created_tstamp", TIMESTAMP, "dtm"),
    Column("event", STRING, "e", max_length=128),
    Column("event_id", STRING, "eid / generated", max_length=36, required=True),
    Column("txn_id", INT, "tid"),
    Column("name_tracker", STRING, "tna", max_length=128),
    Column("v_tracker", STRING, "tv", max_length=100),
    Column("v_collector", STRING, "payload collector / cv", max_length=100, required=True),
    Column("v_etl", STRING, "enrich name-version", max_length=100, required=True),
    Column("user_id", STRING, "uid", max_length=255),
    Column("user_ipaddress", STRING, "ip / XFF / payload (then anon_ip)", max_length=128),
    Column("user_fingerprint", STRING, "fp", max_length=128),
    Column("domain_userid", STRING, "duid", max_length=128),
    Column("domain_sessionidx", INT, "vid"),
    Column("network_userid", STRING, "cookie / nuid / tnuid", max_length=128),
    Column("geo_country", STRING, "ip_lookups", max_length=2),
    Column("geo_region", STRING, "ip_lookups", max_length=3),
    Column("geo_city", STRING, "ip_lookups", max_length=75),
    Column("geo_zipcode", STRING, "ip_lookups", max_length=15),
    Column("geo_latitude", DOUBLE, "ip_lookups"),
    Column("geo_longitude", DOUBLE, "ip_lookups"),
    Column("geo_region_name", STRING, "ip_lookups", max_length=100),
    Column("ip_isp", STRING, "ip_lookups", max_length=100),
    Column("ip_organization", STRING, "ip_lookups", max_length=128),
    Column("ip_domain", STRING, "ip_lookups", max_length=128),
    Column("ip_netspeed", STRING, "ip_lookups", max_length=100),
    Column("page_url", STRING, "url / Referer", max_length=4096),
    Column("page_title", STRING, "page", max_length=2000),
    Column("page_referrer", STRING, "refr", max_length=4096),
    Column("page_urlscheme", STRING, "split of page_url", max_length=16),
    Column("page_urlhost", STRING, "split of page_url", max_length=255),
    Column("page_urlport", INT, "split of page_url"),
    Column("page_urlpath", STRING, "split of page_url", max_length=3000),
    Column("page_urlquery", STRING, "split of page_url", max_length=6000),
    Column("page_urlfragment", STRING, "split of page_url", max_length=3000),
    Column("refr_urlscheme", STRING, "split of page_referrer", max_length=16),
    Column("refr_urlhost", STRING, "split of page_referrer", max_length=255),
    Column("refr_urlport", INT, "split of page_referrer"),
    Column("refr_urlpath", STRING, "split of page_referrer", max_length=6000),
    Column("refr_urlquery", STRING, "split of page_referrer", max_length=6000),
    Column("refr_urlfragment", STRING, "split of page_referrer", max_length=3000),
    Column("refr_medium", STRING, "referer_parser", max_length=25),
    Column("refr_source", STRING, "referer_parser", max_length=50),
    Column("refr_term", STRING, "referer_parser", max_length=255),
    Column("mkt_medium", STRING, "campaign_attribution", max_length=255),
    Column("mkt_source", STRING, "campaign_attribution", max_length=255),
    Column("mkt_term", STRING, "campaign_attribution", max_length=255),
    Column("mkt_content", STRING, "campaign_attribution", max_length=500),
    Column("mkt_campaign", STRING, "campaign_attribution", max_length=255),
    Column("contexts", JSON, "co / cx"),
    Column("se_category", STRING, "se_ca (ev_ca)", max_length=1000),
    Column("se_action", STRING, "se_ac (ev_ac)", max_length=1000),
    Column("se_label", STRING, "se_la (ev_la)", max_length=4096),
    Column("se_property", STRING, "se_pr (ev_pr)", max_length=1000),
    Column("se_value", DOUBLE, "se_va (ev_va)"),
    Column("unstruct_event", JSON, "ue_pr / ue_px"),
    Column("tr_orderid", STRING, "tr_id", max_length=255),
    Column("tr_affiliation", STRING, "tr_af", max_length=255),
    Column("tr_total", MONEY, "tr_tt"),
    Column("tr_tax", MONEY, "tr_tx"),
    Column("tr_shipping", MONEY, "tr_sh"),
    Column("tr_city", STRING, "tr_ci", max_length=255),
    Column("tr_state", STRING, "tr_st", max_length=255),
    Column("tr_country", STRING, "tr_co", max_length=255),
    Column("ti_orderid", STRING, "ti_id", max_length=255),
    Column("ti_sku", STRING, "ti_sk", max_length=255),
    Column("ti_name", STRING, "ti_nm / ti_na", max_length=255),
    Column("ti_category", STRING, "ti_ca", max_length=255),
    Column("ti_price", MONEY, "ti_pr"),
    Column("ti_quantity", INT, "ti_qu"),
    Column("pp_xoffset_min", INT, "pp_mix"),
    Column("pp_xoffset_max", INT, "pp_max"),
    Column("pp_yoffset_min", INT, "pp_miy"),
    Column("pp_yoffset_max", INT, "pp_may"),
    Column("useragent", STRING, "ua / User-Agent header", max_length=1000),
    Column("br_name", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("br_family", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("br_version", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("br_type", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("br_renderengine", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("br_lang", STRING, "lang", max_length=255),
    Column("br_features_pdf", BOOLEAN, "f_pdf"),
    Column("br_features_flash", BOOLEAN, "f_fla"),
    Column("br_features_java", BOOLEAN, "f_java"),
    Column("br_features_director", BOOLEAN, "f_dir"),
    Column("br_features_quicktime", BOOLEAN, "f_qt"),
    Column("br_features_realplayer", BOOLEAN, "f_realp"),
    Column("br_features_windowsmedia", BOOLEAN, "f_wma"),
    Column("br_features_gears", BOOLEAN, "f_gears"),
    Column("br_features_silverlight", BOOLEAN, "f_ag"),
    Column("br_cookies", BOOLEAN, "cookie"),
    Column("br_colordepth", STRING, "cd", max_length=12),
    Column("br_viewwidth", INT, "vp left"),
    Column("br_viewheight", INT, "vp right"),
    Column("os_name", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("os_family", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("os_manufacturer", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("os_timezone", STRING, "tz", max_length=255),
    Column("dvce_type", STRING, "user_agent_utils (deprecated)", max_length=50),
    Column("dvce_ismobile", BOOLEAN, "user_agent_utils (deprecated)"),
    Column("dvce_screenwidth", INT, "res left"),
    Column("dvce_screenheight", INT, "res right"),
    Column("doc_charset", STRING, "cs", max_length=128),
    Column("doc_width", INT, "ds left"),
    Column("doc_height", INT, "ds right"),
    Column("tr_currency", STRING, "tr_cu", max_length=3),
    Column("tr_total_base", MONEY, "currency_conversion"),
    Column("tr_tax_base", MONEY, "currency_conversion"),
    Column("tr_shipping_base", MONEY, "currency_conversion"),
    Column("ti_currency", STRING, "ti_cu", max_length=3),
    Column("ti_price_base", MONEY, "currency_conversion"),
    Column("base_currency", STRING, "currency_conversion", max_length=3),
    Column("geo_timezone", STRING, "ip_lookups", max_length=64),
    Column("mkt_clickid", STRING, "campaign", max_length=128),
    Column("mkt_network", STRING, "campaign", max_length=64),
    Column("etl_tags", STRING, "not populated by current Enrich", max_length=500),
    Column("dvce_sent_tstamp", TIMESTAMP, "stm"),
    Column("refr_domain_userid", STRING, "_sp query arg", max_length=128),
    Column("refr_dvce_tstamp", TIMESTAMP, "_sp query arg"),
    Column("derived_contexts", JSON, "enrichments"),
    Column("domain_sessionid", STRING, "sid", max_length=128),
    Column("derived_tstamp", TIMESTAMP, "computed"),
    Column("event_vendor", STRING, "derived from event / inner schema", max_length=1000),
    Column("event_name", STRING, "derived from event / inner schema", max_length=1000),
    Column("event_format", STRING, "derived from event / inner schema", max_length=128),
    Column("event_version", STRING, "derived from event / inner schema", max_length=128),
    Column("event_fingerprint", STRING, "fingerprint enrichment", max_length=128),
    Column("true_tstamp", TIMESTAMP, "ttm"),
)

JSON_COLUMNS = ("contexts", "unstruct_event", "derived_contexts")
"""Held as JSON text in an enriched TSV; in the lake they become one typed column per schema and model instead."""

LOAD_TSTAMP = Column("load_tstamp", TIMESTAMP, "lake writer", required=True)

ATOMIC: tuple[Column, ...] = tuple(column for column in COLUMNS if column.name not in JSON_COLUMNS)
"""The 128 columns that every row of `events` has, whatever entities it carries."""


def atomic_schema() -> pa.Schema:
    """Give the fixed part of the `events` table: 128 atomic columns, then `load_tstamp`."""
    return pa.schema([pa.field(column.name, column.type, nullable=True) for column in (*ATOMIC, LOAD_TSTAMP)])
