"""What a project's own word does to what was seen."""

from tests.model.identity.world import KINDS, at, tell

MET = (
    at(1, cookie="c1", email="e1"), at(2, cookie="c2", email="e2"), at(3, device="d1", email="e1"),
    at(4, device="d1", email="e2"),
)  # fmt: skip


def test_two_that_are_never_one_are_parted_at_the_weakest_edge_between_them() -> None:
    assert len(tell(*MET).groups()) == 1
    told = tell(*MET, never=(("cookie:c1", "cookie:c2"),))
    assert told.groups() == {
        frozenset({"cookie:c1", "email:e1", "device:d1", "email:e2"}), frozenset({"cookie:c2"}),
    }  # fmt: skip
    assert told.conflicts == {("email:e2", "cookie:c2", "rule")}


def test_an_edge_that_is_cut_joins_nobody() -> None:
    told = tell(*MET, cut=(("device:d1", "email:e2"),))
    assert told.people["cookie:c2"] == "c2"
    assert told.conflicts == {("email:e2", "device:d1", "rule")}


def test_two_that_are_always_one_are_joined_though_nothing_links_them() -> None:
    told = tell(at(1, cookie="c1"), at(5, user_id="ada"), always=(("cookie:c1", "user_id:ada"),))
    assert told.people == {"cookie:c1": "c1", "user_id:ada": "c1"}


def test_a_rule_is_stronger_than_what_was_seen() -> None:
    told = tell(
        at(1, cookie="c1", user_id="ada"), at(2, cookie="c2", user_id="bob"),
        always=(("cookie:c2", "user_id:ada"),),
    )  # fmt: skip
    assert told.people["cookie:c2"] == "c1"
    assert told.people["user_id:bob"] == "c2"
    assert told.conflicts == {("user_id:bob", "cookie:c2", "limit")}


def test_a_rule_may_not_break_a_limit() -> None:
    told = tell(at(1, user_id="ada"), at(2, user_id="bob"), always=(("user_id:ada", "user_id:bob"),))
    assert len(told.groups()) == 2
    assert told.conflicts == {("user_id:ada", "user_id:bob", "limit")}


def test_a_shared_device_may_stay_with_who_had_it_first() -> None:
    first = tuple(kind._replace(shared="first") for kind in KINDS)
    told = tell(at(1, cookie="c1", user_id="ada"), at(2, cookie="c1", user_id="bob"), kinds=first)
    assert told.people["cookie:c1"] == told.people["user_id:ada"] == "c1"
    assert told.people["user_id:bob"] == "(user_id:bob)"


def test_a_device_that_goes_back_and_forth_is_followed() -> None:
    told = tell(
        at(1, cookie="c1", user_id="ada"), at(8, cookie="c1", user_id="bob"), at(15, cookie="c1", user_id="ada"),
    )  # fmt: skip
    assert told.history["cookie:c1"] == [(1, 8, "c1"), (8, 15, "(user_id:bob)"), (15, None, "c1")]
