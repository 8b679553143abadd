"""Campaigns: cost beside visitors, conversions and qualified leads."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from catchment.lake.lake import Lake
from catchment.measure import MeasureSettings
from catchment.measure.campaigns import measure
from catchment.plugin import build_plugin
from catchment.tables import AD_SPEND, CRM_LEADS

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def spend(platform: str, amount: float, currency: str = "EUR") -> dict[str, object]:
    return {
        "date": date(2026, 4, 1),
        "platform": platform,
        "campaign": "Spring",
        "impressions": 100,
        "clicks": 10,
        "spend": amount,
        "currency": currency,
        "ingested_at": NOW,
    }


def lead(lead_id: str, stage: str, *, user_id: str | None = None, email: str | None = None) -> dict[str, object]:
    return {
        "lead_id": lead_id,
        "user_id": user_id,
        "email": email,
        "stage": stage,
        "stage_tstamp": NOW,
        "amount": 1000.0,
        "currency": "EUR",
        "ingested_at": NOW,
    }


def person(person_id: str, source: str, *, user_id: str | None = None, email: str | None = None) -> dict[str, object]:
    return {"person_id": person_id, "user_id": user_id, "email": email, "mkt_source": source, "mkt_campaign": "spring"}


PERSON = pa.schema([(name, pa.string()) for name in ("person_id", "user_id", "email", "mkt_source", "mkt_campaign")])


def run(lake: Lake) -> dict[str, dict[str, object]]:
    engine = build_plugin("lake/engines", {"type": "duckdb"}, place="test")
    with engine.attach(lake) as session:
        return {row["platform"]: row for row in measure(session, lake, MeasureSettings(), NOW).to_pylist()}


def test_a_campaign_is_credited_with_whom_it_first_brought(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    people = [person("p1", "facebook", user_id="u1"), person("p2", "ig", email="B@x.co"), person("p3", "google")]
    sessions = [{"person_id": p["person_id"], "mkt_source": p["mkt_source"], "mkt_campaign": "spring"} for p in people]
    lake.overwrite("people", pa.Table.from_pylist(people, PERSON))
    lake.overwrite("sessions", pa.Table.from_pylist(sessions))
    lake.overwrite("conversions", pa.Table.from_pylist([{"person_id": "p1"}, {"person_id": "p3"}]))
    lake.overwrite("ad_spend", pa.Table.from_pylist([spend("meta", 100), spend("google", 50)], AD_SPEND.schema))
    leads = [
        lead("1", "won", user_id="u1"),
        lead("2", "sales_qualified", email="b@x.co"),
        lead("3", "new", email="b@x.co"),
    ]
    lake.overwrite("crm_leads", pa.Table.from_pylist(leads, CRM_LEADS.schema))
    found = run(lake)
    meta = found["meta"]
    assert (meta["visitors"], meta["conversions"], meta["qualified_leads"]) == (2, 1, 2)
    assert (meta["cost_per_conversion"], meta["cost_per_qualified_lead"], meta["pipeline_amount"]) == (100, 50, 2000)
    assert (found["google"]["conversions"], found["google"]["cost_per_qualified_lead"]) == (1, None)
    assert lake.read("campaign_performance").num_rows == 2


def test_spend_in_two_currencies_is_never_added(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    two = [spend("meta", 100), spend("meta", 80, "USD") | {"date": date(2026, 4, 2)}]
    lake.overwrite("ad_spend", pa.Table.from_pylist(two, AD_SPEND.schema))
    meta = run(lake)["meta"]
    assert (meta["spend"], meta["currency"], meta["clicks"], meta["visitors"]) == (None, None, 20, 0)


def test_nothing_ingested_measures_nothing(tmp_path: Path) -> None:
    assert run(Lake(str(tmp_path))) == {}
