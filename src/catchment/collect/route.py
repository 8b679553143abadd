"""Which request is answered by what: a table, so that one more protocol is one more file with its routes."""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from catchment.collect.request import Request

ANY = "*"

Headers = list[tuple[str, str]]

TEXT_HEADERS: Headers = [("content-type", "text/plain; charset=utf-8")]


class Answer(NamedTuple):
    """What goes back; a request by HEAD gets the same without the body."""

    status: int
    headers: Headers
    body: bytes = b""


Answering = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """Requests of one method and one form of path, and who answers them.

    The method is one that HTTP knows, or `*` for all; a route for GET answers HEAD too. In the path a part in braces
    stands for any one part that is not empty (`/{vendor}/{version}`), a last part `*` for all that may follow.
    """

    method: str
    path: str
    answer: Answering


class Routes:
    """A table of routes. A path without braces wins over one with; among those with, the first that fits wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Answering] = {}
        self._forms: list[tuple[str, list[str], Answering]] = []
        for method, path, answer in (each for route in routes for each in _with_head(route)):
            if "{" in path or path.endswith("/*"):
                self._forms.append((method, path.split("/"), answer))
            else:
                self._exact.setdefault((method, path), answer)

    def find(self, method: str, path: str) -> Answering | None:
        """Find who answers; None where nobody does."""
        exact = self._exact.get((method, path)) or self._exact.get((ANY, path))
        if exact is not None:
            return exact
        parts = path.split("/")
        for known, form, answer in self._forms:
            if known in (method, ANY) and _fits(form, parts):
                return answer
        return None


def _with_head(route: Route) -> list[Route]:
    return [route, route._replace(method="HEAD")] if route.method == "GET" else [route]


def _fits(form: list[str], parts: list[str]) -> bool:
    if form[-1] == "*":
        return len(parts) >= len(form) and parts[: len(form) - 1] == form[:-1]
    if len(form) != len(parts):
        return False
    return all(part == wanted or (part and wanted[:1] == "{") for wanted, part in zip(form, parts, strict=True))
