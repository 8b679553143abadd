"""Amounts are converted into one currency."""

from decimal import Decimal
from pathlib import Path

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

SALE = {"e": "tr", "tr_tt": "108.00", "tr_tx": "10.80", "tr_cu": "USD"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rates.yml", "USD: 1.08\n"),
        ("rates.csv", "date,currency,rate\n2026-05-01,USD,9\n2026-01-01,USD,1.08\n2025-01-01,USD,3\n"),
    ],
)
def test_amounts_are_converted_by_the_rate_of_their_day(
    enrich_one: EnrichOne, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    row = enrich_one({"type": "currency", "base": "EUR", "path": name}, **SALE)
    assert (row["tr_total_base"], row["tr_tax_base"], row["base_currency"]) == (Decimal(100), Decimal(10), "EUR")
    assert row["ti_price_base"] is None


def test_a_currency_without_a_rate_flags_the_event(enrich_one: EnrichOne, tmp_path: Path) -> None:
    (tmp_path / "rates.yml").write_text("USD: 1.08\n")
    row = enrich_one({"type": "currency", "base": "EUR", "path": "rates.yml"}, **{**SALE, "tr_cu": "CHF"})
    assert (row["tr_total_base"], row["base_currency"]) == (None, None)
    assert "CHF" in row["contexts_com_snowplowanalytics_snowplow_failure_1"][0]["errors"][0]


@pytest.mark.parametrize("text", [None, "USD: 0", "nonsense", "USD: much"])
def test_a_table_that_is_none_is_told(enrich_one: EnrichOne, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "rates.yml").write_text(text)
    with pytest.raises((SettingsError), match=r"rates\.yml"):
        enrich_one({"type": "currency", "base": "EUR", "path": "rates.yml"})
