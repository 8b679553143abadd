"""Which request finds which route."""

import asyncio

import pytest

from catchment.collect.request import Request
from catchment.collect.route import Answer, Route, Routes


def named(name: str, method: str, path: str) -> Route:
    async def answer(_: Request) -> Answer:
        return Answer(200, [], name.encode())

    return Route(method, path, answer)


ROUTES = Routes(
    [
        named("redirect", "GET", "/r/*"),
        named("vendor", "GET", "/{vendor}/{version}"),
        named("batch", "POST", "/{vendor}/{version}"),
        named("micro", "*", "/micro/{what}"),
        named("track", "POST", "/v1/track"),
        named("preflight", "OPTIONS", "/*"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/r/tp2", "redirect"),
        ("GET", "/r/any/thing", "redirect"),
        ("HEAD", "/com.acme/v1", "vendor"),
        ("POST", "/com.acme/v1", "batch"),
        ("POST", "/v1/track", "track"),
        ("POST", "/v1/other", "batch"),
        ("DELETE", "/micro/all", "micro"),
        ("GET", "/micro/all", "vendor"),
        ("OPTIONS", "/v1/track", "preflight"),
        ("OPTIONS", "/", "preflight"),
        ("PUT", "/com.acme/v1", None),
        ("GET", "/", None),
        ("GET", "/one", None),
        ("GET", "//two", None),
        ("GET", "/one/", None),
        ("GET", "/one/two/three", None),
    ],
)
def test_an_exact_path_wins_then_the_first_form_that_fits(method, path, name):
    answering = ROUTES.find(method, path)

    found = None if answering is None else asyncio.run(answering(Request(method, path, "", [], ""))).body.decode()

    assert found == name
