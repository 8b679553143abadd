"""What a definition would come to, and why somebody is in or out, with nothing changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from catchment.audience.catalog import open_catalog
from catchment.audience.preview import REDACTED, Block, Previewer, Reason, Share
from catchment.errors import DefinitionError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake

from .acme import NOW, attached, audience
from .shop import SETTINGS, fill_shop

WHERE: dict[str, Any] = {
    "all": [
        {"column": "sessions", "is": 1},
        {"any": [{"event": "page_view"}, {"related": "orders", "where": {"column": "amount", "gte": 50}}]},
    ]
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with attached(fill_shop(Lake(str(tmp_path_factory.mktemp("lake"))))) as session:
        yield session


def previewer(session: Session, **settings: Any) -> Previewer:
    backend = session.ibis()
    return Previewer(backend, open_catalog(backend, SETTINGS.model_copy(update=settings)), NOW)


def test_the_whole_and_each_block_are_counted(session: Session) -> None:
    preview = previewer(session).preview(audience(WHERE), sample=0)
    assert (preview.size, preview.population) == (3, 5)
    assert preview.blocks == (
        Block("where", "all", 3),
        Block("where.all[0]", "column: sessions, is: 1", 3),
        Block("where.all[1]", "any", 4),
        Block("where.all[1].any[0]", "event: page_view", 4),
        Block("where.all[1].any[1]", "where: {'column': 'amount', 'gte': 50}, related: orders", 1),
    )


def test_a_sample_shows_only_columns_that_may_be_seen(session: Session) -> None:
    preview = previewer(session, shown=["country"]).preview(audience(WHERE), columns=["country", "sessions"], sample=2)
    assert preview.sample == (
        {"person_id": "ann", "country": "DE", "sessions": REDACTED},
        {"person_id": "cem", "country": "FR", "sessions": REDACTED},
    )


def test_members_spread_over_a_column(session: Session) -> None:
    preview = previewer(session).preview(audience({"column": "sessions", "gte": 1}), by=["converted"], sample=0)
    assert preview.breakdown["converted"] == (Share(False, 3, 0.6), Share(True, 1, 0.2), Share(None, 1, 0.2))


def test_a_column_there_is_not_is_named(session: Session) -> None:
    with pytest.raises(DefinitionError, match=r"audiences/a\.yml: by: the table 'people' has no column 'contry'"):
        previewer(session).preview(audience(WHERE), by=["contry"])


def test_a_cap_and_a_top_are_part_of_the_size(session: Session) -> None:
    assert previewer(session).preview(audience(WHERE, cap=2), sample=0).size == 2
    assert previewer(session).preview(audience(WHERE, top={"by": "sessions", "count": 1}), sample=0).size == 1


def test_why_somebody_is_in_or_out_is_told_condition_by_condition(session: Session) -> None:
    told = previewer(session).why(audience(WHERE), "bob")
    assert told is not None
    assert [(reason.place, reason.holds) for reason in told] == [
        ("where", False),
        ("where.all[0]", False),
        ("where.all[1]", True),
        ("where.all[1].any[0]", True),
        ("where.all[1].any[1]", False),
    ]
    assert told[1] == Reason("where.all[0]", "column: sessions, is: 1", False)
    assert previewer(session).why(audience(WHERE), "nobody") is None


def test_two_audiences_overlap_by_so_many(session: Session) -> None:
    one = audience({"column": "sessions", "is": 1}, name="one")
    other = audience({"event": "signup"}, name="other")
    (overlap,) = previewer(session).overlap([one, other])
    assert (overlap.one, overlap.other, overlap.people) == ("one", "other", 1)
    assert (overlap.share_of_one, overlap.share_of_other) == (pytest.approx(1 / 3), 0.5)
