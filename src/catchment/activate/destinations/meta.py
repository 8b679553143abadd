"""Meta (Facebook, Instagram) custom audiences, through hashed identifiers."""

from typing import Any, ClassVar

import httpx
import orjson
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate import hashing
from catchment.activate.caller import Caller, read_json
from catchment.activate.definition import Sync, near
from catchment.activate.destination import (
    LEFT_OUT,
    SENT,
    Batch,
    Limits,
    Outcome,
    Refused,
    Target,
    WebDestination,
    missing,
)
from catchment.errors import DefinitionError

LATER = {1, 2, 4, 17, 32, 341, 368, 613, 5000, 21009, *range(80000, 80015)}
KEY_REFUSED = {10, 102, 190, 200, 294}


USAGE_HEADERS = ("x-business-use-case-usage", "x-app-usage", "x-ad-account-usage")
SHARES = ("call_count", "total_cputime", "total_time", "acc_id_util_pct")
SPENT = 95.0
"""Per cent of a budget, at which Meta may refuse the next call."""
PAUSE_S = 60.0


class _MetaTarget(Target):
    audience_id: str = Field(pattern=r"^\d+$", description="The id of the custom audience in Ads Manager.")


class Meta(WebDestination):
    """A Meta custom audience: people are added and removed by what Meta can match, normalised and hashed here."""

    batch_limits: ClassVar[Limits] = Limits(rows=10_000)
    target_kind: ClassVar[type[Target]] = _MetaTarget

    url: str = Field(default="https://graph.facebook.com", description="The address of the Graph API.")
    access_token: SecretStr = Field(description="A token with ads_management on the ad account.")
    version: str = Field(default="v25.0", pattern=r"^v\d+\.\d+$", description="Version of the Graph API.")

    def accept(self, sync: Sync) -> None:
        """Agree to keys that Meta can match; Meta holds nothing else."""
        super().accept(sync)
        for name in [*sync.identifiers, *sync.fields]:
            if name not in NORMALISE:
                raise DefinitionError(f"{sync.file}: Meta has no key '{name}'.", hint=near(name, NORMALISE))

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Normalise and hash, once for each distinct value; an identifier that cannot be normalised is none."""
        names = [*sync.identifiers, *sync.fields]
        identifiers = list(sync.identifiers)
        given = ~pl.all_horizontal(pl.col(name).is_null() for name in identifiers)
        rows = rows.with_columns(given.alias("_given")).with_columns(_hash(rows[name], name) for name in names)
        nothing = missing(any_of=identifiers)
        invalid = pl.when(pl.col("_given") & nothing.is_not_null()).then(
            pl.lit(f"not valid: {' or '.join(identifiers)}")
        )
        return rows.with_columns(pl.coalesce(invalid, nothing).alias(LEFT_OUT)).drop("_given")

    def identity(self, sync: Sync) -> list[str]:
        """Name every key: Meta knows a person by them alone, so who changes is removed and added."""
        return [*sync.identifiers, *sync.fields]

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Add or remove people; Meta only counts what was invalid, so a batch with invalid entries is halved."""
        schema = list(dict.fromkeys(name for row in batch.rows for name in row))
        data = [[row.get(name) or "" for name in schema] for row in batch.rows]
        form = {"payload": orjson.dumps({"schema": schema, "data": data}).decode()}
        audience_id = self.target(batch.sync, _MetaTarget).audience_id
        method = "POST" if batch.operation == "upsert" else "DELETE"
        body = self._call(method, f"{audience_id}/users", caller, place=batch.sync.file, data=form)
        invalid = int(body.get("num_invalid_entries") or 0)
        if invalid or body.get("num_received") != len(data):
            samples = body.get("invalid_entry_samples")
            raise Refused(f"{invalid} invalid of {body.get('num_received')} received, such as {samples}", code="200")
        return [SENT] * len(data)

    def wait_s(self, response: httpx.Response) -> float | None:
        """Read Meta's usage headers: how long until there is access again, once a budget is spent."""
        usages = [usage for name in USAGE_HEADERS for usage in _usages(response.headers.get(name))]
        minutes = [float(usage.get("estimated_time_to_regain_access") or 0) for usage in usages]
        is_spent = any(float(usage.get(share) or 0) >= SPENT for usage in usages for share in SHARES)
        return max(minutes, default=0.0) * 60 or (PAUSE_S if is_spent else None)

    def ask(self, caller: Caller) -> None:
        """Ask who we are."""
        self._call("GET", "me", caller, place=self.place)

    def _call(self, method: str, path: str, caller: Caller, *, place: str, **parts: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.access_token.get_secret_value()}"}
        url = f"{self.url}/{self.version}/{path}"
        response = caller.request(method, url, again=_is_later, headers=headers, **parts)
        body = read_json(response)
        error = body.get("error") if isinstance(body, dict) else None
        if response.status_code == 200 and error is None:
            return dict(body)
        if not isinstance(error, dict):
            raise self.unexpected(response)
        said = f"code {error.get('code')}: {error.get('message')}"
        if error.get("code") in KEY_REFUSED:
            raise self.refused_key("access_token", said)
        raise DefinitionError(
            f"{place}: Meta refused the request: {said}",
            hint="Check target.audience_id and that the token may manage it.",
        )


def _usages(header: str | None) -> list[dict[str, Any]]:
    """Read what one header says: one usage, or a list of them for each account."""
    try:
        said = orjson.loads(header or b"{}")
    except orjson.JSONDecodeError:
        return []
    accounts = [usages for usages in said.values() if isinstance(usages, list)] if isinstance(said, dict) else []
    return [said, *(usage for usages in accounts for usage in usages)] if isinstance(said, dict) else []


def _is_later(response: httpx.Response) -> bool:
    if response.status_code < 400:
        return False
    body = read_json(response)
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and (error.get("code") in LATER or error.get("is_transient") is True)


NORMALISE: dict[str, hashing.Rule] = {
    "EMAIL": hashing.email,
    "PHONE": hashing.phone_digits,
    "GEN": hashing.gender,
    "DOBY": hashing.padded(4),
    "DOBM": hashing.padded(2),
    "DOBD": hashing.padded(2),
    "FN": hashing.name,
    "LN": hashing.name,
    "FI": hashing.initial,
    "CT": hashing.place,
    "ST": hashing.place,
    "ZIP": hashing.postal_code,
    "COUNTRY": hashing.country,
    "MADID": hashing.trimmed,
    "EXTERN_ID": hashing.as_is,
}
PLAIN = {"MADID", "EXTERN_ID"}


def _hash(values: pl.Series, key: str) -> pl.Series:
    change = hashing.normalise_column if key in PLAIN else hashing.hash_column
    return change(values, NORMALISE[key])
