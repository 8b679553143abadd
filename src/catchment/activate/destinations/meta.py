"""Meta (Facebook, Instagram) custom audiences, through hashed identifiers."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, ClassVar

import httpx
import orjson
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json
from catchment.activate.definition import Sync, near
from catchment.activate.destination import LEFT_OUT, SENT, Batch, Destination, Outcome, Refused, Target, missing
from catchment.errors import DefinitionError

HASHED = re.compile(r"[0-9a-f]{64}")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
LATER = {1, 2, 4, 17, 32, 341, 368, 613, 5000, 21009, *range(80000, 80015)}
KEY_REFUSED = {10, 102, 190, 200, 294}


class _MetaTarget(Target):
    audience_id: str = Field(pattern=r"^\d+$", description="The id of the custom audience in Ads Manager.")


class Meta(Destination):
    """A Meta custom audience: people are added and removed by what Meta can match, normalised and hashed here."""

    batch_size: ClassVar[int] = 10_000
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


def _is_later(response: httpx.Response) -> bool:
    if response.status_code < 400:
        return False
    body = read_json(response)
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and (error.get("code") in LATER or error.get("is_transient") is True)


def _hash(values: pl.Series, key: str) -> pl.Series:
    known = {value: _hash_value(str(value), key) for value in values.unique().drop_nulls().to_list()}
    return pl.Series(values.name, [known.get(value) for value in values.to_list()], dtype=pl.String)


def _hash_value(value: str, key: str) -> str | None:
    if key in PLAIN:
        return NORMALISE[key](value)
    if HASHED.fullmatch(value):
        return value
    normal = NORMALISE[key](value)
    return sha256(normal.encode()).hexdigest() if normal else None


def _email(value: str) -> str | None:
    address = value.strip().lower()
    return address if EMAIL.fullmatch(address) else None


def _phone(value: str) -> str:
    return re.sub(r"\D", "", value).lstrip("0")


def _name(value: str) -> str:
    return re.sub(r"[^\w\s]|_", "", value).strip().lower()


def _place(value: str) -> str:
    return re.sub(r"[\W_]", "", value).lower()


def _gender(value: str) -> str | None:
    letter = value.strip().lower()[:1]
    return letter if letter in ("m", "f") else None


def _zip(value: str) -> str:
    return re.sub(r"\s", "", value).lower().split("-")[0]


def _country(value: str) -> str | None:
    code = value.strip().lower()
    return code if re.fullmatch(r"[a-z]{2}", code) else None


def _number(length: int) -> Callable[[str], str | None]:
    return lambda value: value.strip().zfill(length) if value.strip().isdigit() else None


NORMALISE: dict[str, Callable[[str], str | None]] = {
    "EMAIL": _email,
    "PHONE": _phone,
    "GEN": _gender,
    "DOBY": _number(4),
    "DOBM": _number(2),
    "DOBD": _number(2),
    "FN": _name,
    "LN": _name,
    "FI": lambda value: _name(value)[:1],
    "CT": _place,
    "ST": _place,
    "ZIP": _zip,
    "COUNTRY": _country,
    "MADID": lambda value: value.strip().lower(),
    "EXTERN_ID": lambda value: value,
}
PLAIN = {"MADID", "EXTERN_ID"}
