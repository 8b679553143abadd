"""`/micro/*`, by the published API of Snowplow Micro; each also by one event's id, or one test's."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from catchment.collect.intake import Intake
from catchment.collect.request import Request
from catchment.collect.route import ANY, Answer, Route
from catchment.micro.store import Sought, Store
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver

PAGE = Path(__file__).with_name("page.html")

Json = dict[str, Any]


class Unanswerable(Exception):
    """The question is not one that this API knows; says what was expected."""


class Micro:
    """Answers about what came."""

    def __init__(self, store: Store, resolver: Resolver) -> None:
        self._store = store
        self._resolver = resolver
        self._intake: Intake | None = None

    def routes(self, intake: Intake) -> list[Route]:
        """Give the routes."""
        self._intake = intake
        answers: dict[str, Callable[[Json], Any]] = {
            "/micro/all": self._count,
            "/micro/reset": self._reset,
            "/micro/good": self._good,
            "/micro/bad": self._bad,
            "/micro/events": self._events,
            "/micro/timeline": self._timeline,
        }
        return [
            *(self._route(method, path, answer) for path, answer in answers.items() for method in ("GET", "POST")),
            Route("GET", "/micro/iglu/{vendor}/{name}/jsonschema/{version}", self._answer_schema),
            Route("GET", "/micro/ui", self._answer_page),
            Route(ANY, "/micro/*", self._answer_unknown),
        ]

    def _route(self, method: str, path: str, answer: Callable[[Json], Any]) -> Route:
        async def answering(request: Request) -> Answer:
            try:
                return self._json(request, 200, answer(_read_question(request)))
            except Unanswerable as error:
                return self._json(request, 400, {"message": str(error)})

        return Route(method, path, answering)

    def _json(self, request: Request, status: int, content: Any) -> Answer:
        shared = self._intake.shared_headers(request) if self._intake is not None else []
        return Answer(status, [("content-type", "application/json"), *shared], orjson.dumps(content))

    def _count(self, question: Json) -> Any:
        return self._store.count(_sought(question))

    def _reset(self, question: Json) -> Any:
        self._store.clear(_sought(question))
        return self._store.count(_sought(question))

    def _good(self, question: Json) -> Any:
        contexts = {_bare(uri) for uri in _list(question, "contexts")}
        schema, kind = _text(question, "schema"), _text(question, "event_type")

        def fits(event: Json) -> bool:
            kinds = (event["eventType"], event["rawEvent"]["parameters"].get("e"), event["event"]["event_name"])
            is_schema = schema is None or _bare(event["schema"]) == _bare(schema)
            return is_schema and (kind is None or kind in kinds) and contexts <= {_bare(c) for c in event["contexts"]}

        limit = _number(question, "limit")
        return list(self._store.read("nested", is_good=True, fits=fits, limit=limit, sought=_sought(question)))

    def _bad(self, question: Json) -> Any:
        wanted = {name: value for name in ("vendor", "version") if (value := _text(question, name)) is not None}

        def fits(event: Json) -> bool:
            api: Json = event["collectorPayload"]["api"]
            return wanted.items() <= api.items()

        limit = _number(question, "limit")
        return list(self._store.read("nested", is_good=False, fits=fits, limit=limit, sought=_sought(question)))

    def _events(self, question: Json) -> Any:
        filters = [_filter(each) for each in _list(question, "filters")]
        period, sorting = question.get("timeRange") or {}, question.get("sorting") or {}
        start, end = _moment(period.get("start")), _moment(period.get("end"))

        def fits(event: Json) -> bool:
            came = _moment(event["collector_tstamp"])
            in_time = came is None or ((start is None or start <= came) and (end is None or came < end))
            return in_time and all(_has(event.get(column), values) for column, values in filters)

        is_good = question.get("validEvents")
        if is_good not in (None, True, False):
            raise Unanswerable("validEvents: true, false or null was expected.")
        found = list(self._store.read("flat", is_good=is_good, fits=fits, sought=_sought(question)))
        if sorting.get("column"):
            column = str(sorting["column"])
            found.sort(key=lambda event: _order(event.get(column)), reverse=bool(sorting.get("desc")))
        page, size = _number(question, "page") or 1, _number(question, "pageSize") or 100
        pages = math.ceil(len(found) / size)
        return {"events": found[(page - 1) * size : page * size], "totalPages": pages, "totalItems": len(found)}

    def _timeline(self, question: Json) -> Any:
        came = [(datetime.fromisoformat(tstamp), bool(is_good)) for tstamp, is_good in self._store.moments()]
        return {"points": [_point(bucket, came) for bucket in _list(question, "buckets")]}

    async def _answer_schema(self, request: Request) -> Answer:
        vendor, name, _, version = request.path.split("/")[3:]
        key = SchemaKey.parse(f"iglu:{vendor}/{name}/jsonschema/{version}")
        resolved = self._resolver.find(key) if key is not None else None
        if resolved is None:
            return self._json(request, 404, {"message": f"No registry has {vendor}/{name}/jsonschema/{version}."})
        return self._json(request, 200, resolved.schema)

    async def _answer_page(self, _: Request) -> Answer:
        return Answer(200, [("content-type", "text/html; charset=utf-8")], PAGE.read_bytes())

    async def _answer_unknown(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            allowed = [("access-control-allow-headers", "Content-Type"), ("access-control-allow-methods", "GET, POST")]
            shared = self._intake.shared_headers(request) if self._intake is not None else []
            return Answer(200, [*shared, *allowed])
        known = "all, good, bad, events, timeline, reset, iglu, ui"
        return self._json(request, 404, {"message": f"Micro answers /micro/ and one of: {known}."})


def _read_question(request: Request) -> Json:
    """Give what is asked for, by the query string and by a JSON body; the body counts more."""
    asked: Json = {name: values[-1] for name, values in parse_qs(request.querystring).items()}
    if not request.body.content:
        return asked
    try:
        told = orjson.loads(request.body.content)
    except orjson.JSONDecodeError as error:
        raise Unanswerable(f"The body is not JSON: {error}.") from error
    if not isinstance(told, dict):
        raise Unanswerable("The body is no JSON object.")
    return asked | told


def _sought(question: Json) -> Sought:
    return Sought(*(_text(question, name) for name in Sought._fields))


def _text(question: Json, name: str) -> str | None:
    value = question.get(name)
    if value is not None and not isinstance(value, str):
        raise Unanswerable(f"{name}: a text was expected.")
    return value


def _number(question: Json, name: str) -> int | None:
    value = question.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise Unanswerable(f"{name}: a number was expected.")
    return int(value)


def _list(question: Json, name: str) -> list[Any]:
    value = question.get(name) or []
    if not isinstance(value, list):
        raise Unanswerable(f"{name}: a list was expected.")
    return value


def _bare(uri: object) -> str:
    """Give a schema's address without its scheme: Micro's own pages write it both ways."""
    return str(uri).removeprefix("iglu:")


def _filter(each: Any) -> tuple[str, list[str]]:
    """Read one filter of a column: `values`, or `value` as versions before 4.4 have it."""
    column = each.get("column") if isinstance(each, dict) else None
    values = each.get("values", [each.get("value")]) if isinstance(each, dict) else None
    if not isinstance(column, str) or not isinstance(values, list):
        raise Unanswerable("filters: each needs a column and values.")
    return column, [str(value).lower() for value in values]


def _has(value: object, sought: list[str]) -> bool:
    return value is not None and any(each in str(value).lower() for each in sought)


def _order(value: object) -> tuple[int, float, str]:
    """Sort numbers as numbers, and what says nothing first."""
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Unanswerable("A time by ISO 8601 was expected.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _point(bucket: Any, came: list[tuple[datetime, bool]]) -> Json:
    start, end = (_moment(bucket.get(name)) if isinstance(bucket, dict) else None for name in ("start", "end"))
    if start is None or end is None:
        raise Unanswerable("buckets: each needs a start and an end.")
    inside = [is_good for moment, is_good in came if start <= moment < end]
    return {"validEvents": sum(inside), "failedEvents": len(inside) - sum(inside), "bucket": bucket}
