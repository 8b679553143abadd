"""What a leak is worth: the accelerator's own labels and features beside ours, on the same simulated visitors.

    python benchmarks/bench_leak.py [--visitors 8000] [--folder PROJECT]

The accelerator takes label and features from the same page views: who ever saw the page on which one converts has
converted, and what a visitor's page views say, that page among them, is what the model reads; people are parted at
random. Its report stands beside what the same model is worth on the day of use, when only the first visit is over, and
beside what ours reports of the same later visitors. Then Catchment is asked to train on the accelerator's columns.
"""  # fmt: skip

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from accelerator import follow_recipe
from rich.console import Console
from rich.table import Table
from simulated import simulate_lake
from sklearn.metrics import average_precision_score, roc_auc_score

from catchment.errors import DefinitionError
from catchment.predict.learner import Features
from catchment.project import Project
from catchment.simulate.run import TRUTH_FILE

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAME = "form_submitted"
TRIALS = 5
PAGES = {
    "views_of_pricing": "/pricing", "views_of_docs": "/docs", "views_of_get_started": "/get-started",
    "views_of_contact": "/contact", "views_of_thank_you": "/thank-you",
}  # fmt: skip
CONVERTS = ("/get-started", "/contact")
COUNTS = ("page_views", "pages", "sessions", "link_clicks", "page_pings", *PAGES)
TEXTS = ("first_page_title", "last_page_title", "mkt_medium", "refr_medium", "geo_country", "device")
THEIRS = Features(COUNTS, TEXTS)
console = Console()


def main() -> None:
    asked = _arguments()
    folder = Path(asked.folder) if asked.folder else Path(tempfile.mkdtemp()) / "bench"
    if (folder / "catchment.yml").is_file():
        project = Project.open(folder)
    else:
        project = simulate_lake(folder, asked.visitors, 1, NOW)
        project.build()
    (report,) = project.train(NAME)
    held = pl.from_arrow(pq.read_table(folder / ".catchment/predictions" / NAME / "holdout.parquet"))
    events = _read_events(project)
    history = _describe(events)
    reported, used, people = _follow(history, events, held)
    truth = _truth(folder, held)
    table = Table(title="The same visitors, the same website")
    for heading in ("who says so, and of whom", "people", "ROC AUC", "average precision"):
        table.add_column(heading, justify="left" if heading.startswith("who") else "right")
    rows = {
        "accelerator: what it reports": (people, *reported),
        "accelerator: the same model on the day of use": (len(held), *used),
        "ours: what it reports, on those visitors": (len(held), report.roc_auc, report.average_precision),
        "the true probabilities, on those visitors": (len(held), *truth),
    }
    for who, (count, roc_auc, precision) in rows.items():
        table.add_row(who, f"{count:,}", f"{roc_auc:.3f}", f"{precision:.3f}")
    console.print(table)
    _try_their_columns(project, history)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=8_000)
    parser.add_argument("--folder", help="A project of an earlier run, to simulate only once.")
    return parser.parse_args()


def _read_events(project: Project) -> pl.DataFrame:
    """Read the events of humans, in the order in which they happened."""
    with project.engine.attach(project.lake) as session:
        read = session.query(
            "select domain_userid, domain_sessionid, event_name, page_urlpath, page_title, mkt_medium, refr_medium, "
            "geo_country, dvce_type, derived_tstamp from events where domain_userid is not null "
            "and coalesce(br_type, '') <> 'Robot' and lower(coalesce(useragent, '')) not like '%bot%' "
            "order by derived_tstamp, event_id"
        ).read_all()
    return pl.DataFrame(pl.from_arrow(read))


def _describe(events: pl.DataFrame) -> pl.DataFrame:
    """Describe each visitor by whatever events are given: the accelerator gives them all."""
    name, path, title = pl.col("event_name"), pl.col("page_urlpath"), pl.col("page_title")
    is_view = name == "page_view"
    views = {column: (is_view & path.str.starts_with(start)).sum() for column, start in PAGES.items()}
    return events.group_by("domain_userid", maintain_order=True).agg(
        page_views=is_view.sum(), pages=path.n_unique(), sessions=pl.col("domain_sessionid").n_unique(),
        link_clicks=(name == "link_click").sum(), page_pings=(name == "page_ping").sum(), **views,
        first_page_title=title.filter(is_view).first(), last_page_title=title.filter(is_view).last(),
        mkt_medium=pl.col("mkt_medium").drop_nulls().first(), refr_medium=pl.col("refr_medium").drop_nulls().first(),
        geo_country=pl.col("geo_country").last(), device=pl.col("dvce_type").last(),
        converted=(is_view & path.is_in(CONVERTS)).any(), since=pl.col("derived_tstamp").min(),
    )  # fmt: skip


def _follow(history: pl.DataFrame, events: pl.DataFrame, held: pl.DataFrame) -> tuple[Any, Any, int]:
    """Give what a random split of the whole history reports, and what the model finds after the first visit."""
    order = np.random.default_rng(20).permutation(len(history))
    rows = np.split(order, [int(0.6 * len(order)), int(0.75 * len(order))])
    train, validation, test = ((_frame(history[part]), _label(history[part])) for part in rows)
    reported = follow_recipe(THEIRS, train, validation, test, TRIALS, 1).score
    looks = held.select(domain_userid="person_id", at="observed_at", label="label")
    known = events.join(looks, on="domain_userid").filter(pl.col("derived_tstamp") <= pl.col("at"))
    then = _describe(known).join(looks, on="domain_userid")
    later = then["label"].to_numpy().astype(float)
    used = follow_recipe(THEIRS, train, validation, (_frame(then), later), TRIALS, 1).score
    return _quality(test[1], reported), _quality(later, used), len(test[1])


def _frame(people: pl.DataFrame) -> Any:
    return people.select(*(pl.col(name).cast(pl.Float64) for name in COUNTS), *TEXTS).to_pandas()


def _label(people: pl.DataFrame) -> Any:
    return people["converted"].to_numpy().astype(float)


def _truth(folder: Path, held: pl.DataFrame) -> tuple[float, float]:
    truth = pl.read_csv(folder / TRUTH_FILE)
    known = dict(zip(truth["domain_userid"], truth["true_probability"], strict=True))
    return _quality(held["label"].to_numpy(), [known[person] for person in held["person_id"]])


def _quality(label: Any, score: Any) -> tuple[float, float]:
    return float(roc_auc_score(label, score)), float(average_precision_score(label, score))


def _try_their_columns(project: Project, history: pl.DataFrame) -> None:
    """Put the columns into the lake as somebody would who trusts them, and train from them."""
    table = history.select("domain_userid", "since", *COUNTS, *TEXTS)
    project.lake.overwrite(
        "their_columns", table.rename({"domain_userid": "person_id", "since": "observed_tstamp"}).to_arrow()
    )
    file = project.folder / "predictions" / "leaking.yml"
    file.write_text(
        "name: leaking\noutcome: {conversion: form_submitted}\nhorizon_days: 14\n"
        "features: {sources: [their_columns]}\nsearch: {trials: 1}\n"
    )
    try:
        project.train("leaking")
    except DefinitionError as error:
        console.print(f"Catchment refuses to train from these columns:\n{error}")
    else:
        console.print("Catchment trained from these columns without a word.", style="red")
    finally:
        file.unlink()


if __name__ == "__main__":
    main()
