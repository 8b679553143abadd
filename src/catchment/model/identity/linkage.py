"""Splink over records: how much each likeness says is learned from them, and pairs are scored by it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import PluginError
from catchment.model.identity.probable import Matching
from catchment.tables import IDENTITY_LINKS

NUMBER = "unique_id"
"""The column that numbers the records."""
PAIRS = 1e7
"""At most so many pairs are looked at to learn what one likeness says."""
SEED = 1
DIGITS = 6
"""Of scores and weights: fewer than sums of another order differ in, so that the same records give the same links."""
MEMORY = "2GB"


def find_links(records: pa.Table, matching: Matching) -> tuple[pa.Table, list[str]]:
    """Give the links between records, and the columns of which not every likeness was seen often enough to be learned.

    The same records give the same links. Raises PluginError where Splink is not installed.
    """
    with _quiet(), duckdb.connect(":memory:", config={"memory_limit": MEMORY}) as connection:
        splink, ways = _load()
        lists = [names for names in matching.candidates if _has_pairs(records, names)]
        if not lists:
            return IDENTITY_LINKS.schema.empty_table(), []
        settings = splink.SettingsCreator(
            link_type="dedupe_only",
            unique_id_column_name=NUMBER,
            comparisons=[_comparison(ways, column, how) for column, how in matching.compare.items()],
            blocking_rules_to_generate_predictions=[splink.block_on(*names) for names in matching.candidates],
            linker_uid="catchment",
        )
        linker = splink.Linker(splink.DuckDBAPI(connection=connection).register(records), settings, log_level=None)
        sure = [splink.block_on(*names) for names in matching.sure if _has_pairs(records, names)]
        if sure:
            linker.training.estimate_probability_two_random_records_match(sure, recall=matching.sure_share)
        linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS, seed=SEED)
        for names in lists:
            linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(*names), max_pairs=PAIRS)
        scored = linker.inference.predict(threshold_match_probability=matching.keep_from, warning_mode="never")
        model = linker.misc.save_model_to_json()
        return _as_links(scored.as_pyarrow_table(), records, _labels(model)), _untrained(model)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Splink's remarks from the screen: the report says what of them matters."""
    log = logging.getLogger("splink")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _load() -> tuple[Any, Any]:
    try:
        import splink
        from splink import comparison_library
    except ImportError as error:
        raise PluginError("Splink is not installed.", hint="pip install 'catchment[splink]'") from error
    return splink, comparison_library


def _comparison(ways: Any, column: str, how: str) -> Any:
    match how:
        case "name":
            return ways.NameComparison(column).configure(term_frequency_adjustments=True)
        case "text":
            return ways.LevenshteinAtThresholds(column, [1, 2])
        case "email":
            return ways.EmailComparison(column)
        case "date":
            return ways.DateOfBirthComparison(column, input_is_string=True)
        case _:
            return ways.ExactMatch(column).configure(term_frequency_adjustments=True)


def _has_pairs(records: pa.Table, names: list[str]) -> bool:
    """Say whether two records are equal in all of these columns."""
    told = records.select(names).drop_null()
    return bool(told.num_rows > told.group_by(names).aggregate([]).num_rows)


def _likenesses(model: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give each compared column with its likenesses, from the closest to none; that one is missing is none of them."""
    for comparison in model["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        yield comparison["output_column_name"], levels


def _labels(model: dict[str, Any]) -> dict[str, dict[int, str]]:
    """Name what each number in a column `gamma_...` means: the highest is the closest, -1 that a value is missing."""
    return {
        column: {len(levels) - 1 - place: level["label_for_charts"] for place, level in enumerate(levels[:-1])}
        for column, levels in _likenesses(model)
    }


def _untrained(model: dict[str, Any]) -> list[str]:
    return [
        column
        for column, levels in _likenesses(model)
        if any(level.get("m_probability") is None or level.get("u_probability") is None for level in levels)
    ]


def _as_links(scored: pa.Table, records: pa.Table, labels: dict[str, dict[int, str]]) -> pa.Table:
    """Name both records of each pair and what they have in common; of several pairs of records the likeliest."""
    ends = {side: records.take(scored[f"{NUMBER}_{side}"]) for side in ("l", "r")}
    because = [
        "; ".join(labels[column][value] for column, value in row.items() if value in labels[column])
        for row in scored.select([f"gamma_{column}" for column in labels]).rename_columns(list(labels)).to_pylist()
    ]
    links = pa.table(
        {
            "kind_a": ends["l"]["kind"],
            "value_a": ends["l"]["value"],
            "kind_b": ends["r"]["kind"],
            "value_b": ends["r"]["value"],
            "score": pc.round(scored["match_probability"], DIGITS),
            "match_weight": pc.round(scored["match_weight"], DIGITS),
            "because": pa.array(because, pa.string()),
        },
        schema=IDENTITY_LINKS.schema,
    )
    is_one = pc.and_(pc.equal(links["kind_a"], links["kind_b"]), pc.equal(links["value_a"], links["value_b"]))
    ends_of = ("kind_a", "value_a", "kind_b", "value_b")
    rest = [("match_weight", "descending"), ("because", "ascending")]
    ranked = links.filter(pc.invert(is_one)).sort_by([*((name, "ascending") for name in ends_of), *rest])
    return _first_of_each(ranked, ends_of)


def _first_of_each(ranked: pa.Table, names: tuple[str, ...]) -> pa.Table:
    places = pa.table({**{name: ranked[name] for name in names}, "place": range(ranked.num_rows)})
    firsts = places.group_by(list(names)).aggregate([("place", "min")])["place_min"]
    return ranked.take(firsts.combine_chunks().sort())
