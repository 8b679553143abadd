"""Events become page views, sessions, people and features, by dbt.

In: `events` of the lake.
Out: derived Delta tables: page_views, sessions, users, user_mapping, conversions, people,
    first_touch_features, people_traits, consents; who is who: identity_identifiers, identity_edges, identity_history,
    identity_merges, identity_conflicts, identity_changes; and what keeps a build short: visit_days, user_traits,
    consent_statements, model_builds.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from catchment.model.identity.declared import IdentitySettings


class Conversion(BaseModel):
    """A declared conversion: which events count, and what each is worth."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="Also part of column names: cv_NAME_total.")
    condition: str = Field(description="SQL over columns of `events`, portable between DuckDB and Spark.")
    value: str | None = Field(default=None, description="SQL expression for the value of one conversion.")
    default_value: float = 0


class ToldTrait(BaseModel):
    """A column of `people` that events tell, in several places or more than once, and what of it survives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        min_length=1, description="Columns of `events`, or ENTITY_COLUMN.FIELD."
    )
    keep: Literal["last", "first", "most_frequent", "source"] = Field(
        default="last",
        description="What was told last, or first, or on most days, or by the first of `sources`; then last.",
    )


class ModelSettings(BaseModel):
    """What the models count and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversions: list[Conversion] = []
    heartbeat_s: int = Field(default=10, description="Seconds between page pings, as the tracker is set.")
    min_visit_length_s: int = Field(default=5, description="Seconds before the first page ping, as the tracker is set.")
    days_late_allowed: int = Field(
        default=3, description="An event that was sent so many days after it happened is no longer counted."
    )
    max_session_days: int = Field(
        default=3, description="A session ends so many days after it began, however long its id is kept."
    )
    bot_pattern: str = Field(
        default="bot|crawl|slurp|spider|archiv|spinn|sniff|survey|pingdom|headless|phantomjs|browsershots|screenshots"
        "|semalt|facebookexternalhit|audit|captur|analyz|lighthouse",
        description="A user agent that holds a match of this regular expression, in lower case, is a robot's.",
    )
    traits: dict[str, str | ToldTrait] = Field(
        default={},
        description="Columns of `people` and where they are told: a column of `events`, or ENTITY_COLUMN.FIELD; or "
        "several of them as `sources`, and which value survives as `keep`.",
    )
    trait_files: str | None = Field(
        default="traits", description="Folder of the project with files of computed traits, columns of `people_traits`."
    )
    identity: IdentitySettings = Field(default=IdentitySettings(), description="Which identifiers make people.")
    page_view_id: str = Field(
        default="contexts_com_snowplowanalytics_snowplow_web_page_1.id",
        description="What names a page view: a column of `events`, or ENTITY_COLUMN.FIELD.",
    )
    user_models: str | None = Field(default="models", description="Folder of the project with dbt models of its own.")
    user_macros: str | None = Field(
        default="macros", description="Folder of the project with dbt macros; one of ours of the same name gives way."
    )

    def told_traits(self) -> dict[str, ToldTrait]:
        """Give the traits, those in short form written out."""
        return {
            name: ToldTrait(sources=[trait]) if isinstance(trait, str) else trait for name, trait in self.traits.items()
        }
