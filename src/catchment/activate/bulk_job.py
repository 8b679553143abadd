"""Salesforce's Bulk API 2.0: many records as one job of CSV, and what it says of each once the job is done."""

import csv
import io
from typing import Any

import orjson

from catchment.activate.batch import SENT, Outcome, Payload

EMPTIES = "#N/A"
"""Empties a field; a cell without text leaves it as it is."""
ENDED = ("JobComplete", "Failed", "Aborted")
RESULTS = ("failedResults", "unprocessedrecords", "successfulResults")


def write_records(records: list[Payload]) -> bytes:
    """Write records as CSV: of each, what it does not tell is left as it is there."""
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(record[name]) if name in record else "" for name in names] for record in records)
    return text.getvalue().encode()


def read_verdicts(text: str, id_field: str) -> dict[str, str]:
    """Read a result file: the error of each record, by its external id; no text where the file has none."""
    rows = csv.DictReader(io.StringIO(text))
    return {row[id_field]: row.get("sf__Error") or "" for row in rows}


def judge(key: str, job: dict[str, Any], files: dict[str, dict[str, str]], later: set[str]) -> Outcome:
    """Give one record's outcome by the three result files of an ended job."""
    if key in files["failedResults"]:
        return _read_error(files["failedResults"][key], later)
    is_done = job["state"] == "JobComplete" or key in files["successfulResults"]
    if key in files["unprocessedrecords"] or not is_done:
        return Outcome("retry", job["state"], f"the job ended before this record: {job.get('errorMessage')}")
    return SENT


def _read_error(text: str, later: set[str]) -> Outcome:
    """Read `CODE:message:fields --` as Salesforce writes it."""
    code, _, rest = text.partition(":")
    message, _, fields = rest.rpartition(":")
    names = fields.removesuffix("--").strip() or None
    return Outcome("retry" if code in later else "rejected", code, message or rest, names)


def _cell(value: Any) -> str:
    if value is None:
        return EMPTIES
    return value if isinstance(value, str) else orjson.dumps(value).decode()
