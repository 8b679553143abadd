"""What the SQL is told of the settings and of the columns that events have brought so far."""

import re
from typing import Any

import pyarrow as pa

from catchment.errors import DefinitionError
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.identity.places import identity_columns, told_identifiers

TYPED = re.compile(r"\b(?:contexts|unstruct_event)_[a-z0-9_]+")
_UA_PARSER = "contexts_com_snowplowanalytics_snowplow_ua_parser_context_1"
_YAUAA = "contexts_nl_basjes_yauaa_context_1"
_IAB = "contexts_com_iab_snowplow_spiders_and_robots_1"

ENTITY_FIELDS = {
    _IAB: "category primary_impact reason spider_or_robot",
    _UA_PARSER: "useragent_family useragent_major useragent_minor useragent_patch useragent_version os_family os_major "
    "os_minor os_patch os_patch_minor os_version device_family",
    _YAUAA: "device_class agent_class agent_name agent_name_version agent_name_version_major agent_version "
    "agent_version_major device_brand device_name device_version layout_engine_class layout_engine_name "
    "layout_engine_name_version layout_engine_name_version_major layout_engine_version layout_engine_version_major "
    "operating_system_class operating_system_name operating_system_name_version operating_system_version",
}
"""Fields of entities that become columns of the models where the enrichment runs."""

_SNOWPLOW = "com_snowplowanalytics_snowplow_"
CONSENT = {
    "preferences": (
        f"unstruct_event_{_SNOWPLOW}consent_preferences_1",
        {"event_type", "basis_for_processing", "consent_version", "consent_scopes"},
    ),
    "granted": (f"unstruct_event_{_SNOWPLOW}consent_granted_1", {"expiry"}),
    "withdrawn": (f"unstruct_event_{_SNOWPLOW}consent_withdrawn_1", {"all"}),
    "document": (f"contexts_{_SNOWPLOW}consent_document_1", {"id", "version"}),
    "gdpr": (f"contexts_{_SNOWPLOW}gdpr_1", {"basis_for_processing", "document_id", "document_version"}),
    "segment": ("contexts_com_segment_spec_context_1", {"consent"}),
}
"""Where people say what they consent to, and the fields that are read there."""

NEW_EVENTS = (
    *("event_id", "event_name", "user_id", "domain_userid", "domain_sessionid", "collector_tstamp", "derived_tstamp"),
    *("dvce_created_tstamp", "dvce_sent_tstamp", "useragent", "br_type"),
)
"""What the models read of new events themselves; everything else is read of the visits they belong to."""


def known_columns(lake: Lake) -> pa.Schema:
    """Give the columns that `events` has by now."""
    return lake.schema("events")


def new_event_columns(settings: ModelSettings, known: pa.Schema) -> list[str]:
    """Name the columns to read of new events."""
    consent = [column for column in _consent_columns(known).values() if column]
    identity = identity_columns(_identifiers(settings, known))
    return list(dict.fromkeys([*NEW_EVENTS, *([_IAB] if _IAB in known.names else []), *consent, *identity]))


def model_variables(settings: ModelSettings, known: pa.Schema) -> dict[str, Any]:
    """Give dbt the settings; what reads a column that no event has brought yet reads as null."""

    def missing(sql: str) -> bool:
        return any(name not in known.names for name in TYPED.findall(sql))

    conversions = [
        {
            "name": conversion.name,
            "condition": "false" if missing(conversion.condition) else f"({conversion.condition})",
            "value": "null" if conversion.value is None or missing(conversion.value) else f"({conversion.value})",
            "default_value": conversion.default_value,
        }
        for conversion in settings.conversions
    ]
    return {
        "heartbeat_s": settings.heartbeat_s,
        "min_visit_length_s": settings.min_visit_length_s,
        "days_late_allowed": settings.days_late_allowed,
        "max_session_days": settings.max_session_days,
        "bot_pattern": settings.bot_pattern,
        "conversions": conversions,
        "traits": {
            name: {
                "keep": trait.keep,
                "places": [_place(path, known, f"model.traits.{name}") for path in trait.sources],
            }
            for name, trait in settings.told_traits().items()
        },
        "consent": _consent_columns(known),
        "identity": _identifiers(settings, known),
        "places": _entity_places(known) | {"page_view_id": _place(settings.page_view_id, known, "model.page_view_id")},
    }


def _identifiers(settings: ModelSettings, known: pa.Schema) -> list[dict[str, Any]]:
    traits = {name: trait.sources for name, trait in settings.told_traits().items()}
    return told_identifiers(settings.identity, traits, known)


def _consent_columns(known: pa.Schema) -> dict[str, str]:
    """Give the column of each kind of statement, '' where no event has brought it yet."""
    return {kind: column if fields <= fields_of(known, column) else "" for kind, (column, fields) in CONSENT.items()}


def _entity_places(known: pa.Schema) -> dict[str, dict[str, str]]:
    places = {}
    for column, fields in ENTITY_FIELDS.items():
        has = fields_of(known, column)
        for field in fields.split():
            name = "entity_os_family" if field == "os_family" else field
            kind = "boolean" if field == "spider_or_robot" else "string"
            places[name] = {"column": column, "field": field} if field in has else _nothing(kind)
    return places


def fields_of(known: pa.Schema, column: str) -> set[str]:
    """Name the fields that a column of entities, or of an event's own data, has by now."""
    if column not in known.names:
        return set()
    entity = known.field(column).type
    entity = entity.value_type if pa.types.is_list(entity) or pa.types.is_large_list(entity) else entity
    return {entity.field(number).name for number in range(entity.num_fields)}


def _nothing(kind: str) -> dict[str, str]:
    return {"column": f"cast(null as {kind})", "field": ""}


def _place(path: str, known: pa.Schema, setting: str) -> dict[str, str]:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", path):
        raise DefinitionError(
            f"{setting} is '{path}', which is neither COLUMN nor ENTITY_COLUMN.FIELD.",
            hint="Write for example `contexts_com_acme_user_1.email`.",
        )
    column, _, field = path.partition(".")
    if column in known.names:
        is_event = field and pa.types.is_struct(known.field(column).type)
        return {"column": path, "field": ""} if is_event else {"column": column, "field": field}
    if TYPED.fullmatch(column):
        return _nothing("string")
    raise DefinitionError(
        f"{setting} names '{column}', which is no column of events.", hint="docs/model.md lists them."
    )
