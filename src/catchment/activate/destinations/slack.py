"""Slack messages, one for each row, through chat.postMessage."""

from typing import Any, ClassVar

import httpx
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, Unanswered, read_json, read_object
from catchment.activate.definition import Leave, Mode, Sync
from catchment.activate.destination import SENT, Batch, Limits, Outcome, Pace, Payload, Target, WebDestination
from catchment.errors import DefinitionError

KEY_REFUSED = {
    *("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired"),
    *("no_permission", "missing_scope", "not_allowed_token_type", "org_login_required", "ekm_access_denied"),
}
NO_CHANNEL = {"channel_not_found", "not_in_channel", "is_archived", "restricted_action", "messages_tab_disabled"}
LATER = {"ratelimited", "rate_limited", "message_limit_exceeded"}
BROKEN = {"fatal_error", "internal_error", "service_unavailable", "request_timeout"}
TOLD = {"text", "blocks", "attachments", "thread_ts", "username", "icon_emoji", "icon_url", "unfurl_links", "mrkdwn"}


class _SlackTarget(Target):
    channel: str = Field(min_length=1, description="The id of a channel that the app was invited to, such as C0123456.")


class Slack(WebDestination):
    """A message in a Slack channel for each row that is new; the text is a template of the sync."""

    modes: ClassVar[tuple[Mode, ...]] = ("event", "insert")
    leaves: ClassVar[tuple[Leave, ...]] = ()
    target_kind: ClassVar[type[Target]] = _SlackTarget
    batch_limits: ClassVar[Limits] = Limits(rows=1)
    pace: ClassVar[Pace] = Pace(requests=1, per_s=1)

    url: str = Field(default="https://slack.com/api", description="The address of Slack's Web API.")
    token: SecretStr = Field(description="A bot token with the scope chat:write.")

    def accept(self, sync: Sync) -> None:
        """Agree to messages that have a text, made of what Slack takes."""
        super().accept(sync)
        unknown = sorted(sync.fields.keys() - TOLD)
        if unknown or "text" not in sync.fields:
            fault = f"'{unknown[0]}' is nothing that a message takes" if unknown else "a message needs a text"
            raise DefinitionError(
                f"{sync.file}: fields: Slack: {fault}.",
                hint='For example `text: {template: "{{ first_name }} of {{ company }} is new"}`.',
            )

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Post each row: a message that may be there already is never posted again."""
        channel = self.target(batch.sync, _SlackTarget).channel
        return [self._post(row, channel, batch, caller) for row in batch.rows]

    def ask(self, caller: Caller) -> None:
        """Ask who we are."""
        self._read(self._call("auth.test", {}, caller), "")

    def _post(self, row: Payload, channel: str, batch: Batch, caller: Caller) -> Outcome:
        who = {name: row[name] for name in batch.sync.identifiers if row.get(name) is not None}
        metadata = {"event_type": "catchment_row", "event_payload": {"sync": batch.sync.name, **who}}
        told = {name: value for name, value in row.items() if name in TOLD and value is not None}
        response = self._call("chat.postMessage", {"channel": channel, **told, "metadata": metadata}, caller)
        return self._read(response, f"{batch.sync.file}: target.channel: ")

    def _call(self, method: str, content: dict[str, Any], caller: Caller) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        return caller.request("POST", f"{self.url}/{method}", again=_is_later, json=content, headers=headers)

    def _read(self, response: httpx.Response, place: str) -> Outcome:
        """Read what became of one message: Slack says so in the body, whatever the status."""
        body = read_object(response)
        if body.get("ok") is True:
            return SENT
        error = str(body.get("error"))
        details = (body.get("response_metadata") or {}).get("messages") or []
        if error in KEY_REFUSED:
            raise self.refused_key("token", error)
        if error in NO_CHANNEL:
            hint = "Name the channel by its id, and invite the app to it: /invite @app."
            raise DefinitionError(f"{place}Slack refused the channel: {error}", hint=hint)
        if error in BROKEN or body.get("ok") is not False:
            raise Unanswered(f"Slack answered {response.status_code} {error}", code=error)
        return Outcome("rejected", error, "; ".join([error, *map(str, details)]))


def _is_later(response: httpx.Response) -> bool:
    if response.status_code != 200:
        return False
    body = read_json(response)
    return isinstance(body, dict) and body.get("error") in LATER
