"""Whatever is sent: no 5xx but 503, no crash, bounded memory; what is answered with 200 is in the log as it came."""

import gzip
import itertools
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catchment.collect.request import OVERSIZE_HEADER, PACKED_HEADER
from tests.collect.site import MAX_BODY_BYTES, TP2, Site, serving, settings_for
from tests.collect.test_faults import process_of

ANSWERS = (200, 302, 400, 404, 408, 413, 414, 417, 431, 503, 505)
EXAMPLES = settings(
    max_examples=250,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
MOST_GROWTH_BYTES = 96 * 2**20

ANY_BYTES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"\x00", b"\xed\xa0\x80", b"\xff\xfe", b"%00", b"%zz", b"%E9", b"[" * 500, b"{" * 500, b"A" * 9_000]
    ),
)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.encode),
    ANY_BYTES.map(quote).map(str.encode),
    ANY_BYTES.map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
)
RAW = ANY_BYTES.map(lambda value: value.translate(None, b" \r\n#"))
EVENT_PATHS = (TP2.encode(), b"/com.acme/v1", b"/i", b"/dot")
PATHS = st.sampled_from([*EVENT_PATHS * 3, b"/ice.png", b"/r/tp2", b"/health", b"/", b"/v1/track", b"/v1/pixel/track"])
QUERIES = st.one_of(
    ANY_BYTES.map(quote).map(str.encode),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace").translate(None, b" \r\n#")),
    st.sampled_from([b"u=http://[", b"nuid=", b"nuid=%00", b"&" * 3_000, b"u=" * 500, b"=&=;?", b"nuid=%0d%0ax:y"]),
    RAW,
)
NAMES = st.sampled_from(
    [b"Cookie", b"Origin", b"Referer", b"User-Agent", b"Host", b"Content-Type", b"SP-Anonymous", b"X-Forwarded-For",
     b"Forwarded", b"X-Real-IP", b"Content-Encoding", b"Accept-Encoding", b"Authorization", b"X-Any",
     OVERSIZE_HEADER.encode(), PACKED_HEADER.encode()]
)  # fmt: skip
BODIES = st.one_of(
    ANY_BYTES,
    ANY_BYTES.map(gzip.compress),
    ANY_BYTES.map(zlib.compress),
    st.just(gzip.compress(b"\0" * 1_000_000)),
    st.integers(0, 3 * MAX_BODY_BYTES).map(lambda size: b"x" * size),
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = settings_for(
        body_timeout_s=1.0,
        idle_timeout_s=2.0,
        max_held_bytes=20 * MAX_BODY_BYTES,
        paths={"/dot": "/i"},
        redirect={"enabled": True, "hosts": ["www.acme.com"]},
        do_not_track={"name": "optout"},
        cookie={"domains": ["acme.com"]},
    )
    with serving(site, tmp_path_factory.mktemp("project")) as site:
        yield site


def status_of(answer: bytes) -> int:
    """Give the last status, for `100 Continue` may stand before it; 0 where nothing came."""
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]
    return int(lines[-1].split()[1]) if lines else 0


def ask(site: Site, request: bytes, *, ends: bool = False) -> int:
    try:
        return status_of(site.send(request, ends=ends))
    except ConnectionError:
        return 0


def test_whatever_a_request_holds_is_refused_or_kept_byte_for_byte(target: Site) -> None:
    kept: dict[str, tuple[bytes, bytes]] = {}
    marks = itertools.count()

    @EXAMPLES
    @given(
        method=st.sampled_from([b"GET", b"POST", b"POST", b"HEAD"]),
        path=PATHS,
        query=QUERIES,
        headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
        body=BODIES,
    )
    def send(method: bytes, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        mark = str(next(marks))
        lines = [b"%s %s?%s HTTP/1.1" % (method, path, query), b"X-Mark: " + mark.encode(), b"Connection: close"]
        lines += [b"%s: %s" % header for header in headers]
        content = body if method == b"POST" else b""
        lines += [b"Content-Length: %d" % len(content)] if method == b"POST" else []
        request = b"\r\n".join([*lines, b"", b""]) + content

        status = ask(target, request)

        assert status in ANSWERS
        is_event = path in EVENT_PATHS or (method != b"POST" and path == b"/ice.png")
        is_refused = any(name == b"Cookie" and b"optout" in value for name, value in headers)
        if status == 200 and is_event and not is_refused:
            kept[mark] = query, content

    send()

    payloads = {mark_of(payload["headers"]): payload for payload in target.payloads()}
    assert set(kept) <= set(payloads)
    for mark, (query, content) in kept.items():
        payload = payloads[mark]
        assert (payload["querystring"] or "").encode() == query
        assert (payload["body"] or b"") in (content[:MAX_BODY_BYTES], unpacked(content))
    assert len(kept) > 60


def mark_of(headers: list[str]) -> str:
    return next((line.removeprefix("x-mark: ") for line in headers if line.startswith("x-mark: ")), "")


def unpacked(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, MAX_BODY_BYTES)
    except zlib.error:
        return content


VALID = (
    b"POST /com.snowplowanalytics.snowplow/tp2?a=b HTTP/1.1\r\nHost: a\r\nCookie: sp=x; optout=1\r\n"
    b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n01234567890123456789"
)
CHUNKED = (
    b"POST /com.acme/v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"
)


@EXAMPLES
@given(
    request=st.sampled_from([VALID, CHUNKED]),
    edits=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 4), st.binary(max_size=6)), max_size=4),
    garbage=st.one_of(st.just(b""), st.binary(max_size=200)),
)
def test_what_is_hardly_http_is_refused_and_harms_nothing(
    target: Site, request: bytes, edits: list[tuple[int, int, bytes]], garbage: bytes
) -> None:
    for place, drop, insert in edits:
        request = request[:place] + insert + request[place + drop :]

    assert ask(target, garbage + request, ends=True) in (0, *ANSWERS)


@pytest.mark.parametrize(
    ("request_", "answers"),
    [
        (b"GET /i?" + b"x" * 60_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [200]),
        (b"GET /i?" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414, 431, 0]),
        (b"GET /i HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 500_000 + b"\r\n\r\n", [431, 0]),
        (b"GET /i HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2_000 + b"\r\n", [431, 0]),
        (b"GET /i HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: " + b"sp=;" * 9_000 + b"\r\n\r\n", [200]),
        (b"GET /i?a=\x00 HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
        (b"GET /i?a=\xff HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
        (b"GET /%00/%ff%ff?a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [200]),
        (b"POST /i HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", [400]),
        (b"POST /i HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", [400]),
        (b"POST /i HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", [400]),
        (b"POST /i HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", [200, 400, 408, 0]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505, 0]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400, 0]),
    ],
)
def test_what_is_too_much_is_refused_by_name(target: Site, request_: bytes, answers: list[int]) -> None:
    assert ask(target, request_) in answers
    assert target.ask("GET", "/health").status == 200


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"\x00" * 1_000,
        b'{"a":"\\ud800"}',
        b"\xff\xfe\xfd",
        b'{"n":' + b"9" * 1_500 + b"}",
        DEEP[:MAX_BODY_BYTES],
        b'{"schema":"iglu:x","data":[{"' + b"k" * 1_500 + b'":"v"}]}',
        b"e=pv&e=pv&" * 100,
    ],
)
def test_a_body_is_never_looked_into(target: Site, body: bytes) -> None:
    assert target.ask("POST", TP2, body).status == 200
    assert target.last()["body"] == body


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def post(site: Site, body: bytes, headers: dict[str, str] | None = None) -> int:
    """Give the status; 0 where the answer came before all of the body was sent, and the connection was closed."""
    try:
        return site.ask("POST", TP2, body, headers).status
    except ConnectionError:
        return 0


def test_memory_stays_bounded_under_bombs_floods_and_connections_that_say_nothing(target: Site) -> None:
    pid = process_of(target).pid
    before = resident_bytes(pid)
    bomb = gzip.compress(b"\0" * 20_000_000)
    silent = [socket.create_connection(("127.0.0.1", target.settings.port)) for _ in range(200)]
    for connection in silent[:100]:
        connection.sendall(b"POST /com.acme/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\nx")

    answers = [post(target, b"x" * 2_000_000) for _ in range(5)]
    answers += [post(target, bomb, {"Content-Encoding": "gzip"}) for _ in range(20)]
    grown = resident_bytes(pid) - before
    for connection in silent:
        connection.close()

    assert set(answers) <= {200, 503, 0}
    assert grown < MOST_GROWTH_BYTES
    assert process_of(target).is_alive()
