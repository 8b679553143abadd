"""Ask a service over HTTP about each event."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from catchment.enrich.lookup import Answer, Ask, Lookup
from catchment.errors import SettingsError, TransientError

_NOT_FOUND = frozenset({204, 404, 410})
_LATER = frozenset({408, 425, 429})


class ApiLookup(Lookup):
    """Ask a service over HTTP about each event, and keep the JSON it answers with as an entity; 404 is no answer."""

    url: str = Field(description="With the inputs in braces: https://api.example/people/{user_id}.")
    method: Literal["GET", "POST", "PUT"] = Field(
        default="GET", description="POST and PUT send the inputs as a JSON object too."
    )
    headers: dict[str, SecretStr] = Field(default={}, description="Such as Authorization: ${TOKEN}.")
    username: str | None = Field(default=None, description="For basic authentication, with the password.")
    password: SecretStr = Field(default=SecretStr(""), description="From the environment, as ${PASSWORD}.")
    timeout_s: float = Field(default=2.0, description="How long an answer is waited for.")
    path: str = Field(default="", description="Where in the answer the object, or list of objects, is: 'data.person'.")

    def connect(self, project_folder: Path) -> Ask:
        named = {name for _, name, _, _ in string.Formatter().parse(self.url) if name is not None}
        unknown = ", ".join(sorted(named - set(self.inputs)))
        if unknown:
            raise SettingsError(
                f"The api_lookup enrichment's url has {unknown}, which is no input.",
                hint="Add it to 'inputs' with the column it is read from.",
            )
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        key = None if self.username is None else httpx.BasicAuth(self.username, self.password.get_secret_value())
        client = httpx.Client(headers=headers, timeout=self.timeout_s, auth=key)
        return lambda question: _ask(self, client, question)


def _ask(lookup: ApiLookup, client: httpx.Client, question: Mapping[str, Any]) -> Answer:
    url = lookup.url.format(**{name: quote(str(value), safe="") for name, value in question.items()})
    body = None if lookup.method == "GET" else dict(question)
    try:
        answer = client.request(lookup.method, url, json=body)
    except httpx.TransportError as error:
        raise TransientError(f"The service did not answer: {type(error).__name__}.") from error
    if answer.status_code in _NOT_FOUND:
        return []
    if answer.status_code in _LATER or answer.status_code >= 500:
        raise TransientError(f"The service answered {answer.status_code}.")
    if not answer.is_success:
        raise ValueError(f"The service answered {answer.status_code}.")
    return _read(answer.json(), lookup.path)


def _read(found: Any, path: str) -> Answer:
    for part in filter(None, path.split(".")):
        found = found.get(part) if isinstance(found, dict) else None
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if isinstance(row, dict)]
