"""The 27 situations that an identity graph must get right: one test each, a sentence each."""

from tests.model.identity.world import KINDS, at, tell

SIMPLE = (at(1, cookie="c1"), at(2, cookie="c1", user_id="ada"))


def test_simple_a_visitor_who_logs_in_stays_who_they_were() -> None:
    told = tell(*SIMPLE)
    assert told.people == {"cookie:c1": "c1", "user_id:ada": "c1"}
    assert (told.merges, told.conflicts) == ([], set())
    assert told.history["user_id:ada"] == [(2, None, "c1")]


def test_chain_identifiers_that_meet_one_after_another_are_one_person() -> None:
    told = tell(
        at(1, cookie="c1", device="d1"), at(2, device="d1", email="e1"), at(3, email="e1", user_id="ada"),
    )  # fmt: skip
    assert set(told.people.values()) == {"c1"}
    assert told.merges == []


def test_fanin_many_cookies_of_one_user_become_the_oldest() -> None:
    told = tell(
        *(at(n, cookie=f"c{n}") for n in range(1, 5)),
        *(at(15 - n, cookie=f"c{n}", user_id="ada") for n in range(4, 0, -1)),
    )
    assert set(told.people.values()) == {"c1"}
    assert told.merges == [(12, "c4", "c3"), (13, "c3", "c2"), (14, "c2", "c1")]


def test_fanout_one_cookie_with_many_addresses_is_one_person_up_to_the_limit() -> None:
    told = tell(*(at(n, cookie="c1", email=f"e{n}") for n in range(1, 5)))
    assert told.groups() == {
        frozenset({"cookie:c1", "email:e1", "email:e2", "email:e3"}), frozenset({"email:e4"}),
    }  # fmt: skip
    assert told.conflicts == {("email:e4", "cookie:c1", "limit")}


def test_diamond_two_ways_between_the_same_two_are_one_merge() -> None:
    told = tell(
        at(1, cookie="c1", device="d1"), at(2, cookie="c2", device="d2"),
        at(3, email="e1", device="d1"), at(4, email="e1", device="d2"),
        at(5, user_id="ada", device="d1"), at(6, user_id="ada", device="d2"),
    )  # fmt: skip
    assert set(told.people.values()) == {"c1"}
    assert told.merges == [(4, "c2", "c1")]


def test_disjoint_people_who_share_nothing_stay_apart() -> None:
    told = tell(*SIMPLE, at(3, cookie="c2", user_id="bob"))
    assert told.people["cookie:c2"] == told.people["user_id:bob"] == "c2"
    assert len(told.groups()) == 2
    assert len(set(told.clusters.values())) == 2


def test_longchain_the_ends_of_a_long_chain_are_one_person() -> None:
    kinds = tuple(kind._replace(limit=None) for kind in KINDS)
    told = tell(
        *(at(2 * n, cookie=f"c{n:03}", device=f"d{n:03}") for n in range(200)),
        *(at(2 * n + 1, cookie=f"c{n + 1:03}", device=f"d{n:03}") for n in range(200)),
        kinds=kinds,
    )
    assert set(told.people.values()) == {"c000"}
    assert told.merges == []


def test_altchain_kinds_that_take_turns_are_one_person() -> None:
    told = tell(
        at(1, cookie="c1", email="e1"), at(2, cookie="c2", email="e1"), at(3, cookie="c2", email="e2"),
        at(4, cookie="c3", email="e2"),
    )  # fmt: skip
    assert set(told.people.values()) == {"c1"}


def test_mergeonly_an_event_that_only_joins_what_was_known_is_a_merge() -> None:
    told = tell(at(1, cookie="c1"), at(2, email="e1"), at(3, cookie="c1", email="e1"))
    assert told.merges == [(3, "(email:e1)", "c1")]
    assert told.history["email:e1"] == [(2, 3, "(email:e1)"), (3, None, "c1")]


def test_remap_a_cookie_that_changes_hands_is_theirs_who_used_it_last_and_the_name_stays() -> None:
    told = tell(at(1, cookie="c1", user_id="ada"), at(2, cookie="c2", user_id="bob"), at(3, cookie="c1", user_id="bob"))
    assert told.people == {"user_id:ada": "c1", "user_id:bob": "c2", "cookie:c1": "c2", "cookie:c2": "c2"}
    assert told.history["cookie:c1"] == [(1, 3, "c1"), (3, None, "c2")]
    assert told.conflicts == {("user_id:ada", "cookie:c1", "shared")}
    assert told.merges == []


def test_multiid_an_event_with_every_identifier_makes_one_person() -> None:
    told = tell(at(1, cookie="c1", device="d1", email="e1", user_id="ada"))
    assert set(told.people.values()) == {"c1"}
    assert told.merges == []


def test_uid_conflict_two_users_of_one_address_stay_two_people() -> None:
    told = tell(
        at(1, user_id="ada", cookie="c1"), at(2, user_id="bob", cookie="c2"),
        at(3, cookie="c1", email="e1"), at(4, cookie="c2", email="e1"),
    )  # fmt: skip
    assert told.people["user_id:ada"] == "c1"
    assert told.people["user_id:bob"] == "c2"
    assert told.people["email:e1"] == "c1"
    assert told.conflicts == {("email:e1", "cookie:c2", "limit")}


def test_late_an_event_that_comes_late_counts_when_it_happened() -> None:
    late = at(0, cookie="c0", user_id="ada")
    told = tell(*SIMPLE, late)
    assert told == tell(late, *SIMPLE)
    assert set(told.people.values()) == {"c0"}
    assert told.merges == [(2, "c1", "c0")]


def test_stable_growth_never_renames_a_person() -> None:
    grown = [*SIMPLE]
    for n in range(3, 8):
        grown.append(at(n, cookie=f"a{n}", user_id="ada"))
        told = tell(*grown)
        assert told.people["user_id:ada"] == told.people["cookie:c1"] == "c1"


def test_reobserve_seeing_the_same_again_changes_nothing() -> None:
    again = tell(*SIMPLE, at(50, cookie="c1", user_id="ada"), at(51, cookie="c1"))
    assert again == tell(*SIMPLE)


def test_selfbridge_an_edge_within_a_person_is_no_merge() -> None:
    told = tell(
        at(1, cookie="c1", user_id="ada"), at(2, cookie="c2", user_id="ada"),
        at(3, cookie="c1", device="d1"), at(4, cookie="c2", device="d1"),
    )  # fmt: skip
    assert set(told.people.values()) == {"c1"}
    assert told.merges == []


def test_rapid_remerge_merges_of_one_moment_are_told_by_their_outcome() -> None:
    told = tell(
        at(1, cookie="c1"), at(2, cookie="c2"), at(3, cookie="c3"),
        at(9, cookie="c3", email="e1"), at(9, cookie="c2", email="e1"), at(9, cookie="c1", email="e1"),
    )  # fmt: skip
    assert told.merges == [(9, "c2", "c1"), (9, "c3", "c1")]
    assert told.history["cookie:c3"] == [(3, 9, "c3"), (9, None, "c1")]


def test_highfanin_what_is_linked_to_too_many_joins_no_more_of_them() -> None:
    told = tell(
        *(at(n, device="kiosk", cookie=f"c{n}") for n in range(8)), max_links=3,
        kinds=tuple(kind._replace(limit=None) for kind in KINDS),
    )  # fmt: skip
    assert told.people["cookie:c2"] == "c0"
    assert told.people["cookie:c3"] == "c3"
    assert told.conflicts == {("device:kiosk", f"cookie:c{n}", "links") for n in range(3, 8)}


def test_bridge_creates_a_new_identifier_that_joins_two_people_belongs_to_the_older() -> None:
    told = tell(at(1, cookie="c1", email="e1"), at(2, cookie="c2", email="e2"), at(3, user_id="ada", email="e1"),
                at(3, user_id="ada", email="e2"))  # fmt: skip
    assert set(told.people.values()) == {"c1"}
    assert told.merges == [(3, "c2", "c1")]
    assert told.history["user_id:ada"] == [(3, None, "c1")]


def test_three_way_bridge_one_event_may_join_three_people() -> None:
    told = tell(at(1, cookie="c1"), at(2, device="d1"), at(3, email="e1"), at(4, cookie="c1", device="d1", email="e1"))
    assert set(told.people.values()) == {"c1"}
    assert told.merges == [(4, "(device:d1)", "c1"), (4, "(email:e1)", "c1")]


def test_cross_batch_triple_three_batches_give_what_one_gives() -> None:
    batches = [
        [at(1, cookie="c1", user_id="ada")],
        [at(2, cookie="c2", user_id="ada")],
        [at(3, cookie="c3", user_id="ada")],
    ]
    whole = tell(*batches[0], *batches[1], *batches[2])
    assert whole == tell(*batches[2], *batches[0], *batches[1])
    assert set(whole.people.values()) == {"c1"}


def test_shared_identifier_collision_a_device_of_two_may_be_nobodys() -> None:
    apart = tuple(kind._replace(shared="apart") for kind in KINDS)
    sightings = (
        at(1, device="d1", user_id="ada", cookie="a"),
        at(2, device="d1", user_id="bob", cookie="b"),
        at(3, device="d1"),
    )  # fmt: skip
    told = tell(*sightings, kinds=apart)
    assert told.people["device:d1"] == "(device:d1)"
    assert told.people["user_id:ada"] != told.people["user_id:bob"]
    assert told.conflicts == {("user_id:ada", "device:d1", "shared"), ("user_id:bob", "device:d1", "shared")}
    assert told.history["device:d1"] == [(1, 2, "a"), (2, None, "(device:d1)")]


def test_late_merge_a_merge_of_long_ago_takes_its_place_in_history() -> None:
    known = [at(1, cookie="c1"), at(5, cookie="c2"), at(20, cookie="c2", user_id="ada")]
    told = tell(*known, at(10, cookie="c1", user_id="ada"))
    assert told.history["cookie:c2"] == [(5, 20, "c2"), (20, None, "c1")]
    assert told.history["user_id:ada"] == [(10, None, "c1")]


def test_reverse_chain_an_older_person_met_later_is_the_survivor() -> None:
    told = tell(
        at(1, cookie="c1"), at(2, cookie="c2"), at(3, cookie="c3"),
        at(4, cookie="c3", email="e1"), at(5, cookie="c2", email="e1"), at(6, cookie="c1", email="e1"),
    )  # fmt: skip
    assert told.merges == [(5, "c3", "c2"), (6, "c2", "c1")]
    assert told.history["cookie:c3"] == [(3, 5, "c3"), (5, 6, "c2"), (6, None, "c1")]


def test_merge_then_uid_a_login_after_a_merge_joins_the_merged_person() -> None:
    told = tell(at(1, cookie="c1"), at(2, cookie="c2", email="e1"), at(3, cookie="c1", email="e1"),
                at(4, cookie="c2", user_id="ada"))  # fmt: skip
    assert told.people["user_id:ada"] == "c1"
    assert told.history["user_id:ada"] == [(4, None, "c1")]


def test_interleaved_merge_people_who_merge_in_turns_do_not_mix() -> None:
    told = tell(
        at(1, cookie="a1"), at(2, cookie="b1"), at(3, cookie="a2"), at(4, cookie="b2"),
        at(5, cookie="a1", user_id="ada"), at(6, cookie="b1", user_id="bob"),
        at(7, cookie="a2", user_id="ada"), at(8, cookie="b2", user_id="bob"),
    )  # fmt: skip
    assert told.groups() == {
        frozenset({"cookie:a1", "cookie:a2", "user_id:ada"}), frozenset({"cookie:b1", "cookie:b2", "user_id:bob"}),
    }  # fmt: skip
    assert told.merges == [(7, "a2", "a1"), (8, "b2", "b1")]


def test_deep_single_batch_a_deep_tree_in_one_batch_is_one_person() -> None:
    kinds = tuple(kind._replace(limit=None) for kind in KINDS)
    told = tell(
        *(at(n, cookie=f"c{n:02}", device=f"d{n:02}") for n in range(32)),
        *(at(100 + n, email=f"e{n // 2:02}", device=f"d{n:02}") for n in range(32)),
        *(at(200 + n, email=f"e{n:02}", cookie=f"x{n // 2:02}") for n in range(16)),
        *(at(300 + n, user_id="ada", cookie=f"x{n:02}") for n in range(8)),
        kinds=kinds,
    )
    assert set(told.people.values()) == {"c00"}
    assert {one for _, one, _ in told.merges} == {f"c{n:02}" for n in range(1, 32)}
