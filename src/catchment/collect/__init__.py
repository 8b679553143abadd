"""Bytes become payloads, durably.

In: HTTP requests of trackers and webhooks.
Out: payloads in a log (`tables.PAYLOADS`), each durable before its request is answered with 200.
"""

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

REDIRECT_PATH = "/r/tp2"
P3P = 'policyref="/w3c/p3p.xml", CP="NOI DSP COR NID PSA OUR IND COM NAV STA"'


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BounceSettings(_Block):
    """Find out by one redirect whether a browser keeps the cookie, before it counts as a new visitor."""

    enabled: bool = False
    marker: str = Field(default="n3pc", pattern=r"^[A-Za-z0-9_.~-]+$", description="Added to the query string.")
    fallback_network_userid: str = Field(
        default="00000000-0000-4000-A000-000000000000", description="Of browsers that keep no cookie."
    )


class CookieSettings(_Block):
    """The visitor cookie that carries `network_userid`."""

    enabled: bool = True
    name: str = Field(default="sp", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    client_name: str | None = Field(
        default=None,
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        description="A second cookie of the same value that scripts may read.",
    )
    expires_days: int = 365
    path: str = Field(default="/", pattern=r"^/[^;,\s]*$")
    domains: list[str] = Field(default=[], description="First entry that is the Origin's host or a parent of it.")
    fallback_domain: str | None = None
    secure: bool = True
    http_only: bool = True
    same_site: Literal["None", "Lax", "Strict"] = "None"
    bounce: BounceSettings = BounceSettings()

    @model_validator(mode="after")
    def _is_one_that_browsers_keep(self) -> Self:
        if self.same_site == "None" and not self.secure:
            raise ValueError("browsers drop a cookie with same_site None that is not secure; use Lax")
        return self


class DoNotTrackSettings(_Block):
    """The cookie by which a visitor refuses: such a request is answered as ever, and nothing of it is kept."""

    name: str
    value: str = Field(default=".*", description="A regular expression that the whole value must match.")

    @field_validator("value")
    @classmethod
    def _is_a_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class RedirectSettings(_Block):
    """Count clicks on links to elsewhere (`/r/tp2?u=...`), and only to hosts listed: others could misuse it."""

    enabled: bool = False
    hosts: list[str] = Field(
        default=[], description="Where a redirect may lead; `*.acme.com` stands for every host below acme.com."
    )
    macro: str = Field(default="${SP_NUID}", description="Replaced in the target by the visitor's network_userid.")

    @model_validator(mode="after")
    def _names_where_it_may_lead(self) -> Self:
        if self.enabled and not self.hosts:
            raise ValueError("redirects need hosts, the list of where they may lead: hosts: [www.acme.com]")
        return self


class CrossDomainSettings(_Block):
    """The policy file that Flash asked for."""

    enabled: bool = False
    domains: list[str] = ["*"]
    secure: bool = True


class RootSettings(_Block):
    """What `/` answers; without it, 404."""

    status: int = Field(default=200, ge=200, le=599)
    headers: dict[str, str] = {}
    body: str = ""


class CollectSettings(_Block):
    """The collector: where it listens, what it accepts and where it keeps payloads."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = Field(default=1, gt=0, description="Processes that answer; the limits below are for each.")
    cookie: CookieSettings = CookieSettings()
    do_not_track: DoNotTrackSettings | None = None
    redirect: RedirectSettings = RedirectSettings()
    paths: dict[str, str] = Field(
        default={}, description="Paths of your own, each with the path that it stands for: /shop/hello: /i"
    )
    write_keys: dict[str, SecretStr] = Field(
        default={},
        description="Write keys that Segment's and RudderStack's SDKs may send, each under the name of its source, "
        "which becomes app_id: site: ${SITE_WRITE_KEY}. Without any, every key is taken.",
    )
    cross_domain: CrossDomainSettings = CrossDomainSettings()
    root: RootSettings | None = None
    p3p: str | None = Field(default=P3P, description="The P3P header of answers to trackers.")
    trust_forwarded: bool = Field(
        default=True,
        description="Read the visitor's address from X-Forwarded-For, Forwarded or X-Real-IP; false without a proxy.",
    )
    max_body_bytes: int = Field(
        default=1_048_576,
        gt=0,
        description="A larger body becomes a failed event, answered with 200; so does one that is larger unpacked.",
    )
    max_held_bytes: int = Field(
        default=67_108_864, gt=0, description="Bodies held at once; what is above is answered with 503."
    )
    max_connections: int = Field(default=1024, gt=0, description="Connections at once; more wait to be accepted.")
    body_timeout_s: float = Field(default=25.0, gt=0, description="A body that takes longer is answered with 408.")
    idle_timeout_s: float = Field(
        default=75.0, gt=0, description="For one request's headers, and between two; more than your load balancer's."
    )
    drain_s: float = Field(
        default=0.0,
        ge=0,
        description="When told to stop: seconds of 503 from /health, for load balancers to turn away, before it stops.",
    )
    preflight_max_age_s: int = Field(default=3600, ge=-1, description="-1 forbids browsers to remember.")
    preflight_headers: list[str] = Field(
        default=["Content-Type", "SP-Anonymous"], description="Headers that scripts of other sites may send."
    )
    log: dict[str, Any] = Field(
        default={"type": "spool", "folder": ".catchment/spool"},
        description="Where payloads wait for enrichment: a 'type' and the fields of that plugin.",
    )

    @field_validator("paths")
    @classmethod
    def _are_paths(cls, paths: dict[str, str]) -> dict[str, str]:
        for path in [*paths, *paths.values()]:
            if not re.fullmatch(r"(/[^/?#]+)+", path):
                raise ValueError(f"{path!r} is not a path such as /shop/hello")
        for path, target in paths.items():
            if target.count("/") != 2 and target != "/i":
                raise ValueError(f"{path} stands for {target!r}; it can stand for /i or a path of two parts")
        return paths

    @model_validator(mode="after")
    def _names_where_mapped_redirects_may_lead(self) -> Self:
        if REDIRECT_PATH in self.paths.values() and not self.redirect.hosts:
            raise ValueError(f"paths lead to {REDIRECT_PATH}, so redirect.hosts must list where redirects may lead")
        return self
