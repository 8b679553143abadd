"""A real SFTP server of this machine, in a thread, with one user and a key of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "cdp", "right"


class _Gate(asyncssh.SSHServer):
    def __init__(self, served: "Served") -> None:
        self.served = served

    def connection_made(self, conn: Any) -> None:
        self.served.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


class _Shelf(asyncssh.SFTPServer):
    """Keeps a note of every rename, and refuses to write where it was told to."""

    served: "Served"

    def __init__(self, chan: Any) -> None:
        super().__init__(chan, chroot=str(self.served.folder).encode())

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        if self.served.is_full:
            raise asyncssh.SFTPFailure("no space left")
        return super().open(path, pflags, attrs)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self.served.renames.append((oldpath.decode(), newpath.decode()))
        return super().posix_rename(oldpath, newpath)


@dataclass
class Served:
    """The server as a test sees it."""

    folder: Path
    port: int = 0
    host_key: str = ""
    user_key: str = ""
    renames: list[tuple[str, str]] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)
    is_full: bool = False

    def url(self, path: str = "/in") -> str:
        """Give the address of a folder there."""
        return f"sftp://{USER}@127.0.0.1:{self.port}{path}"

    def options(self) -> dict[str, str]:
        """Give what a client needs to be let in, and to know the server."""
        return {"password": PASSWORD, "host_key": self.host_key}


@contextmanager
def sftp_server(folder: Path) -> Iterator[Served]:
    """Serve a folder for as long as the block lasts."""
    host, user = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    (folder / "in").mkdir(parents=True, exist_ok=True)
    served = Served(folder, host_key=_text(host.export_public_key()), user_key=_text(user.export_private_key()))
    shelf = type("Shelf", (_Shelf,), {"served": served})
    keys = asyncssh.import_authorized_keys(_text(user.export_public_key()))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            server_factory=lambda: _Gate(served),
            sftp_factory=shelf,
            authorized_client_keys=keys,
        )

    async def end(listener: Any) -> None:
        listener.close()
        for connection in served.connections:
            connection.abort()
            await connection.wait_closed()
        await listener.wait_closed()

    listener = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    served.port = listener.get_port()
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(end(listener), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _text(key: bytes) -> str:
    return key.decode()
