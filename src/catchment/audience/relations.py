"""What audiences are drawn from: parents, the tables related to them, and their events, as settings declare them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Declared(BaseModel):
    """What these blocks share."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Parent(Declared):
    """A table whose rows an audience may be drawn from, for example people or accounts."""

    key: str = Field(default="person_id", description="Its unique column; members are told apart by it.")


class Relation(Declared):
    """A table whose rows belong to a parent's rows, directly or through another relation."""

    table: str = Field(default="", description="The table; by default the relation's own name.")
    parent: str = Field(default="people", description="The parent its rows belong to.")
    on: dict[str, str] = Field(
        default={},
        description="Its columns, and those of the parent (or of `through`) that they equal; else the parent's key.",
    )
    through: str = Field(default="", description="Another relation by whose rows it belongs to the parent.")
    cardinality: Literal["one", "many"] = Field(
        default="many", description="one: its columns are compared as `RELATION.COLUMN`. many: its rows are counted."
    )

    @model_validator(mode="before")
    @classmethod
    def _reads_on(cls, told: Any) -> Any:
        """YAML reads the bare word `on` as true; here it is a key."""
        return (
            {("on" if key is True else key): value for key, value in told.items()} if isinstance(told, dict) else told
        )


USUAL = {"people_traits": Relation(cardinality="one", on={"person_id": "person_id"})}
"""Relations of Catchment's own tables that need no declaring: a computed trait is `people_traits.NAME`."""


class EventSource(Declared):
    """Where a parent's events are, for the conditions `event` and `sequence`."""

    table: str = "events"
    name: str = Field(default="event_name", description="The column with the event's name.")
    tstamp: str = Field(default="derived_tstamp", description="The column that says when it happened.")
    id: str = Field(
        default="event_id", description="The column by which an event that came twice counts once; may be ''."
    )
    key: str = Field(default="domain_userid", description="The column that tells whose event it is.")
    mapping: str = Field(
        default="user_mapping",
        description="A table from `key` to the parent's key; who is not in it is called by `key` itself. May be ''.",
    )


class Suppression(Declared):
    """Who is held back from destinations whatever audience they are in; rules are applied when a sync runs."""

    everywhere: list[str] = Field(default=[], description="Audiences whose members no destination may be sent.")
    only: dict[str, str] = Field(
        default={}, description="Destination to audience: nobody else may be sent there, for example who consented."
    )
    consent: dict[str, list[str]] = Field(
        default={},
        description="Destination to purposes: nobody is sent there who has not granted each of them, by the table "
        "`consents` as it stands when the sync runs.",
    )
    never: dict[str, list[str]] = Field(
        default={}, description="Destination to audiences whose members may not be sent there."
    )
