"""Who hears that a sync failed, is overdue or is refused too much, and that it is well again: once for each change.

What was told stands in `sync_alerts`; a message that could not be delivered stands there with the error, and is tried
again at the next run.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from catchment.activate.channels import UNDELIVERED, Channel
from catchment.activate.definition import Sync
from catchment.lake.lake import Lake
from catchment.tables import SYNC_ALERTS

State = Literal["ok", "failed", "rejected", "overdue"]


Verdict = tuple[State, str]
"""How a sync stands, and why."""


class News(NamedTuple):
    """One change of a sync's state."""

    sync: str
    destination: str
    state: State
    before: State
    reason: str
    run_id: str
    at: datetime

    @property
    def text(self) -> str:
        """Say it to a person."""
        told = {
            "ok": f"is well again (it was {self.before})",
            "failed": "failed",
            "rejected": "is refused too much",
            "overdue": "is overdue",
        }
        return f"Sync {self.sync} to {self.destination} {told[self.state]}" + (
            f": {self.reason}" if self.reason else "."
        )


def judge(sync: Sync, report: Any) -> Verdict:
    """Say how a run left its sync, and why."""
    if report.status == "failed":
        return "failed", report.error
    planned = report.added + report.changed + report.removed
    share = report.rejected / planned if planned else 0.0
    if share > sync.alerts.rejected_share:
        return "rejected", f"{report.rejected:,} of {planned:,} rows ({share:.0%}); `sync_rows` says why"
    waits = report.retry + report.unknown
    if planned and waits == planned:
        return "failed", f"none of {planned:,} rows got an answer"
    return "ok", ""


def tell(
    sync: Sync, verdict: Verdict, channels: Mapping[str, Channel], lake: Lake, *, now: datetime, run_id: str = ""
) -> list[str]:
    """Tell the sync's channels of its state, each once for each change; give the names of those that were told."""
    state, reason = verdict
    names = sync.alerts.channels or tuple(channels)
    told, rows = [], []
    for name in names:
        before = last_told(sync.name, name, lake)
        if before == state:
            continue
        news = News(sync.name, sync.destination, state, before, reason, run_id, now)
        error = _deliver(channels[name], news)
        rows.append({"sync": sync.name, "state": state, "reason": reason, "run_id": run_id, "channel": name,
                     "told_at": now, "error": error})  # fmt: skip
        told += [] if error else [name]
    if rows:
        lake.append(SYNC_ALERTS.name, pa.Table.from_pylist(rows, SYNC_ALERTS.schema))
    return told


def last_told(sync: str, channel: str, lake: Lake) -> State:
    """Give the state that a channel was last told of a sync; without a word it takes a sync for well."""
    rows = lake.read(SYNC_ALERTS.name, filters=[("sync", "=", sync), ("channel", "=", channel)])
    told = [row for row in rows.sort_by("told_at").to_pylist() if not row["error"]]
    return told[-1]["state"] if told else "ok"


def _deliver(channel: Channel, news: News) -> str:
    """Give the error that kept a message from being delivered; it must not keep a sync from being done."""
    try:
        channel.tell(news.text, {**news._asdict(), "at": news.at.isoformat()})
    except UNDELIVERED as error:
        return f"{type(error).__name__}"
    return ""
