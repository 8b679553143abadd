"""Where news of syncs can be told: Slack, any webhook, a mail server."""

import smtplib
from email.message import EmailMessage
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

TIMEOUT_S = 10.0
UNDELIVERED = (httpx.HTTPError, OSError, smtplib.SMTPException)
"""What may keep a message from being delivered."""


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlackChannel(_Channel):
    """An incoming webhook of Slack."""

    type: Literal["slack"]
    url: SecretStr = Field(description="The webhook's address, which is a secret.")

    def tell(self, text: str, facts: dict[str, Any]) -> None:
        """Post one message; raises where Slack does not take it."""
        _post(self.url.get_secret_value(), {"text": text})


class WebhookChannel(_Channel):
    """Any address that takes JSON."""

    type: Literal["webhook"]
    url: SecretStr = Field(description="The address, which may hold a secret.")
    headers: dict[str, SecretStr] = Field(default={}, description="Sent along, such as Authorization.")

    def tell(self, text: str, facts: dict[str, Any]) -> None:
        """Post the facts as JSON; raises where they are not taken."""
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        _post(self.url.get_secret_value(), {**facts, "text": text}, headers)


class EmailChannel(_Channel):
    """A mail server."""

    type: Literal["email"]
    host: str
    port: int = 587
    sender: str
    to: list[str] = Field(min_length=1)
    username: str | None = None
    password: SecretStr | None = None
    starttls: bool = True

    def tell(self, text: str, facts: dict[str, Any]) -> None:
        """Send one mail; raises where the server does not take it."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = text.splitlines()[0], self.sender, ", ".join(self.to)
        mail.set_content(text)
        with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S) as server:
            if self.starttls:
                server.starttls()
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password.get_secret_value())
            server.send_message(mail)


Channel = Annotated[SlackChannel | WebhookChannel | EmailChannel, Field(discriminator="type")]


def _post(url: str, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    httpx.post(url, json=content, headers=headers, timeout=TIMEOUT_S).raise_for_status()
