"""Meta's Graph API: how it is called, and what its errors mean."""

from typing import Any

import httpx
import orjson
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json
from catchment.activate.destination import Refused, WebDestination
from catchment.errors import DefinitionError

LATER = {1, 2, 4, 17, 32, 341, 368, 613, 5000, 21009, *range(80000, 80015)}
KEY_REFUSED = {10, 102, 190, 200, 294}
BAD_PARAMETER = 100
NO_SUCH_OBJECT = 33

USAGE_HEADERS = ("x-business-use-case-usage", "x-app-usage", "x-ad-account-usage")
SHARES = ("call_count", "total_cputime", "total_time", "acc_id_util_pct")
SPENT = 95.0
"""Per cent of a budget, at which Meta may refuse the next call."""
PAUSE_S = 60.0


class GraphDestination(WebDestination):
    """What every destination behind the Graph API has."""

    url: str = Field(default="https://graph.facebook.com", description="The address of the Graph API.")
    access_token: SecretStr = Field(description="A token of a system user with the right to what the sync names.")
    version: str = Field(default="v25.0", pattern=r"^v\d+\.\d+$", description="Version of the Graph API.")

    def ask(self, caller: Caller) -> None:
        """Ask who we are."""
        self.call_graph(caller, "GET", "me", place=self.place)

    def call_graph(self, caller: Caller, method: str, path: str, *, place: str, **parts: Any) -> dict[str, Any]:
        """Call; raises CredentialsError, DefinitionError naming `place`, or Refused where rows may be to blame."""
        headers = {"Authorization": f"Bearer {self.access_token.get_secret_value()}"}
        url = f"{self.url}/{self.version}/{path}"
        response = caller.request(method, url, again=_is_later, headers=headers, **parts)
        body = read_json(response)
        error = body.get("error") if isinstance(body, dict) else None
        if response.status_code == 200 and isinstance(body, dict) and error is None:
            return body
        if not isinstance(error, dict):
            raise self.unexpected(response)
        code = error.get("code")
        said = f"code {code}: {error.get('error_user_msg') or error.get('message')}"
        if code in KEY_REFUSED:
            raise self.refused_key("access_token", said)
        if code == BAD_PARAMETER and error.get("error_subcode") != NO_SUCH_OBJECT and self.blames_rows:
            raise Refused(said, code=str(code))
        raise DefinitionError(
            f"{place}: Meta refused the request: {said}",
            hint=f"Check target.{next(iter(self.target_kind.model_fields))} and that the token may manage it.",
        )

    def wait_s(self, response: httpx.Response) -> float | None:
        """Read Meta's usage headers: how long until there is access again, once a budget is spent."""
        usages = [usage for name in USAGE_HEADERS for usage in _usages(response.headers.get(name))]
        minutes = [float(usage.get("estimated_time_to_regain_access") or 0) for usage in usages]
        is_spent = any(float(usage.get(share) or 0) >= SPENT for usage in usages for share in SHARES)
        return max(minutes, default=0.0) * 60 or (PAUSE_S if is_spent else None)

    @property
    def blames_rows(self) -> bool:
        """Say whether a bad parameter may be a row's: halving finds it."""
        return False


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
