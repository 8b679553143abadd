"""Salesforce's Bulk API 2.0: jobs are opened, loaded with CSV, closed, and say of each record what became of it.

From the Bulk API 2.0 guide: a job does nothing before its upload is complete; `#N/A` empties a field and an empty cell
leaves it; a column that is no field fails the whole job; results are CSV with `sf__Id` and `sf__Error` before what was
sent.
"""

import csv
import io
import secrets
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import Response

from catchment.sandbox.answer import answer
from catchment.sandbox.store import Store

Upsert = Callable[[str, str, bytes], list[dict[str, Any]]]
CHUNK = 200
RESULTS = ("successfulResults", "failedResults", "unprocessedrecords")
TRUTH = {"true": True, "false": False}


class Jobs:
    """The jobs of one store; `upsert` judges and keeps a collection of records."""

    def __init__(self, store: Store, kinds: set[str], upsert: Upsert) -> None:
        self.store = store
        self.kinds = kinds
        self.upsert = upsert

    def answer(self, method: str, path: list[str], body: bytes) -> Response:
        """Answer one request: the path is what follows `jobs/ingest`."""
        if method == "POST" and path == [""]:
            return self._open(orjson.loads(body))
        job = self.store.get("salesforce", "jobs", path[0])
        if job is None:
            return answer(404, _error("NOT_FOUND", "The requested resource does not exist"))
        if method == "PUT" and path[1:] == ["batches"] and job["state"] == "Open":
            self._keep({**job, "csv": body.decode()})
            return Response(status_code=201)
        if method == "PATCH" and job["state"] == "Open" and orjson.loads(body) == {"state": "UploadComplete"}:
            self._keep({**job, "state": "UploadComplete"})
            return answer(200, {"id": job["id"], "state": "UploadComplete"})
        if method == "GET" and len(path) == 1:
            return answer(200, self._go_on(job))
        if method == "GET" and path[1] in RESULTS and job["state"] in ("JobComplete", "Failed"):
            return Response(job["results"][path[1]], media_type="text/csv")
        return answer(400, _error("INVALIDJOBSTATE", f"{method} is not for a job that is {job['state']}"))

    def _open(self, about: dict[str, Any]) -> Response:
        wanted = {"operation": "upsert", "contentType": "CSV", "lineEnding": "LF"}
        if any(about.get(name) != value for name, value in wanted.items()) or about.get("object") not in self.kinds:
            return answer(400, _error("INVALIDJOB", "The sandbox takes upserts of CSV with LF"))
        job = {**about, "id": f"750{secrets.token_hex(8)}", "state": "Open", "csv": "", "results": {}}
        self._keep(job)
        return answer(200, {"id": job["id"], "state": "Open"})

    def _keep(self, job: dict[str, Any]) -> None:
        self.store.put("salesforce", "jobs", {job["id"]: job})

    def _go_on(self, job: dict[str, Any]) -> dict[str, Any]:
        """Move a closed job on by one state each time that it is asked about."""
        if job["state"] == "InProgress":
            job = self._work(job)
        elif job["state"] == "UploadComplete":
            job = {**job, "state": "InProgress"}
        self._keep(job)
        return {name: job.get(name) for name in ("id", "state", "errorMessage")}

    def _work(self, job: dict[str, Any]) -> dict[str, Any]:
        rows = list(csv.DictReader(io.StringIO(job["csv"])))
        kind, id_field = job["object"], job["externalIdFieldName"]
        results: list[dict[str, Any]] = []
        for first in range(0, len(rows), CHUNK):
            records = [{"attributes": {"type": kind}, **_record(row)} for row in rows[first : first + CHUNK]]
            results += self.upsert(kind, id_field, orjson.dumps({"records": records}))
        unknown = next((one for one in results if _code(one) == "INVALID_FIELD"), None)
        parts: dict[str, list[dict[str, Any]]] = {name: [] for name in RESULTS}
        for row, result in zip(rows, results, strict=True):
            name = "unprocessedrecords" if unknown else "successfulResults" if result["success"] else "failedResults"
            parts[name].append({"sf__Id": result.get("id", ""), "sf__Error": _say(result), **row})
        texts = {
            name: _write(["sf__Id", "sf__Error", *(rows[0] if rows else {})], part) for name, part in parts.items()
        }
        if unknown is not None:
            fault = f"InvalidBatch : {unknown['errors'][0]['message']}"
            return {**job, "state": "Failed", "errorMessage": fault, "results": texts}
        return {**job, "state": "JobComplete", "results": texts}


def _record(row: dict[str, str]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if value != ""}
    return {name: None if value == "#N/A" else TRUTH.get(value, value) for name, value in told.items()}


def _code(result: dict[str, Any]) -> str:
    return "" if result["success"] else str(result["errors"][0]["statusCode"])


def _say(result: dict[str, Any]) -> str:
    if result["success"]:
        return ""
    error = result["errors"][0]
    return f"{error['statusCode']}:{error['message']}:{', '.join(error['fields'])} --"


def _write(names: list[str], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _error(code: str, message: str) -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]
