"""Browsers, systems and devices are named by uap-core's rules, or by one's own."""

from pathlib import Path

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

ENTITY = "contexts_com_snowplowanalytics_snowplow_ua_parser_context_1"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
RULES = r"""
user_agent_parsers:
  - regex: '(AcmeKiosk)/(\d+)\.(\d+)'
os_parsers: []
device_parsers: []
"""


def test_versions_are_written_after_the_family(enrich_one: EnrichOne) -> None:
    (entity,) = enrich_one({"type": "user_agent"}, ua=SAFARI)[ENTITY]
    assert entity == {
        "device_family": "iPhone", "os_family": "iOS", "os_major": "17", "os_minor": "5", "os_patch": "1",
        "os_patch_minor": None, "os_version": "iOS 17.5.1", "useragent_family": "Mobile Safari",
        "useragent_major": "17", "useragent_minor": "5", "useragent_patch": None,
        "useragent_version": "Mobile Safari 17.5",
    }  # fmt: skip


def test_a_user_agent_of_nothing_makes_no_entity(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "user_agent"}, request={"useragent": ""})
    assert (row[ENTITY], row["useragent"], row["br_name"]) == (None, None, None)


def test_rules_of_your_own_take_the_place_of_ours(enrich_one: EnrichOne, tmp_path: Path) -> None:
    (tmp_path / "regexes.yaml").write_text(RULES)
    block = {"type": "user_agent", "path": "regexes.yaml"}
    assert enrich_one(block, ua="AcmeKiosk/3.1")[ENTITY][0]["useragent_version"] == "AcmeKiosk 3.1"
    assert enrich_one(block, ua=SAFARI)[ENTITY][0]["useragent_version"] == "Other"


@pytest.mark.parametrize("text", [None, "nonsense", "user_agent_parsers: ["])
def test_rules_that_are_none_are_told(enrich_one: EnrichOne, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "regexes.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"regexes\.yaml"):
        enrich_one({"type": "user_agent", "path": "regexes.yaml"}, ua=SAFARI)
