"""Events that came before are taken out, and counted."""

from tests.enrich.conftest import NOW, Open, make_batch, make_event, to_table

CHAIN = [{"type": "fingerprint"}, {"type": "deduplicate"}]
ID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def test_duplicates_in_a_batch_and_of_a_recent_one_are_counted(pipeline: Open) -> None:
    first = make_batch(make_event(eid=ID, stm="1"), make_event(eid=ID, stm="2"), make_event(eid=ID, page="other"))
    again = make_batch(make_event(eid=ID, stm="3"), offset=2)
    enriched = pipeline(enrichments=CHAIN).enrich(to_table(first), NOW)
    assert (enriched.received, enriched.events.num_rows, enriched.failed["type"].to_pylist()) == (
        3, 2, ["duplicate_event"],
    )  # fmt: skip
    later = pipeline(enrichments=CHAIN).enrich(to_table(again), NOW)
    assert (later.events.num_rows, later.failed["type"].to_pylist()) == (0, ["duplicate_event"])


def test_a_batch_that_is_enriched_again_finds_no_duplicates_of_itself(pipeline: Open) -> None:
    payloads = to_table(make_batch(make_event(eid=ID), make_event(eid=ID)))
    first, second = (pipeline(enrichments=CHAIN).enrich(payloads, NOW) for _ in range(2))
    assert first.events.equals(second.events)
    assert first.failed.equals(second.failed)


def test_an_event_that_failed_is_no_reason_to_refuse_it_when_it_comes_again(pipeline: Open) -> None:
    for offset in (1, 2):
        payloads = to_table(make_batch(make_event(eid=ID, tr_cu="EURO"), offset=offset))
        enriched = pipeline(enrichments=CHAIN, strict=True).enrich(payloads, NOW)
        assert enriched.failed["type"].to_pylist() == ["schema_violations"]
