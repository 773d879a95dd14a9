"""What `mab status` says, as lines: all of them, or as many as a terminal has room for."""

from __future__ import annotations

import pytest

from multiagent_bridge.cli import output
from multiagent_bridge.cli.running import Running
from multiagent_bridge.cli.status.page import Page, page
from multiagent_bridge.cli.status.seen import Away, seen
from multiagent_bridge.config import Settings
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.sessions import Session

NOW = 1_790_000_000_000_000


def looked(
    count: int, more: int = 0, sessions: int = 2, expired: int = 0, role: str = "backend", away: Away | None = None
) -> Page:
    """The page of a look at so many conversations, the first of which have expired."""
    rows = [
        (
            Conversation(f"conv_{number:012x}", NOW - 1, NOW - 1 if number < expired else NOW + 10**9, b""),
            [Session(f"conv_{number:012x}", chr(ord("a") + at), role) for at in range(sessions)],
        )
        for number in range(count)
    ]
    return page(seen(Settings(), Running("none"), rows, None, NOW, more, away), shared=False)


def texts(found: Page, columns: int, rows: int) -> list[str]:
    return [text for text, _ in found.fitted(columns, rows)]


@pytest.mark.parametrize("columns", [1, 20, 79, 200])
@pytest.mark.parametrize("rows", [1, 2, 5, 24, 60])
@pytest.mark.parametrize("role", ["backend", "\u6f22\u5b57 " * 20, "e\u0301" * 40])
def test_it_is_never_wider_nor_longer_than_the_terminal(columns: int, rows: int, role: str) -> None:
    away = Away(NOW, "the database server does not answer", "start it " * 30)
    for found in (looked(40, 9_960, role=role), looked(1, sessions=40, role=role), looked(40, expired=40, away=away)):
        drawn = texts(found, columns, rows)
        assert len(drawn) <= rows
        assert all(output.width(text) <= columns for text in drawn), drawn


def test_as_many_whole_conversations_as_there_are_rows_and_the_rest_is_counted() -> None:
    found = looked(60, 9_940)
    drawn = texts(found, 79, 24)
    shown = sum(text.startswith("conv_") for text in drawn)
    assert shown == (24 - 2 - 1) // 3, "two lines about the hub, three a conversation, one for the rest"
    assert drawn[-1] == f"and {10_000 - shown:,} more: mab list"
    assert sum(text.startswith("  ") for text in drawn) == 2 * shown


def test_where_all_have_room_nothing_is_left_out() -> None:
    drawn = texts(looked(5), 79, 24)
    assert sum(text.startswith("conv_") for text in drawn) == 5
    assert not [text for text in drawn if "more" in text]
    exactly = texts(looked(5), 79, 2 + 5 * 3)
    assert exactly == drawn
    assert texts(looked(5), 79, 2 + 5 * 3 - 1)[-1] == "and 1 more: mab list"


def test_a_conversation_that_is_longer_than_the_terminal_is_begun() -> None:
    drawn = texts(looked(1, 3, sessions=40), 79, 24)
    assert len(drawn) == 24
    assert drawn[2].startswith("conv_")
    assert drawn[-1] == "and 3 more: mab list"


def test_many_warnings_leave_room_for_the_rest() -> None:
    drawn = texts(looked(20, expired=20), 79, 24)
    warned = [text for text in drawn if text.startswith("warning:")]
    assert len(warned) == 7
    assert drawn[7] == "and 13 more warnings"
    assert [text for text in drawn if text.startswith("conv_")]


def test_a_store_that_is_away_is_said_first_with_what_to_do() -> None:
    found = looked(20, expired=20, away=Away(NOW, "the database server does not answer", "start it"))
    for drawn in (texts(found, 200, 24), [text for text, _ in found.lines()]):
        assert drawn[0].startswith("warning: the store is away since 2026-")
        assert drawn[1] == "  start it"


def test_a_store_that_was_never_seen_is_not_said_to_be_empty() -> None:
    gone = looked(0, away=Away(NOW, "the database server does not answer"))
    assert "no conversations" not in texts(gone, 79, 24)
    assert "no conversations" in texts(looked(0), 79, 24)


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    drawn = texts(looked(1, role="\x1b[2Jback\nend\x07"), 200, 24)
    assert all(text.isprintable() for text in drawn)
    assert "\\x1b[2Jback\\x0aend\\x07" in drawn[3]
