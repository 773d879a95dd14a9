"""`mab top` beside a real hub and real agents, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.cli.top.deciding import Approve
from multiagent_bridge.cli.top.station import station
from tests.faces.desk import Desk
from tests.faces.terminal import Terminal
from tests.faces.top_yard import Watched, watching
from tests.machines.places import Place, until
from tests.machines.screens import COLOURS, Screen, screen

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

LEFT = "\x1b[?1049l"
"""The terminal's own screen is back (xterm control sequences)."""


@pytest.fixture
def here(fast: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The state directory is this process's, too."""
    for name in [name for name in os.environ if name.startswith("MAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAB_HOME", str(fast.home))
    for name, value in fast.env.items():
        monkeypatch.setenv(name, value)
    return fast


def sequence(watched: Watched) -> list[int]:
    return [int(row[0]) for row in watched.pane("journal")]


def test_real_agents_are_seen_and_a_hub_that_ends_is_told_of_and_comes_back(here: Place) -> None:
    alice, bob, conversation = here.pair()

    async def watched() -> None:
        async with watching(station(), 120, 40) as top:
            await top.until(lambda: "hub: running, process" in top.screen[1], "the hub is told of")
            await top.until(lambda: {row[0] for row in top.pane("agents")} == {"working"}, "both are at work")
            await asyncio.to_thread(alice.good, "send_to_partner", message="hello [red]you[/red]")
            await top.until(lambda: any(row[1] == "1 unread" for row in top.pane("agents")), "unread mail")
            await top.until(lambda: "a>b" in top.pane("conversations")[0][4], "who wrote last")
            await asyncio.to_thread(bob.good, "check_messages")
            await top.until(lambda: all(row[1] == "0 unread" for row in top.pane("agents")), "read mail")
            killed = await asyncio.to_thread(here.kill_hub)
            await asyncio.to_thread(alice.good, "send_to_partner", message="are you still there")
            new = here.hub
            assert new != killed
            await top.until(lambda: f"hub: running, process {new}," in top.screen[1], "the hub is back")
            size = len(here.entries())
            await top.until(lambda: sequence(top)[-1] >= size, "every entry")
            assert sequence(top) == list(range(1, sequence(top)[-1] + 1))
            assert top.pane("conversations")[0][0] == conversation

    asyncio.run(watched())
    here.verified()


def test_a_store_that_is_moved_away_and_back_is_told_of_and_read_again(here: Place, tmp_path: Path) -> None:
    here.mab("create", "backend", "frontend")
    store = here.home / "bridge.db"

    async def watched() -> None:
        async with watching(station(), 120, 40) as top:
            await top.until(lambda: top.pane("agents"), "the agents")
            store.rename(tmp_path / "bridge.db")
            await top.until(lambda: "STORE AWAY" in top.screen[0], "the store is away")
            assert not store.exists()
            (tmp_path / "bridge.db").rename(store)
            await top.until(lambda: "live" in top.screen[0], "the store is back")
            await asyncio.to_thread(here.mab, "create", "planner", "worker")
            await top.until(lambda: len(top.pane("conversations")) == 2, "what happened then")

    asyncio.run(watched())
    here.verified()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(Terminal(tmp_path, monkeypatch, capsys), monkeypatch)


def test_a_denial_in_another_process_is_told_under_the_open_dialog(desk: Desk) -> None:
    desk.enables()
    number = desk.asks()

    async def watched() -> None:
        async with watching(station()) as top:
            await top.until(lambda: top.pane("approvals"), "the request")
            await top.press("a")
            await top.dialog(Approve)
            done = await asyncio.to_thread(desk.terminal.process, "yolo", "deny", number, "--reason", "no")
            assert done.status == 0
            await top.until(lambda: "no longer waits: denied by operator" in top.line("hint"), "who was first")

    asyncio.run(watched())
    assert desk.runs(number).state == "denied"


def test_what_was_approved_here_runs_once(desk: Desk) -> None:
    desk.enables()
    number = desk.asks()

    async def watched() -> None:
        async with watching(station()) as top:
            await top.until(lambda: top.pane("approvals"), "the request")
            await top.press("a")
            await top.dialog(Approve)
            await top.type(top.sheet.rpartition("Type the code ")[2][:6])
            await top.press("enter")
            await top.until(lambda: top.said.startswith(f"approved {number}"), "the approval")

    asyncio.run(watched())
    assert desk.runs(number).state == "done"
    assert len(desk.sandbox.runs) == 1


def test_a_person_sees_it_on_a_terminal_and_gets_the_terminal_back(here: Place) -> None:
    alice, _, conversation = here.pair()
    with screen(here.home, "top", **here.env) as seen:
        seen.until(lambda text: "Approvals" in text and "frontend" in text and "hub: running" in text, "the panes")
        before = len(seen.text)
        alice.good("send_to_partner", message="hello")
        seen.until(lambda text: "a>b" in text, "the message", before)
        seen.press("?")
        seen.until(lambda text: "Keys of mab top" in text, "the help", before)
        before = len(seen.text)
        seen.press("q")
        seen.until(lambda text: "Approvals" in text, "the panes again", before)
        seen.press("q")
        assert seen.ended() == 0
        gave_back(seen)
    assert COLOURS.search(seen.raw)
    assert conversation in seen.text


@pytest.mark.parametrize(
    ("keys", "number", "status"), [("\x03", 0, 130), ("", signal.SIGTERM, 0), ("", signal.SIGHUP, 0)]
)
def test_however_it_is_ended_the_terminal_is_as_it_was(here: Place, keys: str, number: int, status: int) -> None:
    here.mab("create", "backend", "frontend")
    with screen(here.home, "top") as seen:
        seen.until(lambda text: "Approvals" in text and "frontend" in text, "the panes")
        if keys:
            seen.press(keys)
        else:
            os.kill(seen.process.pid, number)
        assert seen.ended() == status
        gave_back(seen)


def test_without_colour_no_colour_is_sent(here: Place) -> None:
    here.mab("create", "backend", "frontend")
    with screen(here.home, "top", NO_COLOR="1") as seen:
        seen.until(lambda text: "Approvals" in text and "frontend" in text, "the panes")
        seen.press("q")
        assert seen.ended() == 0
    assert not COLOURS.search(seen.raw)


def test_before_the_first_use_it_waits_and_makes_nothing(here: Place) -> None:
    state = here.home / "state"
    with screen(state, "top") as seen:
        seen.until(lambda text: "there is no store yet" in text, "what it waits for")
        assert not (state / "bridge.db").exists()
        here.mab("create", "backend", "frontend", MAB_HOME=str(state))
        seen.until(lambda text: "frontend" in text, "the first conversation")
        seen.press("q")
        assert seen.ended() == 0


def test_a_damaged_journal_ends_it_with_the_sentence_and_the_status(here: Place) -> None:
    here.mab("create", "backend", "frontend")
    damaged(here.home / "bridge.db")
    with screen(here.home, "top") as seen:
        assert seen.ended() == 10
        assert "mab: error: tampered:" in seen.text
        gave_back(seen)


def test_a_watched_status_without_the_extra_tells_the_same(here: Place) -> None:
    alice, _, conversation = here.pair()
    with screen(here.home, "status", "--watch", "--json", **here.env) as seen:
        seen.until(lambda text: conversation in text, "the conversation")
        before = len(seen.text)
        alice.good("send_to_partner", message="hello")
        seen.until(lambda text: any(told(line) == 1 for line in text.splitlines()), "the message", before)


def told(line: str) -> Any:
    """The messages that a line of a watched status tells of; None for half a line."""
    try:
        return json.loads(line)["conversations"][0]["messages"]
    except ValueError:
        return None


def gave_back(seen: Screen) -> None:
    """The terminal is in its own screen, shows its cursor, and is set as before."""
    assert LEFT in seen.raw
    assert seen.raw.rindex("\x1b[?25h") > seen.raw.rindex("\x1b[?25l")
    until(lambda: seen.settings == seen.before, "the terminal is set as before")


def damaged(store: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(store)) as held, held:
        held.execute("UPDATE journal SET line = '{}' WHERE seq = 1")
