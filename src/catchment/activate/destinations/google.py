"""Google's audiences (Google Ads, Display & Video 360) through the Data Manager API."""

from functools import partial
from typing import Any, ClassVar, Literal

import httpx
import polars as pl
from pydantic import Field, PrivateAttr, SecretStr

from catchment.activate import hashing
from catchment.activate.caller import Caller, Unanswered, read_object
from catchment.activate.definition import Sync, near
from catchment.activate.destination import (
    LEFT_OUT,
    SENT,
    Batch,
    Job,
    Limits,
    Outcome,
    Pace,
    Refused,
    Target,
    WebDestination,
    missing,
)
from catchment.errors import DefinitionError

NORMALISE: dict[str, hashing.Rule] = {
    "email": hashing.google_email,
    "phone": hashing.phone_e164,
    "first_name": hashing.trimmed,
    "last_name": hashing.trimmed,
    "country": hashing.country,
    "postal_code": hashing.as_is,
}
PLAIN = {"country", "postal_code"}
ADDRESS = {
    "first_name": "givenName",
    "last_name": "familyName",
    "country": "regionCode",
    "postal_code": "postalCode",
}
Consent = Literal["granted", "denied"]


class _GoogleTarget(Target):
    account_id: str = Field(pattern=r"^\d+$", description="The customer id of the account that owns the list.")
    account_type: Literal["GOOGLE_ADS", "DISPLAY_VIDEO_PARTNER", "DISPLAY_VIDEO_ADVERTISER"] = "GOOGLE_ADS"
    login_account_id: str | None = Field(default=None, pattern=r"^\d+$", description="The manager account, if any.")
    list_id: str = Field(pattern=r"^\d+$", description="The id of the Customer Match list.")
    ad_user_data: Consent = Field(description="Whether all of them agreed that their data go to Google for ads.")
    ad_personalization: Consent = Field(description="Whether all of them agreed to personalised ads.")


class Google(WebDestination):
    """A Customer Match list: people are added and removed by what Google can match, normalised and hashed here."""

    identifiers: ClassVar[tuple[str, ...]] = ("email", "phone", "first_name", "last_name", "country", "postal_code")
    target_kind: ClassVar[type[Target]] = _GoogleTarget
    batch_limits: ClassVar[Limits] = Limits(rows=10_000)
    pace: ClassVar[Pace] = Pace(requests=300, per_s=60, concurrent=4)
    tells_rows: ClassVar[bool] = False

    url: str = Field(default="https://datamanager.googleapis.com", description="The address of the API.")
    token_url: str = Field(default="https://oauth2.googleapis.com/token", description="Where access tokens come from.")
    client_id: str = Field(description="Of an OAuth client.")
    client_secret: SecretStr = Field(description="Of the same.")
    refresh_token: SecretStr = Field(description="With the scope https://www.googleapis.com/auth/datamanager.")
    _session: dict[str, str] = PrivateAttr(default_factory=dict)

    def accept(self, sync: Sync) -> None:
        """Agree to what Google can match; it holds nothing else, and an address only whole."""
        super().accept(sync)
        names = {*sync.identifiers, *sync.fields}
        for name in names - set(NORMALISE):
            raise DefinitionError(f"{sync.file}: Google has no '{name}'.", hint=near(name, NORMALISE))
        if names & set(ADDRESS) and not set(ADDRESS) <= names:
            lacks = ", ".join(sorted(set(ADDRESS) - names))
            raise DefinitionError(f"{sync.file}: fields: an address takes {lacks} too.", hint="Map all four or none.")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Normalise and hash; an address that is not whole is none."""
        names = [*sync.identifiers, *sync.fields]
        rows = rows.with_columns(_hash(rows[name], name) for name in names)
        if set(ADDRESS) <= set(names):
            whole = pl.all_horizontal(pl.col(name).is_not_null() for name in ADDRESS)
            rows = rows.with_columns(pl.when(whole).then(pl.col(name)).alias(name) for name in ADDRESS)
        return rows.with_columns(missing(any_of=names).alias(LEFT_OUT))

    def identity(self, sync: Sync) -> list[str]:
        """Name every key: Google knows a person by them alone, so who changes is removed and added."""
        return [*sync.identifiers, *sync.fields]

    def send(self, batch: Batch, caller: Caller) -> Job:
        """Add or remove people; Google says later how many it took."""
        target = self.target(batch.sync, _GoogleTarget)
        body: dict[str, Any] = {
            "destinations": [_destination(target)],
            "audienceMembers": [{"userData": {"userIdentifiers": _identifiers(row)}} for row in batch.rows],
            "encoding": "HEX",
        }
        if batch.operation == "upsert":
            body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
            body["consent"] = {
                "adUserData": f"CONSENT_{target.ad_user_data.upper()}",
                "adPersonalization": f"CONSENT_{target.ad_personalization.upper()}",
            }
        verb = "ingest" if batch.operation == "upsert" else "remove"
        answer = self._call(caller, "POST", f"v1/audienceMembers:{verb}", place=batch.sync.file, json=body)
        if "requestId" not in answer:
            raise Unanswered("an answer without a requestId", code="200")
        return Job(answer["requestId"])

    def poll(self, job: Job, batch: Batch, caller: Caller) -> list[Outcome] | None:
        """Ask how many it took; which ones it took, it never says."""
        asked = {"requestId": job.id}
        answer = self._call(caller, "GET", "v1/requestStatus:retrieve", place=batch.sync.file, params=asked)
        (told,) = answer.get("requestStatusPerDestination") or [{}]
        status = str(told.get("requestStatus", "PROCESSING"))
        if status == "SUCCESS":
            return [SENT] * len(batch.rows)
        counts = (told.get("errorInfo") or {}).get("errorCounts") or []
        reason = ", ".join(f"{count.get('recordCount')} {count.get('reason')}" for count in counts)
        if status == "PARTIAL_SUCCESS":
            said = f"Google took these {len(batch.rows)} but for {reason}, and does not say which"
            return [Outcome("sent", status, said)] * len(batch.rows)
        if status == "FAILED":
            return [Outcome("rejected", status, reason or "Google took none and gave no reason")] * len(batch.rows)
        return None

    def ask(self, caller: Caller) -> None:
        """Ask for an access token."""
        self._sign_in(caller)

    def _sign_in(self, caller: Caller) -> None:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value(),
        }
        response = caller.request("POST", self.token_url, data=form)
        body = read_object(response)
        if response.status_code in (400, 401, 403):
            which = "refresh_token" if body.get("error") == "invalid_grant" else "client_secret"
            raise self.refused_key(which, f"{body.get('error')}: {body.get('error_description')}")
        if response.status_code != 200 or "access_token" not in body:
            raise self.unexpected(response)
        self._session["token"] = body["access_token"]

    def _call(self, caller: Caller, method: str, path: str, *, place: str, **parts: Any) -> dict[str, Any]:
        """Call with the token at hand; one that has run out is renewed, once."""
        ask = partial(self._ask_once, caller, method, f"{self.url}/{path}", parts)
        response = ask()
        if response.status_code == 401:
            self._session.clear()
            response = ask()
        body = read_object(response)
        if response.status_code == 200:
            return body
        error = body.get("error") if isinstance(body.get("error"), dict) else {}
        said = _said(error or {}) or response.reason_phrase
        if response.status_code == 401:
            raise self.refused_key("refresh_token", said)
        if response.status_code in (403, 404):
            raise DefinitionError(
                f"{place}: Google refused the request: {said}",
                hint="Check target.account_id and list_id, and that who gave the refresh token may use that account.",
            )
        if response.status_code == 400:
            raise Refused(said, code=str((error or {}).get("status", 400)))
        raise self.unexpected(response)

    def _ask_once(self, caller: Caller, method: str, url: str, parts: dict[str, Any]) -> httpx.Response:
        if not self._session:
            self._sign_in(caller)
        return caller.request(method, url, headers={"Authorization": f"Bearer {self._session['token']}"}, **parts)


def _destination(target: _GoogleTarget) -> dict[str, Any]:
    own = {"accountType": target.account_type, "accountId": target.account_id}
    login = {"accountType": target.account_type, "accountId": target.login_account_id}
    given = {} if target.login_account_id is None else {"loginAccount": login}
    return {"operatingAccount": own, **given, "productDestinationId": target.list_id}


def _identifiers(row: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if row.get("email"):
        found.append({"emailAddress": row["email"]})
    if row.get("phone"):
        found.append({"phoneNumber": row["phone"]})
    if all(row.get(name) for name in ADDRESS):
        found.append({"address": {theirs: row[ours] for ours, theirs in ADDRESS.items()}})
    return found


def _said(error: dict[str, Any]) -> str:
    violations = [
        f"{violation.get('field')}: {violation.get('description')}"
        for detail in error.get("details") or []
        for violation in detail.get("fieldViolations") or []
    ]
    return "; ".join(violations[:3]) or str(error.get("message") or "")


def _hash(values: pl.Series, name: str) -> pl.Series:
    change = hashing.normalise_column if name in PLAIN else hashing.hash_column
    return change(values, NORMALISE[name])
