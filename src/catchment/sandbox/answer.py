"""JSON answers."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON body and the vendor's own headers."""
    return Response(orjson.dumps(body), status, dict(headers or {}), "application/json")
