"""What `mab top` shows, as plain data: no screen is needed for any of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.cli import output
from multiagent_bridge.cli.top import rows
from multiagent_bridge.cli.top.held import Held
from multiagent_bridge.cli.top.rows import Row
from multiagent_bridge.cli.top.seen import Ended, Seen, Talk, span, state_of
from multiagent_bridge.cli.top.shares import LEAST, shares
from multiagent_bridge.cli.top.window import Window
from multiagent_bridge.cli.top.words import FOLD, aligned, clipped, folded, prose
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Draft, Entry, Head, append
from multiagent_bridge.model.sessions import Session

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
ALIVE = 120 * SECOND


def session(heard: int | None = 0, status: str = "working", name: str = "a", **more: object) -> Session:
    """One last heard of so many seconds ago."""
    at = None if heard is None else NOW - heard * SECOND
    return Session("conv_000000000001", name, f"role {name}", status=status, last_heartbeat=at, **more)  # type: ignore[arg-type]


def talk(*sessions: Session, number: int = 1, left: int = 3600) -> Talk:
    conversation = Conversation(f"conv_{number:012}", NOW, NOW + left * SECOND, b"")
    return Talk(conversation, sessions)


def entry(conversation: str = "", action: str = "message.send", outcome: str = "done", **facts: str) -> Entry:
    code = "" if outcome == "done" else "refused"
    draft = Draft(NOW, conversation, "a", "operator uid:1", action, outcome, code, facts=facts)
    return append(Head.empty(), draft)[0]


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (session(0), "working"),
        (session(119, "waiting"), "waiting"),
        (session(121), "silent"),
        (session(9999, "complete"), "complete"),
        (session(None), "unseen"),
        (session(0, revoked=True), "revoked"),
    ],
)
def test_an_agent_is_in_one_state(one: Session, state: str) -> None:
    assert state_of(one, NOW, ALIVE) == state


def test_agents_that_need_somebody_come_first() -> None:
    everybody = talk(session(0), session(None, name="b"), session(500, name="c"), session(0, "blocked", "d"))
    shown = rows.agents(Seen([everybody]), NOW)
    assert [row.cells[0] for row in shown] == ["silent", "blocked", "working", "unseen"]
    assert shown[0].cells[-1] == "c of conv_000000000001, was working"


def test_agents_of_expired_conversations_are_nobody() -> None:
    seen = Seen([talk(session(0), left=-1)])
    assert rows.agents(seen, NOW) == []
    assert rows.conversations(seen, NOW)[0].cells[1] == "expired"
    assert rows.summary(seen, NOW) == "0 to approve, 0 alive, 0 waiting, 0 silent, 0 unread"


def test_the_summary_counts_everybody() -> None:
    everybody = talk(session(0, unread=2), session(0, "waiting", "b"), session(500, name="c", unread=1))
    assert rows.summary(Seen([everybody]), NOW) == "0 to approve, 2 alive, 1 waiting, 1 silent, 3 unread"


def test_what_was_decided_is_told_of_for_a_while_and_then_gone() -> None:
    seen = Seen(ended=(Ended("cmd_1", "denied by operator uid:1", NOW),))
    [row] = rows.approvals(seen, NOW + SECOND)
    assert row.cells[-1] == "denied by operator uid:1"
    assert rows.approvals(seen, NOW + rows.ENDED_SECONDS * SECOND) == []


def test_a_refusal_says_its_code_and_its_reason() -> None:
    shown = rows.journal(Seen(entries=(entry(outcome="refused", reason="over the limit"),)))
    assert "refused: refused, over the limit" in shown[0].cells[-1]
    assert shown[0].tone == "bad"


def test_a_filter_wants_every_word_in_either_case() -> None:
    one = Row("1", ("silent", "Backend"), about="conv_000000000001", search="operator")
    for wanted in ("", "SILENT", "backend silent", "conv_0000", "operator back"):
        assert rows.chosen([one], wanted) == [one], wanted
    assert rows.chosen([one], "silent frontend") == []


def test_a_window_keeps_to_its_row_when_others_come_and_go() -> None:
    window = Window()
    window.settle(["a", "b", "c"], 2)
    window.move(1, ["a", "b", "c"], 2)
    window.settle(["x", "a", "b", "c"], 2)
    assert (window.key, window.at, window.top) == ("b", 2, 1)
    window.settle(["x", "c"], 2)
    assert window.key == "c"
    window.settle([], 2)
    assert (window.key, window.at, window.top) == ("", 0, 0)


def test_a_tail_follows_until_somebody_moves_away() -> None:
    window = Window(tail=True)
    window.settle(["1", "2"], 5)
    window.settle(["1", "2", "3"], 5)
    assert window.key == "3"
    window.move(-1, ["1", "2", "3"], 5)
    window.settle(["1", "2", "3", "4"], 5)
    assert window.key == "2"
    window.move(99, ["1", "2", "3", "4"], 5)
    window.settle(["1", "2", "3", "4", "5"], 5)
    assert window.key == "5"


@given(st.lists(st.integers(-30, 30)), st.integers(0, 40), st.integers(-2, 20))
def test_what_is_pointed_at_is_always_in_sight(moves: list[int], count: int, height: int) -> None:
    window, keys = Window(), [str(at) for at in range(count)]
    window.settle(keys, height)
    for by in moves:
        window.move(by, keys, height)
        assert 0 <= window.top <= window.at < max(1, count)
        assert window.at < window.top + max(1, height)


@given(st.integers(-3, 80), st.lists(st.integers(0, 300), min_size=1, max_size=4), st.integers(-1, 3))
def test_panes_never_take_more_than_there_is(room: int, needs: list[int], focused: int) -> None:
    given_rows = shares(room, needs, focused)
    if room >= LEAST * len(needs):
        assert sum(given_rows) == room
        assert min(given_rows) >= LEAST
    else:
        assert sum(given_rows) == max(0, room)


def test_the_pane_in_focus_has_what_it_needs_first() -> None:
    assert shares(20, [1, 50, 50, 500], 1)[1] > shares(20, [1, 50, 50, 500], 0)[1]
    assert shares(20, [1, 2, 1, 500]) == [2, 3, 2, 13]


@given(st.text(max_size=300), st.integers(20, 90))
def test_no_row_of_a_folded_text_is_too_wide_or_begins_another_line(text: str, columns: int) -> None:
    first, *others = folded(prose(text), columns)
    assert all(output.width(row) <= columns for row in (first, *others))
    assert all(row.startswith(FOLD) for row in others)
    assert first + "".join(row.removeprefix(FOLD) for row in others) == prose(text)


@given(st.lists(st.tuples(st.text("ab~", max_size=40), st.text("cd", max_size=40)), max_size=5), st.integers(1, 60))
def test_aligned_rows_fit(cells: list[tuple[str, str]], columns: int) -> None:
    assert all(len(row) <= columns for row in aligned(cells, columns))


def test_a_cut_is_marked() -> None:
    assert clipped("abcdef", 4) == "abc~"
    assert clipped("abcd", 4) == "abcd"
    assert clipped("ab", 0) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")]
)
def test_a_span_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    assert span(seconds * SECOND) == said


def test_only_the_newest_conversations_are_held() -> None:
    held = Held(most=3)
    for number in range(1, 8):
        held.happened(entry(f"conv_{number:012}"))
    assert list(held.due(10)) == [f"conv_{number:012}" for number in (7, 6, 5)]
    held.happened_before(entry("conv_000000000001"))
    assert not held.busy


def test_the_erased_are_not_looked_for() -> None:
    held = Held()
    held.happened(entry("conv_000000000001", "conversation.create"))
    held.happened(entry("conv_000000000001", "conversation.erase"))
    held.happened_before(entry("conv_000000000001"))
    held.happened_before(entry("conv_000000000002", "conversation.erase"))
    held.happened_before(entry("conv_000000000002"))
    assert list(held.due(10)) == []


def test_a_refusal_holds_no_conversation_however_it_names_it() -> None:
    held = Held()
    held.happened(entry("conv_000000000009", outcome="refused"))
    held.happened_before(entry("conv_000000000009", outcome="refused"))
    assert list(held.due(10)) == []


def test_those_not_looked_at_for_long_are_looked_at_again() -> None:
    held = Held()
    for number in range(1, 4):
        held.happened(entry(f"conv_{number:012}"))
    for one in held.due(10):
        held.looked(Conversation(one, NOW, NOW, b""), [])
    held.again(1)
    assert list(held.due(10)) == ["conv_000000000003"]
