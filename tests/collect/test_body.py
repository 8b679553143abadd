"""Bodies: too long, packed, broken off, slow, and too many at once."""

import asyncio
import gzip
import socket
import time
import zlib

import pytest

from catchment.collect.body import Bodies, Deadlines, StillPacked, unpack
from catchment.collect.request import OVERSIZE_HEADER, PACKED_HEADER, Request
from tests.collect.site import MAX_BODY_BYTES, TP2, serving, settings_for

BODY = b'{"schema":"iglu:any","data":[{"e":"pv"}]}' * 40
HEAD = b"POST /com.acme/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


def zipped(content: bytes) -> bytes:
    """Zip without the time of day, so that a test has the same name in every process."""
    return gzip.compress(content, mtime=0)


def marks(payload):
    return [line for line in payload["headers"] if line.startswith((OVERSIZE_HEADER, PACKED_HEADER))]


@pytest.mark.parametrize("size", [0, 1, MAX_BODY_BYTES - 1, MAX_BODY_BYTES])
def test_a_body_up_to_the_limit_is_kept_whole(site, size):
    site.ask("POST", TP2, b"x" * size)

    assert site.last()["body"] == (b"x" * size or None)
    assert marks(site.last()) == []


def test_a_body_that_is_too_long_is_kept_cut_with_its_true_length(site):
    reply = site.ask("POST", TP2, b"x" * 300_000, {OVERSIZE_HEADER: "7"})

    assert reply.status == 200
    assert site.last()["body"] == b"x" * MAX_BODY_BYTES
    assert marks(site.last()) == [f"{OVERSIZE_HEADER}: 300000"]


def test_a_body_in_chunks_is_kept_whole(site):
    answer = site.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert site.last()["body"] == b"abcde"


def test_a_body_in_chunks_that_is_too_long_is_kept_cut(site):
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"

    answer = site.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk * 5, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert site.last()["body"] == b"x" * MAX_BODY_BYTES
    assert marks(site.last()) == [f"{OVERSIZE_HEADER}: 5000"]


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKERS = {
    "gzip": zipped,
    "x-gzip": zipped,
    "GZIP": zipped,
    "deflate": zlib.compress,
    "deflate raw": raw_deflate,
    "gzip, deflate": lambda content: zlib.compress(zipped(content)),
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_packed_body_is_kept_unpacked(site, encoding):
    packed = PACKERS[encoding](BODY)

    reply = site.ask("POST", TP2, packed, {"Content-Encoding": encoding.removesuffix(" raw")})

    assert reply.status == 200
    assert site.last()["body"] == BODY
    assert marks(site.last()) == []


def test_a_packed_body_smaller_than_its_packing_is_no_cut_one(site):
    site.ask("POST", TP2, zipped(b"a"), {"Content-Encoding": "gzip"})

    assert (site.last()["body"], marks(site.last())) == (b"a", [])


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", b"not gzip"),
        ("deflate", b"\xff\xff"),
        ("gzip", zipped(BODY)[:-9]),
        ("gzip", zipped(b"x" * 10 * MAX_BODY_BYTES)),
        ("gzip, gzip", zipped(zipped(b"x" * 100 * MAX_BODY_BYTES))),
        ("br", b"whatever"),
        ("gzip", zipped(b"a") + b"rest"),
    ],
)
def test_a_body_that_does_not_unpack_is_kept_as_it_came_and_says_so(site, encoding, packed):
    reply = site.ask("POST", TP2, packed, {"Content-Encoding": encoding})

    assert reply.status == 200
    assert site.last()["body"] == packed
    assert len(marks(site.last())) == 1


def test_a_bomb_is_never_held_unpacked():
    bomb = zipped(b"\0" * 50_000_000)

    with pytest.raises(StillPacked, match="larger than 1000 bytes"):
        unpack(bomb, "gzip", 1_000)


@pytest.mark.parametrize("ending", ["with its connection half closed", "with its connection gone"])
def test_a_body_that_breaks_off_is_not_kept(site, ending):
    before = site.count()
    pieces = HEAD + b"Content-Length: 100\r\n\r\n", b"abc"

    if ending == "with its connection half closed":
        assert site.send(*pieces, ends=True).startswith(b"HTTP/1.1 408")
    else:
        with socket.create_connection(("127.0.0.1", site.settings.port)) as connection:
            connection.sendall(b"".join(pieces))
    assert site.ask("GET", "/health").status == 200

    assert site.count() == before


@pytest.fixture(scope="module")
def strict_site(tmp_path_factory):
    settings = settings_for(body_timeout_s=0.8, idle_timeout_s=1, max_held_bytes=2 * MAX_BODY_BYTES)
    with serving(settings, tmp_path_factory.mktemp("project")) as site:
        yield site


@pytest.mark.parametrize("head", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3\r\n"])
def test_a_body_that_is_slow_is_refused_in_time_and_not_kept(strict_site, head):
    before = strict_site.count()
    began = time.monotonic()

    answer = strict_site.send(HEAD + head, b"abc")

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 10
    assert strict_site.count() == before


def test_a_body_that_is_slow_and_too_long_is_kept_cut_so_that_it_is_not_sent_for_ever(strict_site):
    answer = strict_site.send(HEAD + b"Content-Length: 9999999\r\n\r\n", b"x" * 50_000)

    assert answer.startswith(b"HTTP/1.1 200")
    assert strict_site.last()["body"] == b"x" * MAX_BODY_BYTES
    assert marks(strict_site.last()) == [f"{OVERSIZE_HEADER}: 9999999"]


@pytest.mark.parametrize("piece", [b"", b"GET /i?e=pv HTTP/1.1\r\nHost:", b"GET /i?" + b"x" * 1000])
def test_a_connection_that_says_nothing_is_closed_in_time(strict_site, piece):
    began = time.monotonic()

    strict_site.send(piece)

    assert time.monotonic() - began < 10


def test_more_bodies_than_may_be_held_are_told_to_come_again(strict_site):
    head = HEAD + b"Content-Length: 2000\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", strict_site.settings.port)) for _ in range(2)]
    for connection in slow:
        connection.sendall(head + b"x")

    status = 200
    for _ in range(50):
        status = strict_site.ask("POST", TP2, b"x" * 2_000).status
        if status == 503:
            break
    for connection in slow:
        connection.close()
    for _ in range(100):
        if strict_site.ask("POST", TP2, b"x" * 2_000).status == 200:
            break

    assert status == 503
    assert strict_site.last()["body"] == b"x" * 2_000


async def wait_for(deadlines: Deadlines, seconds: float) -> str:
    wait = deadlines.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as error:
        deadlines.forgive(wait, error)
        return "late"
    finally:
        deadlines.end(wait)
    return "in time"


def test_waits_end_at_their_deadline_and_leave_nothing_behind():
    async def overrun() -> list[str]:
        deadlines = Deadlines(0.05)
        return [await wait_for(deadlines, seconds) for seconds in (0.0, 5.0, 0.0, 5.0)]

    assert asyncio.run(overrun()) == ["in time", "late", "in time", "late"]


def test_a_wait_that_is_cancelled_by_others_is_cancelled():
    async def cancel() -> None:
        task = asyncio.ensure_future(wait_for(Deadlines(5), 5.0))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())


def test_what_is_held_is_given_back_however_the_reading_ends():
    class Broken:
        async def __call__(self) -> bytes:
            raise OSError

    async def read_often() -> None:
        bodies = Bodies(max_body_bytes=10, max_held_bytes=10, timeout_s=1)
        for _ in range(5):
            with pytest.raises(OSError):
                await bodies.read(Request("POST", "/i", "", [("content-length", "10")], ""), Broken())

    asyncio.run(read_often())
