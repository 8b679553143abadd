"""What the models count, rule by rule, on events written by hand: one build, a visitor for each rule."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.model.conftest import Built, append_and_build, at, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
SIGNED_UP = {"name": "signed_up", "condition": "event_name = 'sign_up'", "value": "se_value", "default_value": 2.0}
BOUGHT = {"name": "bought", "condition": "event_name = 'transaction'", "value": "tr_total"}
SIZES = {"doc_width": 1000, "doc_height": 2000, "br_viewwidth": 1000, "br_viewheight": 500}
SOURCES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "Direct"),
    "own site": ({"refr_urlhost": "acme.com", "page_urlhost": "acme.com"}, "Direct"),
    "search": ({"refr_medium": "search"}, "Organic Search"),
    "social": ({"refr_medium": "social"}, "Organic Social"),
    "assistant": ({"refr_medium": "chatbot"}, "AI Assistant"),
    "unknown site": ({"refr_medium": "unknown"}, "Referral"),
    "unlisted site": ({"refr_urlhost": "blog.example"}, "Referral"),
    "said direct": ({"mkt_source": "(direct)", "mkt_medium": "(none)"}, "Direct"),
    "paid search by referrer": ({"refr_medium": "search", "mkt_medium": "cpc"}, "Paid Search"),
    "paid search by source": ({"mkt_source": "Google", "mkt_medium": "cpc"}, "Paid Search"),
    "paid social": ({"mkt_source": "facebook", "mkt_medium": "paid-social"}, "Paid Social"),
    "paid video": ({"mkt_source": "youtube.com", "mkt_medium": "cpc"}, "Paid Video"),
    "paid shopping": ({"mkt_source": "x", "mkt_medium": "cpc", "mkt_campaign": "Spring shopping"}, "Paid Shopping"),
    "paid other": ({"mkt_source": "x", "mkt_medium": "ppc"}, "Paid Other"),
    "display": ({"mkt_source": "x", "mkt_medium": "interstitial"}, "Display"),
    "cross": ({"mkt_source": "x", "mkt_medium": "cross-network"}, "Cross-network"),
    "email": ({"mkt_medium": " EMAIL "}, "Email"),
    "affiliate": ({"mkt_medium": "affiliate"}, "Affiliates"),
    "audio": ({"mkt_medium": "audio"}, "Audio"),
    "sms": ({"mkt_source": "sms"}, "SMS"),
    "push": ({"mkt_medium": "web-push"}, "Mobile Push Notifications"),
    "organic": ({"mkt_medium": "organic"}, "Organic Search"),
    "video": ({"mkt_source": "youtube.com", "mkt_medium": "x"}, "Organic Video"),
    "link": ({"mkt_medium": "link"}, "Referral"),
    "unheard of": ({"mkt_medium": "carrier pigeon"}, "Unassigned"),
    "click on google": ({"mkt_clickid": "1", "mkt_network": "Google"}, "Paid Search"),
    "click on facebook": ({"mkt_clickid": "1", "mkt_network": "Facebook"}, "Paid Social"),
}


class Visitor:
    """Writes the events of one visitor, whose ids nobody shares."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[dict[str, Any]] = []

    def does(self, what: str = "page_view", seconds: float = 0, session: int = 1, **columns: Any) -> "Visitor":
        view = columns.pop("view", "p1")
        own = {
            "event_id": f"{self.name}-{len(self.events)}",
            "domain_userid": self.name,
            "domain_sessionid": f"{self.name}-{session}",
            "view": view and f"{self.name}-{view}",
        }
        self.events.append(event(0, what, seconds, **{**own, **columns}))
        return self

    def pings(self, *seconds: float, **columns: Any) -> "Visitor":
        for when in seconds:
            self.does("page_ping", when, **columns)
        return self


def everybody() -> list[dict[str, Any]]:
    long = {"dvce_created_tstamp": at(1000)}
    visitors = [
        Visitor("reader").does().pings(5, 15, 16, 55).does(seconds=60, view="p2"),
        Visitor("skewed").does().does("page_ping", 9, **long).does("page_ping", 8, dvce_created_tstamp=at(1001)),
        Visitor("twice")
        .does(event_id="same", page_title="again", collector_tstamp=at(30))
        .does(event_id="same", page_title="first"),
        Visitor("viewed twice").does(seconds=3, page_title="later").does(seconds=1, page_title="sooner"),
        Visitor("marked robot").does(br_type="Robot"),
        Visitor("named robot").does(useragent="Mozilla/5.0 (compatible; AhrefsBot/7.0)"),
        Visitor("server").does(useragent=None),
        Visitor("late").does().does("link_click", 5, dvce_sent_tstamp=at(5 + 3 * 86400 + 1)),
        Visitor("nearly late").does().does("link_click", 5, dvce_sent_tstamp=at(5 + 3 * 86400)),
        Visitor("scroller").does(**SIZES).does("page_ping", 10, pp_xoffset_max=0, pp_yoffset_max=700, **SIZES),
        Visitor("over").does(**SIZES).does("page_ping", 10, pp_xoffset_max=-5, pp_yoffset_max=99_999, **SIZES),
        Visitor("pinger").pings(0, 10).does("link_click", 12),
        Visitor("stray").does().does("page_ping", 90_000, session=2),
        Visitor("clicker").does().does("link_click", session=2, view=None),
        Visitor("eternal").does().does(seconds=3 * 86400, view="p2").does(seconds=3 * 86400 + 1, view="p3"),
        Visitor("rotating").does(seconds=5, domain_userid="z").does(seconds=9, domain_userid="a", view="p2"),
        Visitor("titled")
        .does(page_title="Home", page_url="https://acme.com/product/1", geo_country="NA", br_lang="en-GB")
        .does(seconds=5, view="p2", page_title="Docs", page_url="https://acme.com/docs", geo_country="DE")
        .does("page_ping", 9, view="p2", page_title="Ping"),
        Visitor("shopper").does().does("sign_up", 5, se_value=9.5).does("sign_up", 6).does("transaction", 7),
        Visitor("undecided").does(),
        Visitor("two devices").does(),
        Visitor("bounced").does(),
        Visitor("looked").does().does(view="p2"),
        Visitor("stayed").does().pings(5, 15),
        Visitor("read").does().pings(5, 15, 25),
        Visitor("returned").does(page_title="Home").pings(5).does(seconds=9_000, session=2, view="p2")
        .does("link_click", 9_001, session=2, view="p2").does("sign_up", 9_002, session=2, view="p2"),
        Visitor("teller").does(email="old@example.com").does(seconds=5, view="p2", email="new@example.com")
        .does(seconds=9, view="p3"),
        Visitor("cookieless").does(domain_userid=None),
        *(Visitor(name).does(**columns) for name, (columns, _) in SOURCES.items()),
    ]  # fmt: skip
    return [row for visitor in visitors for row in visitor.events]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    project = empty_project(tmp_path_factory.mktemp("rules"))
    settings: dict[str, Any] = {
        "conversions": [SIGNED_UP, BOUGHT],
        "traits": {"email": "contexts_com_acme_user_1.email", "phone": "contexts_com_acme_contact_1.phone"},
    }
    yield append_and_build(project, everybody(), **settings)


@pytest.fixture(scope="module")
def views(told: Built) -> dict[str, dict[str, Any]]:
    return told.rows("page_views", "page_view_id")


@pytest.fixture(scope="module")
def sessions(told: Built) -> dict[str, dict[str, Any]]:
    return told.rows("sessions", "domain_sessionid")


Rows = dict[str, dict[str, Any]]


def test_engaged_time_counts_heartbeats_with_activity_and_no_idle_ones(views: Rows) -> None:
    # Buckets of ten seconds: 0, 1, 1 and 5, so three; the first counts five seconds.
    read, left = views["reader-p1"], views["reader-p2"]
    assert (read["engaged_time_in_s"], read["absolute_time_in_s"]) == (25, 55)
    assert (left["engaged_time_in_s"], left["absolute_time_in_s"]) == (0, 0)
    assert [view["page_view_in_session_index"] for view in (read, left)] == [1, 2]


def test_engaged_time_follows_the_devices_clock_and_order_ours(views: Rows) -> None:
    assert (views["skewed-p1"]["engaged_time_in_s"], views["skewed-p1"]["end_tstamp"]) == (5, at(9))


def test_an_event_sent_twice_counts_once_as_first_received(views: Rows, sessions: Rows) -> None:
    assert sessions["twice-1"]["total_events"] == 1
    assert views["twice-p1"]["page_title"] == "first"


def test_a_page_view_told_by_two_events_is_the_earlier(views: Rows, sessions: Rows) -> None:
    assert views["viewed twice-p1"]["page_title"] == "sooner"
    assert (sessions["viewed twice-1"]["page_views"], sessions["viewed twice-1"]["total_events"]) == (1, 2)


def test_robots_are_left_out_and_who_names_no_user_agent_is_none(told: Built) -> None:
    users = told.rows("users", "domain_userid")
    assert "server" in users
    assert {"marked robot", "named robot"}.isdisjoint(users)


def test_what_is_sent_too_long_after_it_happened_is_not_counted(sessions: Rows) -> None:
    assert (sessions["late-1"]["total_events"], sessions["nearly late-1"]["total_events"]) == (1, 2)


def test_scrolling_includes_what_the_window_shows_and_never_more_than_the_page(views: Rows) -> None:
    view, over = views["scroller-p1"], views["over-p1"]
    assert (view["vertical_pixels_scrolled"], view["vertical_percentage_scrolled"]) == (700, 60)
    assert (over["horizontal_pixels_scrolled"], over["vertical_pixels_scrolled"]) == (0, 2000)
    assert over["vertical_percentage_scrolled"] == 100
    assert views["reader-p1"]["vertical_percentage_scrolled"] is None


def test_a_session_that_begins_with_a_ping_counts_the_time_before_it(sessions: Rows) -> None:
    session = sessions["pinger-1"]
    assert (session["page_views"], session["engaged_time_in_s"], session["absolute_time_in_s"]) == (1, 15, 17)
    assert (session["total_events"], session["link_clicks"], session["start_tstamp"]) == (3, 1, at(-5))


def test_a_stray_ping_is_a_view_of_its_session_and_lengthens_no_view_of_another(views: Rows, sessions: Rows) -> None:
    assert (views["stray-p1"]["absolute_time_in_s"], views["stray-p1"]["engaged_time_in_s"]) == (0, 0)
    assert (sessions["stray-2"]["page_views"], sessions["stray-2"]["engaged_time_in_s"]) == (1, 5)


def test_a_session_without_a_page_is_none(sessions: Rows) -> None:
    assert "clicker-1" in sessions
    assert "clicker-2" not in sessions


def test_a_session_ends_three_days_after_it_began_however_long_its_id_is_kept(sessions: Rows) -> None:
    assert (sessions["eternal-1"]["page_views"], sessions["eternal-1"]["end_tstamp"]) == (2, at(3 * 86400))


def test_a_session_has_one_cookie_the_first_seen_in_it(told: Built, views: Rows, sessions: Rows) -> None:
    assert {sessions["rotating-1"]["domain_userid"], views["rotating-p2"]["domain_userid"]} == {"z"}
    assert "a" not in told.rows("users", "domain_userid")


def test_a_session_knows_its_first_page_its_last_and_the_names_of_places(sessions: Rows) -> None:
    session = sessions["titled-1"]
    assert (session["first_page_title"], session["last_page_title"]) == ("Home", "Docs")
    assert (session["geo_country_name"], session["geo_continent"]) == ("Namibia", "Africa")
    assert (session["last_geo_country_name"], session["br_lang_name"]) == ("Germany", "English (United Kingdom)")
    assert session["event_counts"] == '{"page_ping":1,"page_view":2}'


def test_a_page_belongs_to_the_group_that_its_address_says(views: Rows) -> None:
    assert (views["titled-p1"]["content_group"], views["titled-p2"]["content_group"]) == ("PDP", "other")


def test_a_session_is_engaged_by_a_second_page_by_time_or_by_converting(sessions: Rows) -> None:
    asked = {"bounced-1", "looked-1", "stayed-1", "read-1", "shopper-1"}
    assert {name for name in asked if sessions[name]["is_engaged"]} == {"looked-1", "read-1", "shopper-1"}


@pytest.mark.parametrize("source", SOURCES)
def test_the_channel_is_what_the_link_says_then_where_it_stood(sessions: Rows, source: str) -> None:
    assert sessions[f"{source}-1"]["default_channel_group"] == SOURCES[source][1]


def test_conversions_carry_their_value_or_the_default(told: Built, sessions: Rows) -> None:
    values = {key: row["cv_value"] for key, row in told.rows("conversions", "cv_id").items() if "shopper" in key}
    assert values == {"shopper-1/signed_up": 9.5, "shopper-2/signed_up": 2.0, "shopper-3/bought": 0.0}
    session = sessions["shopper-1"]
    assert (session["conversions"], session["conversion_value"], session["first_conversion_tstamp"]) == (3, 11.5, at(5))


def test_a_session_tells_of_each_conversion_by_name(sessions: Rows) -> None:
    session = sessions["shopper-1"]
    assert session["cv_signed_up_events"] == ["shopper-1", "shopper-2"]
    assert session["cv_signed_up_values"] == [9.5, 2.0]
    assert (session["cv_signed_up_volume"], session["cv_signed_up_total"], session["cv__all_volume"]) == (2, 11.5, 3)
    assert (session["cv_bought_first_conversion"], session["cv_bought_converted"]) == (at(7), True)
    nothing = sessions["undecided-1"]
    assert (nothing["cv_bought_events"], nothing["cv_bought_total"], nothing["cv_bought_converted"]) == ([], 0, False)


def test_features_know_nothing_of_what_came_after_the_first_session(told: Built) -> None:
    row = told.rows("first_touch_features", "person_id")["returned"]
    assert (row["session_page_views"], row["session_link_clicks"], row["observed_tstamp"]) == (1, 0, at(5))
    assert (row["converted_before"], row["converted"], row["first_conversion_tstamp"]) == (False, True, at(9_002))
    assert (row["first_page_title"], row["session_hour"], row["session_weekday"]) == ("Home", 9, 0)


def test_who_converted_in_the_first_session_is_marked(told: Built) -> None:
    row = told.rows("first_touch_features", "person_id")["shopper"]
    assert (row["converted_before"], row["converted"]) == (True, False)


def test_a_user_adds_up_sessions_and_takes_firsts_and_lasts(told: Built) -> None:
    row = told.rows("users", "domain_userid")["returned"]
    assert (row["sessions"], row["page_views"], row["start_tstamp"], row["end_tstamp"]) == (2, 2, at(0), at(9_002))
    assert (row["first_domain_sessionid"], row["last_domain_sessionid"]) == ("returned-1", "returned-2")


def test_traits_are_the_last_that_were_told_and_null_where_no_event_brought_the_column(told: Built) -> None:
    person = told.rows("people", "person_id")["teller"]
    assert (person["email"], person["phone"]) == ("new@example.com", None)


def test_who_has_no_cookie_has_a_session_and_is_nobody(told: Built, sessions: Rows) -> None:
    assert sessions["cookieless-1"]["person_id"] is None
    assert None not in told.rows("people", "person_id")


def test_session_seconds_are_those_of_its_views_and_stray_pings(views: Rows, sessions: Rows) -> None:
    of_views: dict[str, int] = {}
    for view in views.values():
        of_views[view["domain_sessionid"]] = of_views.get(view["domain_sessionid"], 0) + view["engaged_time_in_s"]
    stray = {name for name, row in sessions.items() if row["engaged_time_in_s"] != of_views.get(name, 0)}
    assert stray == {"pinger-1", "stray-2"}
