"""The mistakes by which tracking breaks its schema, as a site's developers make them."""

from collections.abc import Callable
from random import Random
from typing import Any

USER = "iglu:com.acme/user/jsonschema/1-0-0"
UNPUBLISHED = "iglu:com.acme/experiment/jsonschema/1-0-0"
"""An entity that somebody sends before its schema stands in any registry."""

Entities = list[dict[str, Any]]
Content = dict[str, Any]


def draw_break(rng: Random, entities: Entities, content: Content) -> tuple[Entities, Content]:
    """Make one mistake that fits what the event carries; the entities and content given stay as they are."""
    fitting = [mistake for mistake, fits in MISTAKES.items() if fits(entities, content)]
    return rng.choice(fitting)(entities, content)


def lose_page_view_id(entities: Entities, content: Content) -> tuple[Entities, Content]:
    """Fill in a text where the schema wants a UUID."""
    return [{**entities[0], "data": {"id": "undefined"}}, *entities[1:]], content


def send_unpublished_entity(entities: Entities, content: Content) -> tuple[Entities, Content]:
    """Attach an entity whose schema nobody has published."""
    return [*entities, {"schema": UNPUBLISHED, "data": {"name": "pricing-page", "variant": "b"}}], content


def forget_email(entities: Entities, content: Content) -> tuple[Entities, Content]:
    """Leave out a field that the schema requires."""

    def strip(entity: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in entity["data"].items() if name != "email"}
        return {**entity, "data": kept} if entity["schema"] == USER else entity

    return [strip(entity) for entity in entities], content


def send_number_as_text(entities: Entities, content: Content) -> tuple[Entities, Content]:
    """Send a text where the schema wants an integer."""
    return entities, {**content, "pages": f"{content['pages']} pages"}


MISTAKES: dict[Callable[[Entities, Content], tuple[Entities, Content]], Callable[[Entities, Content], bool]] = {
    lose_page_view_id: lambda entities, content: True,
    send_unpublished_entity: lambda entities, content: True,
    forget_email: lambda entities, content: any(entity["schema"] == USER for entity in entities),
    send_number_as_text: lambda entities, content: "pages" in content,
}
"""Each mistake, and the events that it can happen to."""
