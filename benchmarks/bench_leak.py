"""What a leak is worth: the accelerator's own labels and features beside ours, on the same simulated visitors.

    python benchmarks/bench_leak.py [--visitors 8000]

The accelerator labels a visitor converted by an event anywhere in the history and takes features of the same history,
parted at random: the page on which one converts is among the features. Its report is compared with what its model is
worth on the day of use, when that page has not been seen yet.
"""  # fmt: skip

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from accelerator import follow_recipe
from rich.console import Console
from rich.table import Table
from simulated import simulate_lake
from sklearn.metrics import average_precision_score, roc_auc_score

from catchment.predict.leak import find_leak
from catchment.predict.learner import Features
from catchment.project import Project

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAME = "form_submitted"
TRIALS = 2
HISTORY = """
with people as (
  select domain_userid, max(case when event_name = 'page_view' then page_title end) as last_page_title,
    max(case when page_urlpath = '/thank-you' then 1 else 0 end) as pages_of_thanks,
    count(distinct page_urlpath) as pages, count(*) as events, count(distinct domain_sessionid) as sessions,
    max(mkt_medium) as mkt_medium, max(refr_medium) as refr_medium, max(geo_country) as geo_country,
    max(dvce_type) as device, min(derived_tstamp) as since
  from events
  where domain_userid is not null and coalesce(br_type, '') <> 'Robot'
    and lower(coalesce(useragent, '')) not like '%bot%'
  group by domain_userid
)
select people.*, case when exists (
  select 1 from conversions where conversions.domain_userid = people.domain_userid
) then 1 else 0 end as converted
from people order by since, domain_userid
"""
LEAKY = Features(("pages_of_thanks", "pages", "events", "sessions"),
                 ("last_page_title", "mkt_medium", "refr_medium", "geo_country", "device"))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=8_000)
    parser.add_argument("--folder", help="A project of an earlier run, to simulate only once.")
    asked = parser.parse_args()
    folder = Path(asked.folder) if asked.folder else Path(tempfile.mkdtemp()) / "bench"
    if (folder / "catchment.yml").is_file():
        project = Project.open(folder)
    else:
        project = simulate_lake(folder, asked.visitors, 1, NOW)
        project.build()
    (report,) = project.train(NAME)
    held = pq.read_table(folder / ".catchment/predictions" / NAME / "holdout.parquet")
    with project.engine.attach(project.lake) as session:
        history = session.query(HISTORY).read_all().to_pandas()
    reported, used = _as_the_accelerator(history, held)
    table = Table(title="The same visitors, the same conversions")
    for heading in ("recipe", "ROC AUC", "average precision"):
        table.add_column(heading, justify="left" if heading == "recipe" else "right")
    table.add_row("accelerator: what it reports", *(f"{value:.3f}" for value in reported))
    table.add_row("accelerator: its model on the day of use", *(f"{value:.3f}" for value in used))
    table.add_row(
        "ours: what it reports, on later visitors", f"{report.roc_auc:.3f}", f"{report.average_precision:.3f}"
    )
    Console().print(table)
    label = history["converted"].to_numpy() > 0
    halves = np.array_split(np.arange(len(label)), 2)
    folds = [(halves[0], halves[1]), (halves[1], halves[0])]
    for name in LEAKY.names:
        fault = find_leak(history[name], label, name in LEAKY.categories, folds)
        if fault:
            Console().print(f"Catchment refuses '{name}': {fault}.")


def _as_the_accelerator(history: Any, held: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Give what a random split of the whole history reports, and what the model finds before the conversion."""
    order = np.random.default_rng(20).permutation(len(history))
    label = history["converted"].to_numpy(dtype=float)
    train, validation, test = np.split(order, [int(0.6 * len(order)), int(0.75 * len(order))])
    frame = history[LEAKY.names]
    parts = [(frame.iloc[rows], label[rows]) for rows in (train, validation)]
    reported = follow_recipe(LEAKY, *parts, (frame.iloc[test], label[test]), TRIALS, 2).score
    truth = dict(zip(held["person_id"].to_pylist(), held["label"].to_pylist(), strict=True))
    rows = history["domain_userid"].isin(truth).to_numpy()
    before = frame[rows].assign(pages_of_thanks=0.0)
    before["last_page_title"] = before["last_page_title"].where(~before["last_page_title"].str.contains("Thank"), None)
    later = np.array([truth[person] for person in history.loc[rows, "domain_userid"]], dtype=float)
    used = follow_recipe(LEAKY, *parts, (before, later), TRIALS, 2).score
    return _quality(label[test], reported), _quality(later, used)


def _quality(label: Any, score: Any) -> tuple[float, float]:
    return float(roc_auc_score(label, score)), float(average_precision_score(label, score))


if __name__ == "__main__":
    main()
