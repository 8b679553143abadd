"""Rows become batches that no limit forbids, whatever the rows."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from catchment.activate.batch import Limits
from catchment.activate.batches import BRACKETS, chunk_size, cut, size_of, with_last

BODIES = st.lists(st.fixed_dictionaries({"id": st.integers(0, 5), "name": st.text(max_size=20)}), max_size=40)
LIMITS = st.builds(
    Limits,
    rows=st.none() | st.integers(1, 10),
    size_bytes=st.none() | st.integers(BRACKETS + 200, BRACKETS + 600),
    distinct_ids=st.none() | st.integers(1, 4),
)


@given(bodies=BODIES, limits=LIMITS)
def test_every_row_is_in_one_batch_in_order_and_no_batch_is_over_a_limit(
    bodies: list[dict[str, object]], limits: Limits
) -> None:
    texts = [orjson.dumps(body).decode() for body in bodies]
    parts = list(cut(texts, bodies, limits, ["id"]))
    assert [text for part in parts for text in texts[part]] == texts
    for part in parts:
        rows = bodies[part]
        assert limits.rows is None or len(rows) <= limits.rows
        assert limits.size_bytes is None or len(orjson.dumps(rows)) <= limits.size_bytes
        assert limits.distinct_ids is None or len({row["id"] for row in rows}) <= limits.distinct_ids


@given(text=st.text())
def test_a_size_is_told_in_bytes_not_in_letters(text: str) -> None:
    assert size_of(text) == len(text.encode())


@given(rows=st.none() | st.integers(1, 2_000_000), count=st.integers(0, 5_000_000))
def test_rows_taken_at_a_time_fill_whole_batches(rows: int | None, count: int) -> None:
    size = chunk_size(Limits(rows=rows), count)
    assert size >= count if rows is None else size % rows == 0


@given(things=st.lists(st.integers()))
def test_the_last_is_told_as_the_last_and_no_other(things: list[int]) -> None:
    told = list(with_last(things))
    assert [thing for thing, _ in told] == things
    assert [is_last for _, is_last in told] == [False] * (len(things) - 1) + [True] * bool(things)
