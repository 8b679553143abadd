"""A folder behind SFTP: the server must be known, and a file appears by being renamed.

The connection lives on a loop of its own, so that it is kept alive between files and any thread may use it.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from catchment.errors import CredentialsError, PluginError, SettingsError

SCHEME = "sftp://"
OPTIONS = ("password", "key", "key_file", "passphrase", "known_hosts", "host_key")
PORT = 22
PATIENCE_S = 30
ALIVE_S = 15

Result = TypeVar("Result")


class SftpStore:
    """A folder of an SFTP server.

    `options`: a password, or a private key (`key`, its text, or `key_file`) with its passphrase; and by what the server
    is known: a file of `known_hosts`, by default that of the user, or its public `host_key`. Nobody else is talked to.
    """

    def __init__(self, url: str, options: dict[str, str], place: str) -> None:
        self.place = place
        self.ssh = _library()
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            raise SettingsError(
                f"{place}.options.{unknown[0]} is none of SFTP's.", hint=f"There are: {', '.join(OPTIONS)}."
            )
        parts = urlsplit(url)
        if not parts.hostname or not parts.username or parts.password is not None:
            raise SettingsError(
                f"{place}.url must read sftp://USER@HOST/FOLDER, without a password.",
                hint=f"Give the password as {place}.options.password.",
            )
        self.host, self.port = parts.hostname, parts.port or PORT
        self.root = unquote(parts.path).rstrip("/")
        self.keys = {"username": unquote(parts.username), **self._keys(options)}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="sftp", daemon=True)
        self.thread.start()
        try:
            self.connection, self.files = self._wait(self._connect())
        except BaseException:
            self._stop()
            raise

    def look(self) -> None:
        """Look at the root, changing nothing."""
        self._wait(self.files.exists(self.root or "."))

    def names(self, folder: str) -> list[str]:
        """Name the files of a folder; none where there is no folder."""
        return self._wait(self._names(self._path(folder)))

    def is_file(self, path: str) -> bool:
        """Say whether a file stands there."""
        return bool(self._wait(self.files.isfile(self._path(path))))

    def write(self, path: str, content: pa.Buffer) -> None:
        """Put a file there under another name, and rename it."""
        self._wait(self._put(self._path(path), content.to_pybytes()))

    def delete(self, path: str) -> None:
        """Take a file away."""
        self._wait(self.files.remove(self._path(path)))

    def close(self) -> None:
        """Hang up."""
        try:
            self._wait(self._hang_up())
        finally:
            self._stop()

    async def _connect(self) -> tuple[Any, Any]:
        connection = await self.ssh.connect(
            self.host,
            self.port,
            config=None,
            agent_path=None,
            connect_timeout=PATIENCE_S,
            login_timeout=PATIENCE_S,
            keepalive_interval=ALIVE_S,
            **self.keys,
        )
        return connection, await connection.start_sftp_client()

    async def _hang_up(self) -> None:
        self.connection.close()
        await self.connection.wait_closed()

    async def _names(self, folder: str) -> list[str]:
        try:
            return [str(name) for name in await self.files.listdir(folder)]
        except (self.ssh.SFTPNoSuchFile, self.ssh.SFTPNoSuchPath):
            return []

    async def _put(self, path: str, content: bytes) -> None:
        folder = path.rpartition("/")[0]
        if folder and not await self.files.isdir(folder):
            await self.files.makedirs(folder, exist_ok=True)
        async with self.files.open(f"{path}.part", "wb") as file:
            await file.write(content)
        try:
            await self.files.posix_rename(f"{path}.part", path)
        except self.ssh.SFTPOpUnsupported:
            if await self.files.isfile(path):
                await self.files.remove(path)  # plain SFTP cannot rename over a file
            await self.files.rename(f"{path}.part", path)

    def _keys(self, options: dict[str, str]) -> dict[str, Any]:
        """Read what we show the server, and what the server must show us."""
        name = next((name for name in ("key", "key_file") if name in options), None)
        keys = None
        if name is not None:
            read = self.ssh.import_private_key if name == "key" else self.ssh.read_private_key
            with self._readable(name):
                keys = [read(options[name], options.get("passphrase"))]
        known: Any = options.get("known_hosts", ())
        if "host_key" in options:
            with self._readable("host_key"):
                known = ([self.ssh.import_public_key(options["host_key"])], [], [])
        return {"password": options.get("password"), "client_keys": keys, "known_hosts": known}

    @contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        try:
            yield
        except (self.ssh.KeyImportError, self.ssh.KeyEncryptionError, OSError) as error:
            raise SettingsError(
                f"{self.place}.options.{name} is no key that can be read: {error}",
                hint="Give an OpenSSH or PEM key, and its passphrase where it has one.",
            ) from error

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for what is done on the loop, and say in our own words what went wrong there."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()
        except self.ssh.HostKeyNotVerifiable as error:
            raise SettingsError(
                f"{self.place}: {self.host} did not show a key that is known of it: {error}",
                hint=f"Check what `ssh-keyscan -p {self.port} {self.host}` shows with its owner, and give it as "
                f"{self.place}.options.host_key, or a file as known_hosts.",
            ) from error
        except self.ssh.PermissionDenied as error:
            raise CredentialsError(
                f"{self.host} refused {self.keys['username']}: {error.reason}",
                hint=f"Mend the user in {self.place}.url, or {self.place}.options.",
            ) from error
        except self.ssh.SFTPPermissionDenied as error:
            raise PermissionError(str(error)) from error
        except (self.ssh.Error, EOFError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    def _stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def _library() -> Any:
    try:
        import asyncssh
    except ImportError as error:
        raise PluginError(
            "A destination of type files is behind SFTP, whose client is not installed.",
            hint="pip install 'catchment[sftp]'",
        ) from error
    return asyncssh
