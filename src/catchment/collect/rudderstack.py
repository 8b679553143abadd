"""What the SDKs of RudderStack ask for before they send anything: the settings of their source.

The calls themselves are those of the Segment Spec.
"""

from uuid import NAMESPACE_URL, uuid5

from catchment.collect.intake import Intake
from catchment.collect.request import Request
from catchment.collect.route import Answer, Route
from catchment.collect.segment import WriteKeys, answer_json, sent_key
from catchment.collect.service import preflight

PATHS = ("/sourceConfig", "/sourceConfig/", "/{prefix}/sourceConfig", "/{prefix}/sourceConfig/")
"""SDKs append it to the address they are given, with a slash or without."""


def rudderstack_routes(intake: Intake) -> list[Route]:
    """Give the routes by which the SDKs start."""
    rudderstack = _RudderStack(intake)
    return [
        *(Route("GET", path, rudderstack.answer_source) for path in PATHS),
        *(Route("OPTIONS", path, rudderstack.answer_preflight) for path in PATHS),
    ]


class _RudderStack:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._keys = WriteKeys(intake)

    async def answer_source(self, request: Request) -> Answer:
        """Tell an SDK that its source is on, and has no destination that it would have to serve itself."""
        key = sent_key(request)
        if not self._keys.accept(key):
            return answer_json(self._intake, request, 401, {"message": "Invalid write key"})
        source_id = str(uuid5(NAMESPACE_URL, f"catchment/{key}"))
        off = {"enabled": False}
        source = {
            "id": source_id,
            "name": self._keys.source(key) or "catchment",
            "writeKey": key or "",
            "enabled": True,
            "workspaceId": "catchment",
            "sourceDefinitionId": "catchment",
            "config": {"statsCollection": {"errors": off, "metrics": off}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z",
        }
        answer = {"source": source, "updatedAt": source["updatedAt"], "isHosted": False}
        return answer_json(self._intake, request, 200, answer)

    async def answer_preflight(self, request: Request) -> Answer:
        return preflight(self._intake, request, ["Authorization", "Content-Type"])
