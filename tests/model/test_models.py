"""What the models count, rule by rule, on events written by hand."""

from pathlib import Path
from typing import Any

import pytest

from catchment.errors import DefinitionError, LakeError
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.build import BuildFailed, build
from tests.model.conftest import Build, at, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
SIGNED_UP = {"name": "signed_up", "condition": "event_name = 'sign_up'", "value": "se_value", "default_value": 2.0}


def pings(*seconds: float, first: int = 100, **columns: Any) -> list[dict[str, Any]]:
    return [event(first + number, "page_ping", when, **columns) for number, when in enumerate(seconds)]


def test_engaged_time_counts_heartbeats_with_activity_and_no_idle_ones(built: Build) -> None:
    views = built(event(1), *pings(5, 15, 16, 55), event(2, seconds=60, view="p2")).rows("page_views", "page_view_id")
    # Buckets of ten seconds: 0, 1, 1 and 5, so three; the first counts five seconds.
    assert (views["p1"]["engaged_time_in_s"], views["p1"]["absolute_time_in_s"]) == (25, 55)
    assert (views["p2"]["engaged_time_in_s"], views["p2"]["absolute_time_in_s"]) == (0, 0)


def test_engaged_time_follows_the_devices_clock_and_order_ours(built: Build) -> None:
    late = [
        event(3, "page_ping", 9, dvce_created_tstamp=at(1000)),
        event(4, "page_ping", 8, dvce_created_tstamp=at(1001)),
    ]
    view = built(event(1), *late).rows("page_views", "page_view_id")["p1"]
    assert (view["engaged_time_in_s"], view["end_tstamp"]) == (5, at(9))


def test_an_event_sent_twice_counts_once_as_first_received(built: Build) -> None:
    first = event(1, page_title="first")
    again = event(1, page_title="again", collector_tstamp=at(30))
    told = built(again, first)
    assert told.rows("sessions", "domain_sessionid")["s1"]["total_events"] == 1
    assert told.rows("page_views", "page_view_id")["p1"]["page_title"] == "first"


def test_robots_are_left_out(built: Build) -> None:
    robots = [
        event(2, domain_userid="r1", domain_sessionid="x1", br_type="Robot"),
        event(3, domain_userid="r2", domain_sessionid="x2", useragent="Mozilla/5.0 (compatible; AhrefsBot/7.0)"),
    ]
    assert set(built(event(1), *robots).rows("users", "domain_userid")) == {"v1"}


def test_scrolling_includes_what_the_window_shows(built: Build) -> None:
    sizes = {"doc_width": 1000, "doc_height": 2000, "br_viewwidth": 1000, "br_viewheight": 500}
    scrolled = event(2, "page_ping", 10, pp_xoffset_max=0, pp_yoffset_max=700, **sizes)
    view = built(event(1, **sizes), scrolled).rows("page_views", "page_view_id")["p1"]
    assert (view["vertical_pixels_scrolled"], view["vertical_percentage_scrolled"]) == (700, 60)


def test_a_session_that_begins_with_a_ping_counts_the_time_before_it(built: Build) -> None:
    session = built(*pings(0, 10), event(9, "link_click", 12)).rows("sessions", "domain_sessionid")["s1"]
    assert (session["page_views"], session["engaged_time_in_s"], session["absolute_time_in_s"]) == (1, 15, 17)
    assert (session["total_events"], session["link_clicks"]) == (3, 1)


def test_a_session_without_a_page_is_none(built: Build) -> None:
    told = built(event(1), event(2, "link_click", domain_sessionid="s2", view=None))
    assert set(told.rows("sessions", "domain_sessionid")) == {"s1"}


def test_a_session_is_engaged_by_a_second_page_by_time_or_by_converting(built: Build) -> None:
    def of(session: str, number: int, name: str = "page_view", **more: Any) -> dict[str, Any]:
        return event(number, name, domain_sessionid=session, view=f"{session}-{more.pop('view', 1)}", **more)

    events = [
        of("bounced", 1), of("looked", 2), of("looked", 3, view=2), of("bought", 4), of("bought", 5, "sign_up"),
        of("stayed", 6), *pings(5, 15, first=50, domain_sessionid="stayed", view="stayed-1"), of("read", 7),
        *pings(5, 15, 25, first=60, domain_sessionid="read", view="read-1"),
    ]  # fmt: skip
    sessions = built(*events, conversions=[SIGNED_UP]).rows("sessions", "domain_sessionid")
    assert {name for name, row in sessions.items() if row["is_engaged"]} == {"looked", "bought", "read"}


@pytest.mark.parametrize(
    ("source", "channel"),
    [
        ({}, "Direct"),
        ({"refr_medium": "search"}, "Organic Search"),
        ({"refr_medium": "social"}, "Organic Social"),
        ({"refr_medium": "unknown"}, "Referral"),
        ({"refr_medium": "search", "mkt_medium": "cpc"}, "Paid Search"),
        ({"mkt_medium": "EMAIL"}, "Email"),
        ({"mkt_medium": "carrier pigeon"}, "Other"),
    ],
)
def test_the_channel_is_what_the_link_says_then_where_it_stood(
    built: Build, source: dict[str, str], channel: str
) -> None:
    assert built(event(1, **source)).rows("sessions", "domain_sessionid")["s1"]["default_channel_group"] == channel


def test_logging_in_never_renames_a_person_and_joins_their_devices(built: Build) -> None:
    phone = {"domain_userid": "v2", "domain_sessionid": "s2", "view": "p2"}
    anonymous = event(1)
    before = built(anonymous).rows("people", "person_id")
    later = built(
        event(2, seconds=60, user_id="ada", email="ada@example.com"), event(3, seconds=90, user_id="ada", **phone)
    )
    people = later.rows("people", "person_id")
    assert set(before) == set(people) == {"v1"}
    assert (people["v1"]["sessions"], people["v1"]["user_id"], people["v1"]["first_seen_tstamp"]) == (2, "ada", at(0))
    mapping = later.rows("user_mapping", "domain_userid")
    assert {cookie: row["person_id"] for cookie, row in mapping.items()} == {"v1": "v1", "v2": "v1"}


def test_traits_are_the_last_that_were_told(built: Build) -> None:
    told = [event(1, email="old@example.com"), event(2, seconds=5, email="new@example.com"), event(3, seconds=9)]
    people = built(*told, traits={"email": "contexts_com_acme_user_1.email"}).rows("people", "person_id")
    assert people["v1"]["email"] == "new@example.com"


def test_conversions_carry_their_value_or_the_default(built: Build) -> None:
    events = [event(1), event(2, "sign_up", 5, se_value=9.5), event(3, "sign_up", 6)]
    told = built(*events, conversions=[SIGNED_UP])
    conversions = told.rows("conversions", "cv_id")
    assert {key: row["cv_value"] for key, row in conversions.items()} == {"e2/signed_up": 9.5, "e3/signed_up": 2.0}
    assert told.rows("sessions", "domain_sessionid")["s1"]["conversion_value"] == 11.5


def test_features_know_nothing_of_what_came_after_the_first_session(built: Build) -> None:
    second = {"domain_sessionid": "s2", "domain_sessionidx": 2}
    events = [
        event(1, page_title="Home"), *pings(5),
        event(2, seconds=9_000, view="p2", **second), event(3, "link_click", 9_001, view="p2", **second),
        event(4, "sign_up", 9_002, view="p2", **second),
    ]  # fmt: skip
    row = built(*events, conversions=[SIGNED_UP]).rows("first_touch_features", "person_id")["v1"]
    assert (row["session_page_views"], row["session_link_clicks"], row["observed_tstamp"]) == (1, 0, at(5))
    assert (row["converted_before"], row["converted"], row["first_conversion_tstamp"]) == (False, True, at(9_002))
    assert (row["first_page_title"], row["session_hour"], row["session_weekday"]) == ("Home", 9, 0)


def test_who_converted_in_the_first_session_is_marked(built: Build) -> None:
    row = built(event(1), event(2, "sign_up", 5), conversions=[SIGNED_UP]).rows("first_touch_features", "person_id")[
        "v1"
    ]
    assert (row["converted_before"], row["converted"]) == (True, False)


def test_building_twice_gives_the_same_rows(built: Build) -> None:
    first = built(event(1), *pings(5, 15)).lake.read("sessions")
    again = built(event(1), *pings(5, 15)).lake.read("sessions")
    assert first.equals(again)


def test_a_column_that_no_event_has_brought_yet_reads_as_null(built: Build) -> None:
    conversion = {"name": "won", "condition": "unstruct_event_com_acme_won_1.amount > 5"}
    told = built(event(1), conversions=[conversion], traits={"phone": "contexts_com_acme_contact_1.phone"})
    assert told.rows("people", "person_id")["v1"]["phone"] is None
    assert told.lake.read("conversions").num_rows == 0


def test_a_model_of_the_project_is_built_beside_ours(built: Build, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/readers.sql").write_text("select person_id from {{ ref('people') }} where page_views > 0")
    told = built(event(1))
    assert told.rows("readers", "person_id").keys() == {"v1"}
    assert "readers" in {model.name for model in told.report.models}


def test_a_wrong_condition_names_the_model_and_the_reason(built: Build) -> None:
    with pytest.raises(BuildFailed, match=r"(?s)base_events.*no_such_column"):
        built(event(1), conversions=[{"name": "x", "condition": "no_such_column = 1"}])


def test_a_wrong_trait_and_an_empty_lake_are_told(built: Build, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"model\.traits\.email names 'e_mail'"):
        built(event(1), traits={"email": "e_mail"})
    empty = Lake.open(LakeSettings(uri="other"), tmp_path)
    with pytest.raises(LakeError, match="no events yet"):
        build(empty, open_engine(LakeSettings(), tmp_path), ModelSettings(), tmp_path)
