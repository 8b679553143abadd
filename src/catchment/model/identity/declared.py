"""What identifies somebody, as the settings declare it: the strongest identifier first."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from catchment.model.identity.probable import Matching

PLACE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
TRAITS = "traits"
"""`traits.email` is wherever `model.traits` says that e-mail addresses are told; nowhere where it says nothing."""

BLOCKED = (
    *("-1", "null", "none", "nil", "nan", "n/a", "na", "undefined", "unknown", "anonymous", "anon", "guest"),
    *("true", "false", "(not set)", "[object object]", "not available", "unavailable", "default", "empty"),
)
"""Words that trackers send where there is no identifier."""

BLOCKED_PATTERNS = (
    "^[0 .:_{}-]*$",  # nothing but zeros and what parts them
    "^no-?reply@",
    "^do-?not-?reply@",
)
_SNOWPLOW = "contexts_com_snowplowanalytics_"


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _is_text_of_sql(value: str) -> bool:
    return not re.search(r"['\"\\]", value)


class Identifier(BaseModel):
    """One kind of identifier: where events tell it, and how far it is to be believed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="Its kind, as it stands in the tables.")
    sources: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        min_length=1,
        description="Where it is told: a column of `events`, COLUMN.FIELD of an entity or of an event's own data, or "
        "`traits.NAME` of `model.traits`; of several the first that tells one.",
    )
    hashed_sources: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        default=[], description="Where it is told as a SHA-256 already; needs `hash: true`."
    )
    aliases: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        default=[],
        description="Where the same event tells another value of this kind, as `refr_domain_userid` does of the site "
        "the visitor came from; the two are linked.",
    )
    normalise: Literal["none", "trim", "lower", "email", "phone"] = Field(
        default="trim",
        description="How spellings become one: `lower` trims too; `email` and `phone` drop what is neither.",
    )
    hash: bool = Field(default=False, description="Keep its SHA-256 in place of the value.")
    limit: int | None = Field(
        default=None,
        ge=1,
        description="So many values a person may have; what would bring more joins nobody. 1 is unique: two of its "
        "values are two people. Null is no limit.",
    )
    shared: Literal["last", "first", "apart"] = Field(
        default="last",
        description="Whose it is when it was seen with several values of a unique identifier: theirs who used it last "
        "or first, or nobody's.",
    )
    blocked: list[str] = Field(default=[], description="Values that are none, beside `identity.blocked`; lower case.")
    blocked_patterns: list[str] = Field(
        default=[], description="A value with a match of one of these regular expressions, in lower case, is none."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Identifier":
        for place in [*self.sources, *self.hashed_sources, *self.aliases]:
            if not PLACE.fullmatch(place):
                raise ValueError(
                    f"'{place}' is neither COLUMN nor COLUMN.FIELD, such as contexts_com_acme_user_1.email"
                )
        if self.hashed_sources and not self.hash:
            raise ValueError(f"hashed_sources of '{self.name}' need `hash: true`, or hashes would meet plain values")
        _check_blocked(self.name, self.blocked, self.blocked_patterns)
        return self


def _check_blocked(owner: str, values: list[str], patterns: list[str]) -> None:
    for value in [*values, *patterns]:
        if not _is_text_of_sql(value):
            raise ValueError(f"'{value}', blocked of '{owner}', holds a quote or a backslash; write [.] for a dot")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"'{pattern}', blocked of '{owner}', is no regular expression: {error}") from error


def usual_identifiers() -> list[Identifier]:
    """Name what identifies somebody unless settings say otherwise: the login, the e-mail address, devices, cookies."""
    mobile = f"{_SNOWPLOW}snowplow_mobile_context_1"
    return [
        Identifier(name="user_id", sources=["user_id"], limit=1),
        Identifier(name="email", sources=["traits.email"], normalise="email", hash=True, limit=5),
        Identifier(name="idfv", sources=[f"{mobile}.apple_idfv"], normalise="lower", limit=100),
        Identifier(
            name="idfa", sources=[f"{mobile}.apple_idfa", f"{mobile}.android_idfa"], normalise="lower", limit=100
        ),
        Identifier(
            name="client_id", sources=[f"{_SNOWPLOW}snowplow_client_session_1.user_id"], normalise="lower", limit=1000
        ),
        Identifier(name="domain_userid", sources=["domain_userid"], normalise="none", limit=1000),
    ]


class NewLinks(BaseModel):
    """A limit on new links within a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    links: int = Field(ge=1, description="So many are believed, of each kind.")
    days: int = Field(default=1, ge=1, description="Within so many days, at any hour.")


class IdentitySettings(BaseModel):
    """How identifiers that are seen together become people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identifiers: list[Identifier] = Field(
        default=usual_identifiers(),
        min_length=1,
        description="The strongest first; `domain_userid` must be among them, for people are made of its sessions.",
    )
    blocked: list[str] = Field(default=list(BLOCKED), description="Values that identify nobody; lower case.")
    blocked_patterns: list[str] = Field(
        default=list(BLOCKED_PATTERNS),
        description="A value with a match of one of these regular expressions, in lower case, identifies nobody.",
    )
    max_links: int = Field(
        default=1000,
        ge=1,
        description="So many values of each kind an identifier is linked to, by the time they came; more are logged, "
        "and join nobody.",
    )
    burst: NewLinks | None = Field(
        default=None,
        description="How many new links to values of a kind an identifier may get in how many days; more are logged, "
        "and join nobody, such as those of a kiosk or of a robot. Null is no such limit.",
    )
    rules: str | None = Field(
        default="identity.yml", description="File of the project with pairs that are never, or always, one person."
    )

    links: str | None = Field(
        default=None,
        pattern="^[a-z_][a-z0-9_]*$",
        description="Table of the lake with probable links, found by Splink for example: kind_a, value_a, kind_b, "
        "value_b (as identity spells them) and score. They join after what was seen, the likeliest first.",
    )
    min_score: float = Field(default=0.95, ge=0, le=1, description="Links that are less probable join nobody.")
    matching: Matching | None = Field(
        default=None, description="How Splink finds probable links, which go to the table that `links` names."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "IdentitySettings":
        names = [identifier.name for identifier in self.identifiers]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"identifiers are named twice: {', '.join(sorted(twice))}")
        if "domain_userid" not in names:
            raise ValueError("identifiers must have `domain_userid`: people are made of the sessions of cookies")
        if self.matching is not None:
            self._check_matching(self.matching, names)
        _check_blocked("identity", self.blocked, self.blocked_patterns)
        return self

    def _check_matching(self, matching: Matching, names: list[str]) -> None:
        if self.links is None:
            raise ValueError("matching needs a table to write to: set `links: identity_links`")
        for records in matching.records:
            if records.identifier not in names:
                known = ", ".join(names)
                raise ValueError(f"matching: '{records.identifier}' is none of the identifiers, which are {known}")

    def identifier(self, name: str) -> Identifier | None:
        """Give the identifier of that kind, None where none is declared."""
        return next((each for each in self.identifiers if each.name == name), None)
