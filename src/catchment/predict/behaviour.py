"""Events as they were visible at a moment, and what they say of a person then.

Two clocks run: an event happens (`derived_tstamp`), and it arrives (`load_tstamp`). It is visible from the later of
the two, and events of another cookie only once a login had tied that cookie to the person. Whatever is asked as of a
moment is asked of the events visible by then, so no feature can know what came later.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import ibis

from catchment.event import TIMESTAMP
from catchment.predict.definition import FeatureChoice, Prediction

PERSON, MOMENT = "person_id", "observed_at"
PAGE_VIEW = "contexts_com_snowplowanalytics_snowplow_web_page_1"
FIRSTS = ("page_urlpath", "refr_medium", "refr_source", "mkt_medium", "mkt_source", "mkt_campaign", "mkt_content")
LASTS = {
    "geo_country": "geo_country",
    "geo_region": "geo_region",
    "br_lang": "br_lang",
    "br_family": "br_family",
    "os_family": "os_family",
    "device_category": "dvce_type",
}
COLUMNS = ("event_id", "event_name", "domain_sessionid", "user_id", "derived_tstamp", "dvce_created_tstamp")
SCROLL = ("pp_yoffset_max", "br_viewheight", "doc_height")
MACHINES = ("bot", "crawl", "spider", "headless")


Keep = Callable[[Any, str], Any]
"""Works an expression out once for all that follow, under a name."""


class Times(NamedTuple):
    """The clocks of a lake: what was loaded until `history_until` is its history, whose arrival nobody noted."""

    history_until: datetime
    last_event: datetime
    last_load: datetime


def read_times(backend: Any, history_hours: float) -> Times | None:
    """Read the clocks of the lake; None where it has no event."""
    events = backend.table("events")
    row = backend.to_pyarrow(
        events.aggregate(
            first_load=events.load_tstamp.min(),
            last_load=events.load_tstamp.max(),
            last_event=events.derived_tstamp.max(),
        )
    ).to_pylist()[0]
    if row["first_load"] is None or row["last_event"] is None:
        return None
    until = row["first_load"] + timedelta(hours=history_hours)
    return Times(until, row["last_event"], row["last_load"])


def visible_events(backend: Any, times: Times, keep: Keep) -> Any:
    """Give each event of a human once, with its person and the moment from which it is visible.

    What is small and costs a look at all events is worked out now and kept; the events are read whenever they are asked
    for, and only the columns of which something is asked.
    """
    events = _of_humans(backend.table("events"), keep)
    history = events.load_tstamp <= ibis.literal(times.history_until, TIMESTAMP_TYPE)
    arrived = ibis.ifelse(history, events.derived_tstamp, events.load_tstamp.fill_null(events.derived_tstamp))
    view = events[PAGE_VIEW][0].id if PAGE_VIEW in events.columns else ibis.null(str)
    named = {name: events[name] for name in {*COLUMNS, *SCROLL, *FIRSTS, *LASTS.values()}}
    events = events.select(
        **named,
        cookie=events.domain_userid,
        arrived=arrived,
        load_tstamp=events.load_tstamp,
        view=ibis.coalesce(view, events.page_url, events.domain_sessionid),
    )
    return _with_person(_once(events, backend, keep), backend)


TIMESTAMP_TYPE = f"timestamp('{TIMESTAMP.tz}', 6)"


def _of_humans(events: Any, keep: Keep) -> Any:
    agents = events.filter(events.useragent.notnull()).select("useragent").distinct()
    says_so = [agents.useragent.lower().contains(word) for word in MACHINES]
    machines = keep(agents.filter(ibis.or_(*says_so)), "machines")
    known = [events[name].notnull() for name in ("domain_userid", "domain_sessionid", "derived_tstamp", "event_id")]
    return events.filter(
        *known,
        events.br_type.fill_null("") != "Robot",
        events.useragent.isnull() | events.useragent.notin(machines.useragent),
    )


def _once(events: Any, backend: Any, keep: Keep) -> Any:
    """Keep of each event the copy that arrived first; the few that have copies are sorted, not the wide rows of all."""
    counted = events.group_by("event_id").agg(copies=events.count())
    repeated = keep(counted.filter(counted.copies > 1).select("event_id"), "repeated")
    if not backend.to_pyarrow(repeated.count()).as_py():
        return events
    copies = events.filter(events.event_id.isin(repeated.event_id))
    order = ibis.window(group_by=copies.event_id, order_by=[copies.arrived, copies.derived_tstamp])
    copies = copies.mutate(copy=ibis.row_number().over(order))
    firsts = keep(copies.filter(copies.copy == 0).drop("copy"), "firsts")
    return events.filter(events.event_id.notin(repeated.event_id)).union(firsts)


def _with_person(events: Any, backend: Any) -> Any:
    happened = ibis.greatest(events.derived_tstamp, events.arrived)
    if "user_mapping" not in backend.list_tables():
        return events.mutate(person_id=events.cookie, visible=happened)
    mapping = backend.table("user_mapping").select(linked="domain_userid", person="person_id")
    logins = events.filter(events.user_id.notnull())
    logins = logins.group_by("cookie").agg(linked_at=ibis.greatest(logins.derived_tstamp, logins.arrived).min())
    mapping = mapping.left_join(logins, mapping.linked == logins.cookie).select("linked", "person", "linked_at")
    joined = events.left_join(mapping, events.cookie == mapping.linked)
    person = joined.person.fill_null(joined.cookie)
    happened = ibis.greatest(joined.derived_tstamp, joined.arrived)
    visible = ibis.ifelse(person == joined.cookie, happened, ibis.greatest(happened, joined.linked_at))
    return joined.mutate(person_id=person, visible=visible).drop("linked", "person", "linked_at")


def behaviour_features(prediction: Prediction, events: Any, looks: Any) -> Any:
    """Give one row per look (person and moment) with what the events visible by then say."""
    wanted = looks.select(who=looks[PERSON], at=looks[MOMENT], session=looks.session)
    seen = events.inner_join(wanted, events[PERSON] == wanted.who)
    seen = seen.filter(seen.visible <= seen["at"])
    if prediction.who == "first_touch":
        seen = seen.filter(seen.domain_sessionid == seen.session)
    choice = prediction.features
    windows = choice.windows_days if prediction.who == "people" else ()
    told = seen.group_by([PERSON, "at"]).agg(**_totals(seen), **_values(seen), **_windows(seen, windows))
    if prediction.who == "first_touch":
        told = told.mutate(hour=told.first_seen.hour(), weekday=told.first_seen.day_of_week.index()).drop("sessions")
    else:
        days = {
            name: _days(told[moment], told["at"])
            for name, moment in (("days_since_first", "first_seen"), ("days_since_last", "last_seen"))
        }
        told = told.mutate(**days)
    engaged = _engagement(seen, choice, windows)
    told = told.left_join(engaged, [told[PERSON] == engaged.engaged_person, told["at"] == engaged.engaged_at])
    names = [name for name in engaged.columns if name not in ("engaged_person", "engaged_at")]
    told = told.mutate(**{name: told[name].fill_null(0) for name in names})
    return told.drop("engaged_person", "engaged_at", "first_seen", "last_seen").rename(**{MOMENT: "at"})


def _totals(seen: Any) -> dict[str, Any]:
    known = ("page_view", "page_ping", "link_click")
    reach = (seen.pp_yoffset_max.fill_null(0) + seen.br_viewheight) * 100.0 / seen.doc_height.nullif(0)
    return {
        "sessions": seen.domain_sessionid.nunique(),
        "page_views": (seen.event_name == "page_view").sum(),
        "pages": seen.page_urlpath.nunique(),
        "link_clicks": (seen.event_name == "link_click").sum(),
        "other_events": seen.event_name.notin(known).sum(),
        "scroll_percentage": ibis.least(reach.max(), 100.0),
        "absolute_time_in_s": _seconds(seen.derived_tstamp.min(), seen.derived_tstamp.max()),
        "first_seen": seen.derived_tstamp.min(),
        "last_seen": seen.derived_tstamp.max(),
    }


def _values(seen: Any) -> dict[str, Any]:
    """Give what came first and what was said last; empty text stands in for null, which engines rank unlike."""
    page = seen.event_name == "page_view"
    firsts = {
        f"first_{name}": seen[name].fill_null("").argmin(seen.derived_tstamp, where=page).nullif("") for name in FIRSTS
    }
    return firsts | {
        name: seen[column].argmax(seen.derived_tstamp, where=seen[column].notnull()) for name, column in LASTS.items()
    }


def _windows(seen: Any, windows: tuple[int, ...]) -> dict[str, Any]:
    found = {}
    for days in windows:
        recent = seen.derived_tstamp > seen["at"] - ibis.interval(days=days)
        found[f"sessions_{days}d"] = seen.domain_sessionid.nunique(where=recent)
        found[f"page_views_{days}d"] = ((seen.event_name == "page_view") & recent).sum()
        found[f"link_clicks_{days}d"] = ((seen.event_name == "link_click") & recent).sum()
    return found


def _engagement(seen: Any, choice: FeatureChoice, windows: tuple[int, ...]) -> Any:
    """Count heartbeats of the device's own clock in each view: `heartbeat_s` each, the first `min_visit_length_s`."""
    pings = seen.filter(seen.event_name == "page_ping")
    beat = (pings.dvce_created_tstamp.epoch_seconds().cast("double") / choice.heartbeat_s).floor().cast("int64")
    pings = pings.mutate(beat=beat)
    views = pings.group_by([PERSON, "at", "view"]).agg(beats=pings.beat.nunique(), last=pings.derived_tstamp.max())
    seconds = choice.heartbeat_s * (views.beats - 1) + choice.min_visit_length_s
    views = views.mutate(seconds=seconds)
    recent = {
        f"engaged_time_{days}d_in_s": ibis.ifelse(
            views["last"] > views["at"] - ibis.interval(days=days), views.seconds, 0
        ).sum()
        for days in windows
    }
    found = views.group_by([PERSON, "at"]).agg(
        engaged_time_in_s=views.seconds.sum(), longest_view_in_s=views.seconds.max(), **recent
    )
    return found.rename(engaged_person=PERSON, engaged_at="at")


def _seconds(earlier: Any, later: Any) -> Any:
    return later.epoch_seconds().cast("double") - earlier.epoch_seconds().cast("double")


def _days(earlier: Any, later: Any) -> Any:
    return _seconds(earlier, later) / 86400.0
