"""An Iglu registry over HTTP: an Iglu Server, Iglu Central, or any web server that keeps such a folder."""

import time
import weakref
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import Field, PrivateAttr, SecretStr, field_validator

from catchment.errors import RegistryUnavailable
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.registry import Registry, Schema

_LARGEST_ANSWER = 2**20
_PAUSE_S = 0.2
_NOT_HERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NO_LIST = frozenset({*_NOT_HERE, HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED})
_PROBE = SchemaKey("com.snowplowanalytics.self-desc", "schema", "jsonschema", SchemaVer(1, 0, 0))


class Iglu(Registry):
    """An Iglu registry over HTTP: an Iglu Server, Iglu Central, or any web server that keeps such a folder.

    Where it does not answer the batch waits. A schema that was known before goes on being used meanwhile.
    """

    url: str = Field(description="What comes before /schemas: http://iglucentral.com, https://iglu.acme.example/api.")
    api_key: SecretStr | None = Field(default=None, description="Sent as the header 'apikey'; ${IGLU_API_KEY}.")
    timeout_s: float = Field(default=5.0, gt=0, description="How long one answer is waited for, from start to end.")
    attempts: int = Field(default=3, ge=1, description="How often it is asked before the batch waits.")

    _client: httpx.Client | None = PrivateAttr(default=None)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError("an address that starts with http:// or https:// was expected")
        return url.rstrip("/").removesuffix("/schemas")

    def find(self, key: SchemaKey, project_folder: Path) -> Schema | None:
        schema = self._ask(key.path, missing=_NOT_HERE)
        if schema is None or isinstance(schema, dict):
            return schema
        raise self._silence(f"it answered {key} with no object")

    def keys(self, project_folder: Path) -> list[SchemaKey]:
        return []

    def versions(self, key: SchemaKey, project_folder: Path) -> list[SchemaKey] | None:
        listed = self._ask(f"{key.vendor}/{key.name}/{key.format}/{key.version.model}", missing=_NO_LIST)
        if not isinstance(listed, list):
            return None
        keys = [SchemaKey.parse(uri) for uri in listed if isinstance(uri, str)]
        return [known for known in keys if known is not None and known.family == key.family]

    def check(self, project_folder: Path) -> None:
        self._ask(_PROBE.path, missing=_NOT_HERE)

    def _ask(self, path: str, *, missing: frozenset[HTTPStatus]) -> Any:
        """Give the JSON that stands at a path, None where the answer is one of `missing`."""
        problem = ""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(_PAUSE_S * 2**attempt)
            try:
                status, body = self._get(path)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                problem = f"it does not answer ({type(error).__name__})"
                continue
            if status in missing:
                return None
            if status == HTTPStatus.OK:
                return self._read(path, body)
            if status in _REFUSED:
                hint = f"Set api_key of the registry {self.url} in catchment.yml to a key that may read its schemas."
                raise RegistryUnavailable(f"The schema registry {self.url} refused our key ({status}).", hint=hint)
            problem = f"it answered {status}"
        raise self._silence(problem)

    def _get(self, path: str) -> tuple[int, bytes]:
        if self._client is None:
            headers = {} if self.api_key is None else {"apikey": self.api_key.get_secret_value()}
            # Redirects could carry the key to another host.
            self._client = httpx.Client(headers=headers, timeout=self.timeout_s, follow_redirects=self.api_key is None)
            weakref.finalize(self, self._client.close)
        ends, body = time.monotonic() + self.timeout_s, b""
        with self._client.stream("GET", f"{self.url}/schemas/{path}") as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise self._silence(f"it answers {path} with more than {_LARGEST_ANSWER:,} bytes")
                if time.monotonic() > ends:
                    raise httpx.ReadTimeout("It answers too slowly.")
            return answer.status_code, body

    def _read(self, path: str, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise self._silence(f"it answered {path} with something else than JSON") from error

    def _silence(self, problem: str) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"The schema registry {self.url} cannot be used: {problem}.",
            hint="Nothing is lost: payloads wait, and go on when it answers. `catchment check` asks it again.",
        )
