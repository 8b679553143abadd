"""Links that lead elsewhere by way of the collector: `/r/tp2?u=...` is an event before it is a redirect."""

from collections.abc import Sequence
from typing import Any, ClassVar

from catchment.enrich.adapter import Adapter, Example, Part, describe_event, read_query, refuse, wrap_entities
from catchment.enrich.self_describing import read_entities
from catchment.schema.resolver import Resolver

URI_REDIRECT = "iglu:com.snowplowanalytics.snowplow/uri_redirect/jsonschema/1-0-0"
TARGET = "https://acme.example/offer"


class Redirect(Adapter):
    """A tracked link: an event of its own, or an entity of the event that the link carries along."""

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {"path": "/r/tp2", "querystring": "u=https%3A%2F%2Facme.example%2Foffer&aid=mail"},
            [
                {
                    "event_name": "uri_redirect",
                    "platform": "web",
                    "v_tracker": "r-tp2",
                    "app_id": "mail",
                    "unstruct_event_com_snowplowanalytics_snowplow_uri_redirect_1": {"uri": TARGET},
                }
            ],
        ),
        Example(
            {"path": "/r/tp2", "querystring": "u=https%3A%2F%2Facme.example%2Foffer&e=se&se_ca=mail&se_ac=open&p=app"},
            [
                {
                    "event_name": "event",
                    "platform": "app",
                    "se_category": "mail",
                    "contexts_com_snowplowanalytics_snowplow_uri_redirect_1": [{"uri": TARGET}],
                }
            ],
        ),
        Example({"path": "/r/tp2", "querystring": "e=pv&p=web"}, failed=["adapter_failures"]),
    )

    def accepts(self, path: str) -> bool:
        return path.startswith("/r/")

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        query = read_query(payload)
        target = query.pop("u", "")
        if not target:
            raise refuse("no_target", "A redirect needs the parameter u, the address that it leads to.", path="u")
        parameters = {"p": "web", **query, "tv": "r-tp2"}
        if not query.get("e"):
            return [Part({**parameters, **describe_event(URI_REDIRECT, {"uri": target})})]
        entities = read_entities(query)
        if entities is None:
            return [Part(parameters)]  # what is wrong with them is told when the event is judged
        others = {name: value for name, value in parameters.items() if name not in ("co", "cx")}
        return [Part(others | wrap_entities([*entities, {"schema": URI_REDIRECT, "data": {"uri": target}}]))]
