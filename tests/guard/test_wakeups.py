"""Whether an idle agent is woken: once a message, not for ever, and again as soon as a person types."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.guard import wakeups as guard
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.wakeups import Past

MINUTE = 60 * SECOND
NOW = 1_000 * MINUTE


def row(count: int, apart: int = SECOND, session: str = "b", last: int = NOW) -> list[Past]:
    """So many wake-ups, the last at `last`, for messages 1, 2, 3, ..."""
    return [Past(last - (count - 1 - n) * apart, "wake", session, n + 1) for n in range(count)]


def test_the_first_message_wakes() -> None:
    assert guard.judged([], "a", 1, 2, NOW) == "wake"


def test_one_message_wakes_once() -> None:
    past = row(1)
    assert guard.judged(past, "b", 1, 2, NOW) == "told"
    assert guard.judged(past, "b", 2, 2, NOW) == "wake"


def test_what_one_session_was_told_another_was_not() -> None:
    assert guard.judged(row(1, session="a"), "b", 1, 2, NOW) == "wake"


def test_the_ninth_wake_up_in_a_row_of_two_agents_is_a_pause() -> None:
    assert guard.judged(row(guard.MOST - 1), "a", 99, 2, NOW) == "wake"
    assert guard.judged(row(guard.MOST), "a", 99, 2, NOW) == "pause"


def test_a_larger_conversation_has_a_longer_row() -> None:
    assert [guard.allowed(sessions) for sessions in (1, 2, 3, 9)] == [8, 8, 12, 36]
    assert guard.judged(row(11), "a", 99, 3, NOW) == "wake"
    assert guard.judged(row(12), "a", 99, 3, NOW) == "pause"


def test_a_slow_row_is_no_row() -> None:
    assert guard.judged(row(50, apart=2 * MINUTE), "a", 99, 2, NOW) == "wake"


def test_during_a_pause_nobody_is_woken_and_it_is_not_announced_again() -> None:
    past = [*row(guard.MOST, last=NOW - MINUTE), Past(NOW - MINUTE, "pause")]
    assert guard.judged(past, "a", 99, 2, NOW) == "paused"
    assert guard.judged(past, "a", 99, 2, NOW - MINUTE + guard.PAUSE - 1) == "paused"


def test_a_pause_ends_by_itself_and_the_row_begins_anew() -> None:
    past = [*row(guard.MOST), Past(NOW, "pause")]
    assert guard.judged(past, "a", 99, 2, NOW + guard.PAUSE) == "wake"


def test_a_person_who_types_ends_the_row_and_the_pause() -> None:
    typed = Past(NOW, "reset")
    assert guard.judged([*row(guard.MOST), typed], "a", 99, 2, NOW) == "wake"
    assert guard.judged([*row(guard.MOST), Past(NOW, "pause"), typed], "a", 99, 2, NOW) == "wake"


def test_a_person_who_types_does_not_make_old_mail_new() -> None:
    assert guard.judged([*row(3), Past(NOW, "reset")], "b", 3, 2, NOW) == "told"


def test_after_a_clock_was_set_back_nobody_stays_paused_by_the_future() -> None:
    past = [*row(guard.MOST), Past(NOW, "pause")]
    assert guard.judged(past, "a", 99, 2, NOW - 600 * MINUTE) == "wake"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=60), st.integers(2, 6))
def test_within_one_window_nobody_is_woken_more_often_than_a_row_allows(
    mail: list[tuple[str, int]], sessions: int
) -> None:
    past: list[Past] = []
    now = NOW
    for newest, (session, seconds) in enumerate(mail, 1):
        now += seconds * SECOND
        what = guard.judged(past, session, newest, sessions, now)
        if what in ("wake", "pause"):
            past.append(Past(now, what, session, newest if what == "wake" else 0))
    kinds = [one.kind for one in past]
    assert kinds.count("wake") <= guard.allowed(sessions)
    assert kinds.count("pause") <= 1
