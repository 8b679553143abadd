"""HubSpot: contacts by batch of up to 100 (upsert, update, read, archive), GDPR deletion, and memberships of lists.

From the CRM API v3 reference: inputs that carry an `objectWriteTraceId` are answered one by one in a 207, and without
it one bad input fails the request; a property that does not exist always does. An id that comes twice is refused. Only
manual and snapshot lists take members; records that do not exist come back as missing.
"""

import re
import secrets
from collections import Counter
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

TOKEN = "sandbox-hubspot-token"
LISTS = {"41": "MANUAL", "42": "DYNAMIC"}
INPUTS_PER_REQUEST = 100
UNIQUE = ("email", "catchment_id")
PROPERTIES = {*UNIQUE, "firstname", "lastname", "company", "country", "phone", "jobtitle", "lifecyclestage", "score"}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Fault = tuple[str, str]


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as HubSpot does."""
    if status == 429:
        headers = {
            "X-HubSpot-RateLimit-Max": "100",
            "X-HubSpot-RateLimit-Remaining": "0",
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(retry_after_s * 1_000),
        }
        body = _error("RATE_LIMITS", "You have reached your ten_secondly_rolling limit.")
        return Failure(headers, {**body, "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"})
    if status == 401:
        return Failure({}, _error("INVALID_AUTHENTICATION", "Authentication credentials not found."))
    return Failure({}, _error("VALIDATION_ERROR" if status == 400 else "INTERNAL_ERROR", f"refused with {status}"))


def routes(store: Store) -> APIRouter:
    """Give the endpoints of contacts and lists over the store."""
    router = APIRouter()
    contacts = _Contacts(store)

    @router.api_route("/crm/v3/{path:path}", methods=["GET", "POST", "PUT"])
    async def crm(path: str, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return answer(401, fail(401, 0).body)
        headers = {"X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "99"}
        status, body = _serve(contacts, f"{request.method} {path}", await request.body())
        return Response(status_code=204, headers=headers) if status == 204 else answer(status, body, headers)

    return router


def _serve(contacts: "_Contacts", called: str, body: bytes) -> tuple[int, Any]:
    if called == "GET objects/contacts":
        return 200, {"results": []}
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, _error("VALIDATION_ERROR", "Invalid input JSON")
    members = re.fullmatch(r"PUT lists/(\w+)/memberships/(add|remove)", called)
    if members:
        return contacts.change_list(members[1], content, is_added=members[2] == "add")
    if called == "POST objects/contacts/gdpr-delete":
        return contacts.delete([str(content.get("objectId"))])
    batch = re.fullmatch(r"POST objects/contacts/batch/(upsert|update|read|archive)", called)
    if not batch:
        return 404, _error("OBJECT_NOT_FOUND", "resource not found")
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or not inputs or len(inputs) > INPUTS_PER_REQUEST:
        return 400, _error("VALIDATION_ERROR", f"inputs must hold 1 to {INPUTS_PER_REQUEST} objects")
    if max(Counter(str(one.get("id")) for one in inputs).values()) > 1:
        return 400, _error("VALIDATION_ERROR", "Duplicate IDs found in batch input")
    if batch[1] == "archive":
        return contacts.delete([str(one["id"]) for one in inputs])
    if batch[1] == "read":
        return contacts.read(content.get("idProperty"), [str(one["id"]) for one in inputs])
    return contacts.write(inputs, creates=batch[1] == "upsert")


class _Contacts:
    def __init__(self, store: Store) -> None:
        self.store = store

    def find(self, name: str | None, value: str) -> dict[str, Any] | None:
        if name in UNIQUE:
            known = self.store.get("hubspot", f"by_{name}", value.lower() if name == "email" else value)
            return None if known is None else self.store.get("hubspot", "contacts", known["id"])
        return self.store.get("hubspot", "contacts", value)

    def read(self, name: str | None, values: list[str]) -> tuple[int, Any]:
        found = [(value, self.find(name, value)) for value in values]
        missing = [value for value, contact in found if contact is None]
        errors = [{**_error("OBJECT_NOT_FOUND", "Could not get some CONTACT objects"), "context": {"ids": missing}}]
        body = {"status": "COMPLETE", "results": [contact for _, contact in found if contact is not None]}
        return (207, {**body, "numErrors": len(missing), "errors": errors}) if missing else (200, body)

    def write(self, inputs: list[dict[str, Any]], *, creates: bool) -> tuple[int, Any]:
        unknown = sorted({name for one in inputs for name in one.get("properties", {})} - PROPERTIES)
        if unknown:
            told = {"isValid": False, "error": "PROPERTY_DOESNT_EXIST", "name": unknown[0]}
            said = f"Property values were not valid: {orjson.dumps([told]).decode()}"
            return 400, _error("VALIDATION_ERROR", said)
        results, errors = [], []
        for one in inputs:
            fault = self._fault(one, creates=creates)
            trace = one.get("objectWriteTraceId")
            if fault is None:
                results.append({**self._put(one), **({} if trace is None else {"objectWriteTraceId": trace})})
            elif trace is None:
                return 400, _error(*fault)
            else:
                errors.append({**_error(*fault), "context": {"objectWriteTraceId": [trace]}})
        body: dict[str, Any] = {"status": "COMPLETE", "results": results}
        return (207, {**body, "numErrors": len(errors), "errors": errors}) if errors else (200, body)

    def delete(self, ids: list[str]) -> tuple[int, Any]:
        for one in ids:
            held = self.store.get("hubspot", "contacts", one) or {"properties": {}}
            for name in UNIQUE:
                self.store.remove("hubspot", f"by_{name}", [held["properties"].get(name) or ""])
            for list_id in LISTS:
                self.store.remove("hubspot", f"list_{list_id}", [one])
        self.store.remove("hubspot", "contacts", ids)
        return 204, None

    def change_list(self, list_id: str, ids: Any, *, is_added: bool) -> tuple[int, Any]:
        if list_id not in LISTS:
            return 404, _error("OBJECT_NOT_FOUND", f"List does not exist with ID {list_id}.")
        if LISTS[list_id] == "DYNAMIC" or not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            return 400, _error("VALIDATION_ERROR", "The list is dynamic, or the body is no array of record ids.")
        known = [one for one in ids if self.store.get("hubspot", "contacts", one) is not None]
        if is_added:
            self.store.put("hubspot", f"list_{list_id}", {one: {} for one in known})
        else:
            self.store.remove("hubspot", f"list_{list_id}", ids)
        changed = {"recordsIdsAdded": known if is_added else [], "recordIdsRemoved": [] if is_added else known}
        return 200, {**changed, "recordIdsMissing": [one for one in ids if one not in known]}

    def _fault(self, one: dict[str, Any], *, creates: bool) -> Fault | None:
        name, value = one.get("idProperty"), str(one.get("id"))
        if creates and name not in UNIQUE:
            return "VALIDATION_ERROR", f"idProperty {name} does not have unique values"
        held = self.find(name, value)
        if held is None and not creates:
            return "OBJECT_NOT_FOUND", f"No contact with {name} {value}"
        email = one["properties"].get("email")
        if email and not EMAIL.fullmatch(str(email)):
            return "VALIDATION_ERROR", f"Email address {email} is invalid"
        other = self.find("email", str(email)) if email else None
        if other is not None and (held is None or other["id"] != held["id"]):
            return "CONFLICT", f"Contact already exists. Existing ID: {other['id']}"
        return None

    def _put(self, one: dict[str, Any]) -> dict[str, Any]:
        name, value = str(one["idProperty"]), str(one["id"])
        held = self.find(name, value) or {"id": str(secrets.randbelow(10**11)), "properties": {}}
        told = {**held["properties"], name: value, **one["properties"]}
        properties = {key: str(item) for key, item in told.items() if item not in ("", None)}
        if "email" in properties:
            properties["email"] = properties["email"].lower()
        contact = {"id": held["id"], "properties": properties}
        self.store.put("hubspot", "contacts", {held["id"]: contact})
        for key in UNIQUE:
            self.store.remove("hubspot", f"by_{key}", [held["properties"].get(key) or ""])
            if key in properties:
                self.store.put("hubspot", f"by_{key}", {properties[key]: {"id": held["id"]}})
        return contact


def _error(category: str, message: str) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, "correlationId": secrets.token_hex(8)}
