"""Sync files: read, or refused with file and key; and those of the example."""

from pathlib import Path

import pytest
import yaml

from catchment.activate import ActivateSettings
from catchment.activate.definition import load_syncs
from catchment.activate.destination import open_destination
from catchment.errors import DefinitionError, SettingsError
from catchment.sandbox.vendors import braze, meta, salesforce
from catchment.settings import load_settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "saas"
GOOD = """
name: hello
destination: braze
audience: prospects
identifiers: {external_id: person_id}
fields:
  email: email
  score: form_submitted.score
  source: {constant: website}
"""


def example_settings(folder: Path, environment: dict[str, str]) -> ActivateSettings:
    """Read the example's own block as a project would; the other stages' blocks are theirs to test."""
    content = yaml.safe_load((EXAMPLE / "catchment.yml").read_text())
    (folder / "catchment.yml").write_text(yaml.safe_dump({"name": "acme", "activate": content["activate"]}))
    return load_settings(folder, environment).activate


def load(folder: Path, content: str = GOOD, name: str = "hello.yml"):
    (folder / "syncs").mkdir(exist_ok=True)
    (folder / "syncs" / name).write_text(content)
    return load_syncs(ActivateSettings(), folder)


def test_a_sync_file_maps_their_names_to_columns_and_constants(tmp_path: Path) -> None:
    (sync,) = load(tmp_path)
    assert (sync.name, sync.mode, sync.file) == ("hello", "mirror", "syncs/hello.yml")
    assert sync.columns() == ["person_id", "email", "form_submitted.score"]
    assert str(sync.sources()["source"]) == "constant website"


def test_a_project_without_syncs_has_none(tmp_path: Path) -> None:
    assert load_syncs(ActivateSettings(), tmp_path) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [", "syncs/hello.yml is not YAML"),
        ("", "syncs/hello.yml holds no keys"),
        (GOOD + "mood: mirror", "syncs/hello.yml: mood: is not a key here"),
        (GOOD + "mode: insrt", "syncs/hello.yml: mode: Input should be 'mirror', 'upsert'"),
        (GOOD.replace("audience: prospects", ""), "name an audience, or the model"),
        (GOOD.replace("email: email", "email: 'email; drop table people'"), "which is no column"),
        (GOOD.replace(".score", ".scores"), "of a score there are score, decile, label"),
        (GOOD.replace("  email: email", "  external_id: email"), "'external_id' is an identifier and a field"),
        (GOOD + "file: x", "file: is not a key of a sync"),
    ],
)
def test_a_file_that_is_no_sync_is_refused_with_its_place(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=r"syncs/hello\.yml") as refused:
        load(tmp_path, content)
    assert says in str(refused.value)
    assert refused.value.hint


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path, GOOD + "mod: mirror")
    assert "Did you mean 'mode'?" in refused.value.hint


def test_two_files_may_not_share_a_name(tmp_path: Path) -> None:
    load(tmp_path)
    with pytest.raises(DefinitionError, match=r"'hello' is the name of syncs/hello\.yml too"):
        load(tmp_path, name="other.yml")


def test_the_destination_must_be_declared_and_have_an_address() -> None:
    with pytest.raises(SettingsError, match=r"no activate\.destinations\.brase") as lost:
        open_destination(ActivateSettings(destinations={"braze": {"type": "braze"}}), "brase", Path())
    assert "Did you mean 'braze'?" in lost.value.hint
    block = {"type": "braze", "url": "rest.braze.eu", "api_key": "secret"}
    with pytest.raises(SettingsError, match=r"activate\.destinations\.braze\.url: .*must start with https") as wrong:
        open_destination(ActivateSettings(destinations={"braze": block}), "braze", Path())
    assert "secret" not in str(wrong.value)


def test_the_example_s_syncs_suit_its_destinations_and_the_sandbox(tmp_path: Path) -> None:
    settings = example_settings(tmp_path, {})
    syncs = load_syncs(settings, EXAMPLE)
    assert [sync.name for sync in syncs] == ["braze_high_propensity", "meta_campaign_prospects", "salesforce_engaged"]
    for sync in syncs:
        open_destination(settings, sync.destination, EXAMPLE).accept(sync)
    audience_id = next(sync.target["audience_id"] for sync in syncs if sync.destination == "meta")
    assert audience_id in meta.AUDIENCES
    blocks = settings.destinations
    assert blocks["braze"]["api_key"] == braze.KEY
    assert blocks["salesforce"]["client_secret"] == salesforce.CLIENT_SECRET
    assert blocks["meta"]["access_token"] == meta.TOKEN


def test_a_real_key_from_the_environment_replaces_the_sandbox_s(tmp_path: Path) -> None:
    environment = {"BRAZE_URL": "https://rest.fra-02.braze.eu", "BRAZE_API_KEY": "real"}
    block = example_settings(tmp_path, environment).destinations["braze"]
    assert (block["url"], block["api_key"]) == (environment["BRAZE_URL"], "real")
