"""What a build does: all anew or only what is new, ours and the project's own, and what it says when it fails."""

from pathlib import Path

import pytest

from catchment.errors import DefinitionError, LakeError
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.build import Choice, build
from catchment.model.workplace import BuildFailed
from tests.model.conftest import Build, at, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]


def versions(lake: Lake) -> dict[str, int | None]:
    return {name: lake.version(name) for name in lake.tables() if name not in ("events", "model_builds")}


def test_logging_in_never_renames_a_person_and_joins_their_devices(built: Build) -> None:
    phone = {"domain_userid": "a-phone", "domain_sessionid": "s2", "view": "p2"}
    before = built(event(1)).rows("people", "person_id")
    later = built(
        event(2, seconds=60, user_id="ada", email="ada@example.com"), event(3, seconds=90, user_id="ada", **phone)
    )
    people = later.rows("people", "person_id")
    assert set(before) == set(people) == {"v1"}
    assert (people["v1"]["sessions"], people["v1"]["user_id"], people["v1"]["first_seen_tstamp"]) == (2, "ada", at(0))
    mapping = later.rows("user_mapping", "domain_userid")
    assert {cookie: row["person_id"] for cookie, row in mapping.items()} == {"v1": "v1", "a-phone": "v1"}
    assert {row["person_id"] for row in later.lake.read("page_views").to_pylist()} == {"v1"}


def test_a_build_without_news_commits_nothing_and_a_changed_setting_rebuilds_all(built: Build) -> None:
    first = built(event(1), event(2, "page_ping", 5), event(3, "page_ping", 15))
    before = versions(first.lake)
    again = built()
    assert again.report.plan == f"events since version {first.lake.version('events')}"
    assert versions(again.lake) == before
    other = built(heartbeat_s=30)
    assert "other SQL or settings" in other.report.plan
    assert other.rows("sessions", "domain_sessionid")["s1"]["engaged_time_in_s"] == 5


def test_only_files_of_the_weeks_concerned_are_rewritten(built: Build) -> None:
    weeks = [
        event(
            number,
            seconds=number * 7 * 86_400,
            domain_userid=f"v{number}",
            domain_sessionid=f"s{number}",
            view=f"p{number}",
        )
        for number in range(4)
    ]
    first = built(*weeks)
    before = files(first.lake)
    after = files(built({**weeks[2], "event_id": "e9", "event_name": "page_ping"}).lake)
    for table, stood in before.items():
        gone = stood - after[table]
        assert {path.split("/")[0].split("=")[1] for path in gone} <= {"2026-03-16"}, table
        assert gone, table


def files(lake: Lake) -> dict[str, set[str]]:
    tables = ("page_views", "sessions", "users", "people", "first_touch_features")
    return {name: {str(path) for path in lake.delta(name).get_add_actions()["path"].to_pylist()} for name in tables}


def test_a_large_history_is_built_in_slices_and_gives_the_same(built: Build) -> None:
    rows = [
        event(number, seconds=number * 40_000, user_id=("ada", None)[number % 2], domain_userid=f"v{number % 5}",
              domain_sessionid=f"s{number // 2}", view=f"p{number // 2}")
        for number in range(20)
    ]  # fmt: skip
    names = ("page_views", "sessions", "users", "people", "first_touch_features", "user_mapping", "visit_days")
    told = built(*rows)
    whole = {name: sorted(map(str, told.lake.read(name).to_pylist())) for name in names}
    sliced = built(choice=Choice(full_refresh=True, slice_events=5))
    assert {name: sorted(map(str, sliced.lake.read(name).to_pylist())) for name in names} == whole


def test_removed_events_are_counted_no_longer(built: Build) -> None:
    first = built(event(1), event(2, domain_userid="v2", domain_sessionid="s2", view="p2"))
    first.lake.delta("events").delete("domain_userid = 'v2'")
    after = built()
    assert "removed" in after.report.plan
    assert set(after.rows("people", "person_id")) == {"v1"}


def test_a_model_of_the_project_is_built_beside_ours_and_dbts_selectors_choose(built: Build, project: Path) -> None:
    (project / "models").mkdir()
    (project / "models/readers.sql").write_text("select person_id from {{ ref('people') }} where page_views > 0")
    (project / "models/others.sql").write_text("select 1 as one")
    told = built(event(1))
    assert told.rows("readers", "person_id").keys() == {"v1"}
    assert {"readers", "others"} <= {model.name for model in told.report.models}
    chosen = built(event(2, seconds=5, view="p2"), choice=Choice(select="sessions readers"))
    names = {model.name for model in chosen.report.models}
    assert {"sessions", "readers"} <= names
    assert {"others", "page_views"}.isdisjoint(names)
    rest = built(choice=Choice(exclude="others"))
    assert rest.rows("page_views", "page_view_id").keys() == {"p1", "p2"}
    assert "others" not in {model.name for model in rest.report.models}
    assert built(choice=Choice(full_refresh=True)).report.plan == "asked for"


def test_a_macro_of_the_project_takes_the_place_of_ours(built: Build, project: Path) -> None:
    (project / "macros").mkdir()
    (project / "macros/content_group.sql").write_text("{% macro content_group() %}'mine'{% endmacro %}")
    assert built(event(1)).rows("page_views", "page_view_id")["p1"]["content_group"] == "mine"


def test_a_wrong_condition_names_the_model_and_the_reason(built: Build) -> None:
    with pytest.raises(BuildFailed, match=r"(?s)base_events.*no_such_column"):
        built(event(1), conversions=[{"name": "x", "condition": "no_such_column = 1"}])


def test_a_wrong_trait_and_an_empty_lake_are_told(built: Build, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"model\.traits\.email names 'e_mail'"):
        built(event(1), traits={"email": "e_mail"})
    empty = Lake.open(LakeSettings(uri="other"), tmp_path)
    with pytest.raises(LakeError, match="no events yet"):
        build(empty, open_engine(LakeSettings(), tmp_path), ModelSettings(), tmp_path)
