"""What simulated schedules have found: each the shortest schedule that failed, kept for good."""

from chatsecure.mls import Suite

from .replay import play
from .schedule import Schedule, Step


def holds(
    *steps: tuple[object, ...],
    people: int = 3,
    mood: str = "near",
    seed: int = 1,
    clocks: tuple[int, ...] = (),
) -> None:
    """Play a schedule; every invariant must hold.

    Args:
        steps: time in milliseconds, who, what, with what.
        clocks: how wrong each one's is, in milliseconds; the server's is the first.
    """
    names = ("ann", "bob", "cat", "dan", "eve")[:people]
    told = tuple(Step(at, do, who, tuple(args)) for at, who, do, *args in steps)
    schedule = Schedule(seed, names, Suite.CLASSICAL, mood, clocks or (0,) * (people + 1), told)
    outcome = play(schedule)
    if outcome.violation is not None:
        raise outcome.violation


def test_a_connection_that_breaks_during_log_in_is_no_obstacle_to_the_next() -> None:
    # The log-in without an answer was sent again on the next connection, after its own: for ever.
    for at in range(150, 500, 25):
        holds((at, "ann", "cut"), (at, "bob", "cut"), (at, "cat", "cut"), mood="far")


def test_messages_keep_their_order_when_the_group_changes_while_their_writer_is_away() -> None:
    # The first was asked again as it was, refused, and made anew behind the second.
    holds(
        (3000, "ann", "away", 2000),
        (3500, "ann", "say", "#den", 1),
        (3700, "bob", "renew", "#den"),
        (4800, "ann", "say", "#den", 1),
    )


def test_whoever_leaves_forgets_who_else_was_leaving() -> None:
    # A statement that was kept could put somebody out who had come back since.
    holds((3000, "bob", "leave", "#den"), (3050, "ann", "remove", "#den", "cat"))
    holds((3000, "bob", "leave", "#den"), (3000, "cat", "leave", "#den"))


def test_leaving_ends_when_somebody_else_was_faster() -> None:
    # It waited for the conversation to be caught up, where there was nothing to catch up any more.
    holds(
        (2000, "server", "server-kill", 3000),
        (3700, "ann", "remove", "#den", "bob"),
        (4800, "bob", "leave", "#den"),
    )


def test_an_invitation_that_comes_before_one_s_own_leaving_is_read_is_taken() -> None:
    # It was kept for the time after a removal only.
    holds(
        (774, "bob", "say", "#den", 3),
        (1307, "cat", "kill-at-commit", 11, True, 169),
        (6454, "bob", "remove", "#den", "cat"),
        (6454, "cat", "say", "#den", 1),
        (6454, "cat", "leave", "#den"),
        (6454, "ann", "add", "#den", "cat"),
        (10163, "bob", "say", "#den", 1),
        mood="far",
        seed=305,
    )


def test_what_is_written_while_a_way_in_is_tried_does_not_wait_for_ever_when_it_fails() -> None:
    # The room was deleted with its history, and what was queued for it stayed queued.
    holds(
        (360, "ann", "remove", "#den", "cat"),
        (1063, "cat", "say", "#den", 1),
        (1845, "bob", "invite", "#den", 1, 2000),
        (1845, "bob", "leave", "#den"),
        (3082, "cat", "enter", 2),
        (3360, "bob", "enter", 0),
        (3464, "cat", "say", "#den", 3),
        mood="far",
        seed=0,
    )


def test_whoever_is_added_twice_while_away_reads_what_came_between() -> None:
    # The server tells of the last time in only: the first was skipped, and told as a gap.
    holds(
        (2000, "dan", "leave", "#den"),
        (4000, "dan", "away", 20000),
        (6000, "ann", "add", "#den", "dan"),
        (7000, "ann", "say", "#den", 1),
        (8000, "ann", "remove", "#den", "dan"),
        (8500, "ann", "say", "#den", 1),
        (9000, "ann", "add", "#den", "dan"),
        (10000, "ann", "say", "#den", 1),
        people=4,
    )


def test_an_invitation_is_taken_after_a_crash_right_behind_the_removal() -> None:
    # It was to be looked at after the commit, where the process died.
    for commits in range(2, 7):
        holds(
            (2884, "bob", "cut"),
            (3194, "ann", "remove", "#den", "bob"),
            (3539, "server", "server-kill", 330),
            (4150, "ann", "say", "#den", 3),
            (4150, "cat", "add", "#den", "bob"),
            (4205, "bob", "kill-at-commit", commits, True, 307),
            (4765, "ann", "say", "#lobby", 1),
            seed=10070,
        )


def test_a_small_message_does_not_overtake_a_large_one_for_which_the_disk_has_no_room() -> None:
    # Of several under way, each was tried alone: some fitted, and stood before what did not.
    for seed in range(3, 43, 8):
        holds(
            (2000, "server", "server-disk-full", 60 + seed * 3),
            *((1900 + number * 12, "ann", "say", "#den", 1) for number in range(30)),
            mood="far",
            seed=seed,
        )


def test_whoever_enters_by_a_link_while_being_added_begins_with_the_joining() -> None:
    # Both begin in one epoch; what came between them was taken for the beginning.
    holds(
        (845, "ann", "remove", "#den", "bob"),
        (7474, "ann", "invite", "#den", 3, 86_400_000),
        (11877, "ann", "say", "#den", 40),
        (21226, "cat", "say", "#den", 3),
        (21515, "cat", "add", "#den", "bob"),
        (21899, "bob", "enter", 1),
        (21948, "cat", "say", "#den", 1),
        (22917, "bob", "add", "#den", "bob"),
        mood="far",
        seed=329,
    )


def test_no_member_is_left_behind_by_a_change_that_the_log_s_time_forbids() -> None:
    # One clock an hour ahead withdrew somebody's link as expired; all others ignored that change.
    holds(
        (1000, "cat", "invite", "#den", 1, 60_000),
        (1050, "bob", "clock-jump", 3_600_000),
        (2000, "bob", "invite", "#lobby", 3, 60_000),
        (2500, "cat", "invite", "#lobby", 3, 60_000),
        (3000, "bob", "invite", "#lobby", 3, 86_400_000),
    )


def test_a_broken_line_is_noticed_though_the_clock_was_set_back_by_a_day() -> None:
    # Silence was measured by the wall's clock.
    holds(
        (2000, "cat", "clock-jump", -86_400_000),
        (2100, "cat", "half-open"),
        (2200, "cat", "say", "#den", 1),
    )


def test_whoever_comes_in_by_a_link_while_a_member_adds_them_reads_what_is_written_in_between() -> (
    None
):
    # The link was used although the invitation was there: the reading began with the own JOIN.
    for enters in range(160, 300, 20):
        holds(
            (300, "ann", "remove", "#den", "cat"),
            (1300, "ann", "invite", "#den", 3, 100_000),
            (3000, "ann", "add", "#den", "cat"),
            (3000 + enters, "cat", "enter", 0),
            *((3300 + 40 * number, "bob", "say", "#den", 1) for number in range(6)),
            mood="far",
        )


def test_whoever_is_put_out_and_added_twice_while_away_reads_what_came_between() -> None:
    # Of two invitations that came at once the second was kept in place of the first.
    holds(
        (1344, "cat", "kill", 40_000),
        (3026, "bob", "remove", "#den", "cat"),
        (10059, "bob", "add", "#den", "cat"),
        (11000, "ann", "say", "#den", 1),
        (15921, "bob", "remove", "#den", "cat"),
        (16500, "ann", "say", "#den", 1),
        (17650, "bob", "add", "#den", "cat"),
        (17950, "ann", "say", "#den", 1),
    )


def test_leaving_ends_also_for_who_is_added_again_before_it_is_confirmed() -> None:
    # It waited to be out, and was in again within the turn in which it learned of both.
    holds(
        (246, "bob", "leave", "#den"),
        (251, "server", "server-kill", 400),
        (263, "cat", "add", "#den", "bob"),
        people=5,
        mood="calm",
        seed=1106066,
    )


def test_nobody_comes_by_a_link_into_a_room_that_everybody_has_left() -> None:
    # The last to leave stayed in the group for ever: the newcomer had not seen the statement.
    holds(
        (162, "dan", "leave", "#den"),
        (1239, "cat", "invite", "#den", 1, 30_000),
        (3637, "bob", "leave", "#den"),
        (4428, "cat", "leave", "#den"),
        (6768, "ann", "leave", "#den"),
        (8000, "dan", "enter", 0),
        people=4,
        mood="calm",
    )


def test_what_is_newer_waits_until_all_that_was_put_off_is_known() -> None:
    # The first was sent again before the refusal of the second had come; the third overtook that.
    holds(
        (613, "ann", "say", "#lobby", 40),
        (1847, "bob", "say", "#lobby", 1),
        (8938, "bob", "say", "#den", 1),
        (9044, "bob", "say", "#den", 1),
        (9533, "server", "server-disk-full", 2495),
        (10910, "cat", "say", "#lobby", 1),
        (10910, "bob", "say", "#den", 1),
        (13524, "ann", "say", "#lobby", 3),
        mood="awful",
        seed=1255296,
        clocks=(952619, 4960, 0, 4633),
    )


def test_what_waits_behind_a_message_keeps_its_order_when_that_is_kept_alone() -> None:
    # Those of its batch were told to wait all the same, and one of the next batch was the first.
    holds(
        (845, "bob", "create", "#room3", True),
        (6672, "ann", "say", "#lobby", 1),
        (9479, "bob", "say", "#lobby", 40),
        (16286, "server", "server-disk-full", 5819),
        (24418, "server", "server-disk-full", 3823),
        (27784, "ann", "say", "#den", 3),
        mood="awful",
        seed=1109954,
        clocks=(-4729, -2227, 0, -4988),
    )


def test_what_the_server_told_of_an_earlier_time_is_not_taken_for_a_set_back_log() -> None:
    # Asked before we came back in by a link, it said that the log was short and our time in it the
    # one before: all that came between was told as gone.
    holds(
        (461, "bob", "remove", "#den", "cat"),
        (1342, "cat", "private", "cat", 2),
        (1841, "bob", "say", "#den", 1),
        (1841, "cat", "create", "#room3", False),
        (1888, "ann", "say", "#den", 1),
        (2725, "ann", "create", "#room6", True),
        (2725, "cat", "private", "bob", 1),
        (3099, "bob", "invite", "#den", 3, 86_400_000),
        (3279, "dan", "private", "cat", 1),
        (3618, "ann", "say", "#lobby", 3),
        (3716, "dan", "add", "#den", "bob"),
        (3931, "bob", "say", "#den", 1),
        (4337, "cat", "say", "#lobby", 1),
        (4347, "cat", "enter", 2),
        (4366, "cat", "create", "#room4", False),
        (4366, "ann", "say", "#lobby", 3),
        (4975, "ann", "add", "#den", "ann"),
        people=4,
        mood="far",
        seed=1121070,
        clocks=(2160, 3841, 0, 2075, -141257),
    )


def test_what_is_written_while_a_link_is_tried_again_goes_out_when_it_has_opened() -> None:
    # The first try was undone, and with it what waited for it.
    holds(
        (4413, "ann", "remove", "#den", "cat"),
        (7943, "bob", "invite", "#den", 3, 86_400_000),
        (10338, "bob", "invite", "#den", 1, 86_400_000),
        (13382, "dan", "invite", "#den", 3, 2000),
        (14836, "eve", "enter", 1),
        (14986, "ann", "invite", "#den", 3, 2000),
        (15809, "eve", "say", "#den", 1),
        people=5,
        mood="far",
        seed=1122954,
        clocks=(0, -1233, 1575516, 0, 0, -1561),
    )
