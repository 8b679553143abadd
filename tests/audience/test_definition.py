"""Audience files: what is read, and what is refused with its place and mend."""

from pathlib import Path

import pytest

from catchment.audience import AudienceSettings
from catchment.audience.definition import Audience, load_audiences
from catchment.errors import DefinitionError
from catchment.project import examples_folder


def read(folder: Path, **files: str) -> list[Audience]:
    (folder / "audiences").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "audiences" / f"{name}.yml").write_text(text)
    return load_audiences(AudienceSettings(), folder)


def refusal(folder: Path, text: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as raised:
        read(folder, broken=text)
    return raised.value


def test_a_project_without_audiences_has_none(tmp_path: Path) -> None:
    assert load_audiences(AudienceSettings(), tmp_path) == []


def test_the_example_audiences_are_read() -> None:
    names = {audience.name for audience in load_audiences(AudienceSettings(), examples_folder() / "saas")}
    assert names == {"high_propensity_first_visit", "engaged_first_visit", "campaign_prospects"}


def test_a_misspelt_key_is_named_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    error = refusal(
        tmp_path, "name: a\nwhere:\n  all:\n    - {column: sessions, is: 1}\n    - {column: country, iss: DE}"
    )
    assert "audiences/broken.yml: where.all[1].iss: is not a key here" in str(error)
    assert "Did you mean 'is'?" in error.hint


def test_a_condition_of_no_known_kind_is_told_which_there_are(tmp_path: Path) -> None:
    error = refusal(tmp_path, "name: a\nwhere: {col: sessions, is: 1}")
    assert "audiences/broken.yml: where: needs one of these keys: all, any, not, column" in str(error)


def test_a_condition_compares_exactly_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, "name: a\nwhere: {column: sessions, gt: 1, lt: 5}")
    assert "where: needs exactly one comparison: is, is_not, in" in str(error)


def test_a_score_says_which_scores_are_meant(tmp_path: Path) -> None:
    error = refusal(tmp_path, "name: a\nwhere: {not: {score: form_submitted}}")
    assert "where.not: needs at least one of: label, decile" in str(error)


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "name: a\nwhere: {score: form_submitted, label: [Huge]}")
    assert "where.label[0]: Input should be 'Low', 'Medium' or 'High'" in str(error)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("where: [unclosed", "is not YAML"),
        ("just words", "holds no keys"),
        ("where: {column: sessions, is: 1}", "name: Field required"),
        ("name: Has Spaces\nwhere: {column: sessions, is: 1}", "name: String should match pattern"),
        ("name: a\nwhere: {column: sessions, is: 1}\nfile: x", "file: is not a key"),
        ("name: a\nwhere: {column: sessions, is: 1}\n1: x", "Keys should be strings"),
        ("name: a\nwhere: {all: []}", "where.all"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, fault: str) -> None:
    error = refusal(tmp_path, text)
    assert "audiences/broken.yml" in str(error)
    assert fault in str(error)
    assert error.hint


def test_two_audiences_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "name: same\nwhere: {column: sessions, is: 1}"
    with pytest.raises(DefinitionError, match=r"audiences/two.yml: name: 'same' is the name of audiences/one.yml too"):
        read(tmp_path, one=text, two=text)


def test_an_audience_comes_after_those_it_names(tmp_path: Path) -> None:
    first = "name: a\nwhere: {not: {member_of: b}}"
    audiences = read(tmp_path, first=first, second="name: b\nwhere: {column: sessions, is: 1}")
    assert [audience.name for audience in audiences] == ["b", "a"]


def test_an_audience_that_names_an_unknown_one_is_told_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"one.yml: where.member_of: there is no audience 'buyer'") as raised:
        read(tmp_path, one="name: a\nwhere: {member_of: buyer}", two="name: buyers\nwhere: {column: sessions, is: 1}")
    assert "Did you mean 'buyers'?" in raised.value.hint


def test_audiences_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="wait for each other"):
        read(tmp_path, one="name: a\nwhere: {member_of: b}", two="name: b\nwhere: {member_of: a}")


def test_the_same_meaning_is_the_same_definition(tmp_path: Path) -> None:
    one = "name: a\nwhere: {column: sessions, is: 1}"
    other = "# a remark\nwhere:\n  is: 1\n  column: sessions\nname: a"
    assert read(tmp_path, x=one)[0].definition() == read(tmp_path, x=other)[0].definition()
