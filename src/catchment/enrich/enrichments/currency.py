"""Convert amounts into one currency."""

import csv
from bisect import bisect_right
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column
from catchment.errors import SettingsError
from catchment.event import MONEY, STRING

_AMOUNTS = {
    "tr_total": "tr_currency", "tr_tax": "tr_currency", "tr_shipping": "tr_currency", "ti_price": "ti_currency"
}  # fmt: skip
_CENT = Decimal("0.01")

Rates = dict[str, list[tuple[date, Decimal]]]
"""By currency: how much of it one unit of the base currency buys, from which day on; oldest first."""


class Currency(Enrichment):
    """Convert amounts into one currency by a table of your own; an amount without a rate flags the event."""

    base: str = Field(pattern=r"^[A-Z]{3}$", description="The currency converted into, such as EUR.")
    path: str = Field(
        description="Rates, as what one unit of the base buys: a .yml of 'USD: 1.08', or a .csv with the columns "
        "currency, rate and, if rates change, date."
    )

    def reads(self) -> tuple[str, ...]:
        return (*_AMOUNTS, *dict.fromkeys(_AMOUNTS.values()), "collector_tstamp")

    def writes(self) -> tuple[str, ...]:
        return (*(f"{name}_base" for name in _AMOUNTS), "base_currency")

    def open(self, project_folder: Path) -> Step:
        path = project_folder / self.path
        try:
            rates = _read(path)
        except (OSError, AttributeError, KeyError, TypeError, ValueError, InvalidOperation, yaml.YAMLError) as error:
            raise SettingsError(
                f"The currency enrichment cannot read {path}: {type(error).__name__}.",
                hint="Write lines such as 'USD: 1.08' (.yml) or 'currency,rate' and 'USD,1.08' (.csv).",
            ) from error
        return partial(_enrich, rates | {self.base: [(date.min, Decimal(1))]}, self.base)


def _read(path: Path) -> Rates:
    text = path.read_text()
    if path.suffix == ".csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(text.splitlines()))
    else:
        rows = [{"currency": name, "rate": rate} for name, rate in yaml.safe_load(text).items()]
    rates: Rates = {}
    for row in rows:
        since = date.fromisoformat(row["date"]) if row.get("date") else date.min
        rate = Decimal(str(row["rate"]))
        if rate <= 0:
            raise ValueError("a rate is not above 0")
        rates.setdefault(str(row["currency"]), []).append((since, rate))
    return {name: sorted(known) for name, known in rates.items()}


def _enrich(rates: Rates, base: str, events: pa.Table) -> Columns:
    size = events.num_rows
    told = [name for name in _AMOUNTS if events[name].null_count < size]
    if not told:
        return {}
    days = [moment.date() for moment in column(events, "collector_tstamp").to_pylist()]
    columns: Columns = {}
    missing: dict[int, str] = {}
    for name in told:
        currencies = column(events, _AMOUNTS[name]).to_pylist()
        made: list[Decimal | None] = [None] * size
        for row, (amount, currency) in enumerate(zip(column(events, name).to_pylist(), currencies, strict=True)):
            if amount is None or currency is None:
                continue
            rate = _find(rates.get(currency, []), days[row])
            if rate is None:
                missing[row] = f"There is no rate for {currency[:3]} on {days[row]}."
            else:
                made[row] = (amount / rate).quantize(_CENT)
        columns[f"{name}_base"] = pa.array(made, MONEY)
    converted = [any(row) for row in zip(*(values.is_valid().to_pylist() for values in columns.values()), strict=True)]
    columns["base_currency"] = pc.if_else(pa.array(converted), base, pa.scalar(None, STRING))
    if missing:
        columns[FLAG] = pa.array([missing.get(row) for row in range(size)], STRING)
    return columns


def _find(known: list[tuple[date, Decimal]], day: date) -> Decimal | None:
    position = bisect_right(known, day, key=lambda entry: entry[0])
    return known[position - 1][1] if position else None
