"""A click's id names its network."""

from tests.enrich.enrichments.conftest import EnrichOne


def test_a_click_id_names_its_network(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "campaign"}, url="https://a.example/?fbclid=organic&msclkid=paid")
    assert (row["mkt_clickid"], row["mkt_network"]) == ("paid", "Microsoft")


def test_own_parameters_come_first(enrich_one: EnrichOne) -> None:
    block = {"type": "campaign", "click_ids": {"acme_click": "Acme"}, "source": ["src", "utm_source"]}
    row = enrich_one(block, url="https://a.example/?gclid=1&acme_click=2&utm_source=b&src=a%20b")
    assert (row["mkt_clickid"], row["mkt_network"], row["mkt_source"]) == ("2", "Acme", "a b")


def test_the_last_of_a_repeated_parameter_counts_and_an_empty_one_is_none(enrich_one: EnrichOne) -> None:
    block = {"type": "campaign", "medium": ["utm_medium", "medium"]}
    row = enrich_one(block, url="https://a.example/?utm_source=a&utm_source=b&utm_medium=&medium=cpc&UTM_TERM=no")
    assert (row["mkt_source"], row["mkt_medium"], row["mkt_term"]) == ("b", "cpc", None)
