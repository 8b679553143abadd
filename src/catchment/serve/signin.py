"""Sign-in without passwords: a link that works once becomes a session cookie. Only hashes are kept."""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catchment.errors import SettingsError
from catchment.serve import ServeSettings

SQLITE = "sqlite:///"
LINK_MINUTES = 60
COOKIE = "catchment_session"


class SignIn:
    """Links and sessions of one project; times are UTC."""

    def __init__(self, settings: ServeSettings, folder: Path) -> None:
        if not settings.state_url.startswith(SQLITE):
            raise SettingsError(
                f"serve.state_url is '{settings.state_url}', but only SQLite is supported so far.",
                hint="Set it to sqlite:///.catchment/serve.db.",
            )
        self._path = folder / settings.state_url.removeprefix(SQLITE)
        self._session = timedelta(hours=settings.session_hours)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute(
                "create table if not exists tokens "
                "(hash text primary key, kind text not null, expires_at text not null)"
            )

    def new_link_token(self) -> str:
        """Make the secret of a link that signs in once, within the hour."""
        return self._add("link", timedelta(minutes=LINK_MINUTES))

    def redeem(self, token: str) -> str | None:
        """Take a link's secret and give that of a session; None where it was used, is old or never was."""
        with self._open() as connection:
            used = connection.execute(
                "delete from tokens where hash = ? and kind = 'link' and expires_at > ?", (_hash(token), _now())
            )
        return self._add("session", self._session) if used.rowcount == 1 else None

    def is_signed_in(self, token: str | None) -> bool:
        """Say whether a session stands."""
        if not token:
            return False
        with self._open() as connection:
            row = connection.execute(
                "select 1 from tokens where hash = ? and kind = 'session' and expires_at > ?", (_hash(token), _now())
            ).fetchone()
        return row is not None

    def sign_out(self, token: str | None) -> None:
        """End a session."""
        with self._open() as connection:
            connection.execute("delete from tokens where hash = ?", (_hash(token or ""),))

    def _add(self, kind: str, lasts: timedelta) -> str:
        token = secrets.token_urlsafe(32)
        with self._open() as connection:
            connection.execute("delete from tokens where expires_at <= ?", (_now(),))
            row = (_hash(token), kind, (datetime.now(UTC) + lasts).isoformat())
            connection.execute("insert into tokens values (?, ?, ?)", row)
        return token

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def one_time_link(settings: ServeSettings, folder: Path) -> str:
    """Give the address that signs whoever opens it in, once."""
    token = SignIn(settings, folder).new_link_token()
    return f"http://{settings.host}:{settings.port}/sign-in/{token}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat()
