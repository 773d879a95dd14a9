"""`mab top` on a screen: keys alone, over a hub in memory whose clock a test moves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from multiagent_bridge.cli import top
from multiagent_bridge.cli.top import feed as feeds
from multiagent_bridge.cli.top.deciding import Approve, Deny
from multiagent_bridge.cli.top.feed import AGAIN, Station
from multiagent_bridge.cli.top.screens import KEYS, Go, Reading
from multiagent_bridge.cli.top.seen import HELD
from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from tests.faces.terminal import Terminal, at_a_terminal
from tests.faces.top_yard import Watched, running, station, watching
from tests.services.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks without a ring come soon: what lapses does so without a word."""
    monkeypatch.setattr(feeds, "REFRESH_SECONDS", 0.2)


@pytest.fixture
async def guard() -> AsyncIterator[Guarded]:
    here = await guarded()
    await here.enable()
    yield here
    await here.background.close()


@asynccontextmanager
async def asked(guard: Guarded, columns: int = 80, lines: int = 24) -> AsyncIterator[tuple[Watched, str]]:
    """Somebody watches while a command waits for them; its id."""
    number = await guard.ask("git status")
    async with watching(station(guard.hub, guard.clock), columns, lines) as here:
        await here.until(lambda: here.pane("approvals"))
        yield here, number


def code(here: Watched) -> str:
    """The code that the dialog shows."""
    return here.sheet.rpartition("Type the code ")[2][:6]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 60), (40, 12)])
async def test_everything_is_there_whatever_the_terminal_measures(guard: Guarded, columns: int, lines: int) -> None:
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "hello")
    async with asked(guard, columns, lines) as (here, _):
        assert len(here.screen) == lines
        assert all(len(row) <= columns for row in here.screen)
        for heading in ("Approvals (1)", "Agents (2", "Conversations (1", "Journal ("):
            assert heading in here.text
        assert "mab top  live  1 to approve" in here.screen[0]
        assert '["git"' in here.text or columns < 80


async def test_a_terminal_too_small_for_all_panes_shows_the_one_in_focus(guard: Guarded) -> None:
    async with asked(guard, 40, 8) as (here, _):
        assert "Approvals" in here.text
        await here.focus("journal")
        assert "Journal" in here.text
        assert "Approvals" not in here.text


async def test_a_terminal_that_changes_its_size_is_drawn_anew(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        for columns, lines in ((200, 60), (30, 7), (80, 24)):
            await here.pilot.resize_terminal(columns, lines)
            await here.until(lambda lines=lines: len(here.screen) == lines)  # type: ignore[misc]
            assert all(len(row) <= columns for row in here.screen)
            assert "Approvals (1" in here.text


async def test_what_happens_is_seen_without_a_key(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        assert here.pane("approvals") == []
        number = await guard.ask("git log")
        await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "hello")
        await here.until(lambda: here.pane("approvals") and "git" in here.pane("approvals")[0][-1])
        await here.until(lambda: any("message.send" in row[-1] for row in here.pane("journal")))
        assert any(number in row[-1] for row in here.pane("journal"))
        await here.until(lambda: "b>a" in here.pane("conversations")[0][4])


async def test_agents_are_alive_waiting_silent_and_have_unread_mail(guard: Guarded) -> None:
    await guard.hub.status.update(guard.bob, NO_CREDENTIALS, "waiting")
    async with watching(station(guard.hub, guard.clock)) as here:
        assert [row[0] for row in here.pane("agents")] == ["waiting", "working"]
        guard.clock.advance(200)
        await guard.hub.status.heartbeat(guard.bob, NO_CREDENTIALS)
        await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "are you there")
        await here.until(lambda: [row[0] for row in here.pane("agents")] == ["silent", "waiting"])
        assert here.pane("agents")[0][1:3] == ("2 unread", "3 min ago")
        await here.until(lambda: "1 silent" in here.screen[0])


async def test_a_heartbeat_that_leaves_no_entry_is_seen_all_the_same(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        guard.clock.advance(200)
        await here.until(lambda: [row[0] for row in here.pane("agents")] == ["silent", "silent"])
        size = (await guard.hub.journal.head()).size
        await guard.mail(guard.bob)
        await guard.mail(guard.bob)
        await here.until(lambda: sorted(row[0] for row in here.pane("agents")) == ["silent", "working"])
        assert (await guard.hub.journal.head()).size <= size + 2


async def test_approving_shows_all_that_a_yes_is_bound_to_and_takes_the_code(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        await here.press("a")
        await here.dialog(Approve)
        proposal = await guard.hub.approvals.propose(OWNER, [number])
        assert here.sheet.split("\n")[:-1] == list(proposal.lines)
        for part in ('["git", "status"]', "/work/shop", "network   no", "sandbox   staged", "rule ", "digest "):
            assert part in here.text, part
        assert "3600 s left" in here.text
        await here.type(code(here))
        await here.press("enter")
        await here.until(lambda: here.said.startswith(f"approved {number} until "))
        await here.until(lambda: here.pane("approvals")[0][0] == "gone")
    told = await guard.run(number, wait_seconds=5)
    assert told.state == "done"


async def test_a_wrong_code_approves_nothing_and_may_be_typed_again(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        await here.press("enter")
        await here.dialog(Approve)
        await here.type("zzzzzz")
        await here.press("enter")
        await here.until(lambda: here.line("hint").startswith("not_approved: "))
        assert (await guard.hub.approvals.waiting(OWNER))[0].command.id == number
        await here.type(f"{code(here)[:3].upper()} {code(here)[3:]}")
        await here.press("enter")
        await here.until(lambda: here.said.startswith("approved "))


async def test_an_empty_code_approves_nothing(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        await here.press("a")
        await here.dialog(Approve)
        await here.press("enter")
        await here.until(lambda: here.line("hint") == "nothing was typed")
        await here.press("escape")
        await here.until(lambda: not isinstance(here.app.screen, Approve))
    assert len(await guard.hub.approvals.waiting(OWNER)) == 1
    assert "refused" not in {entry.outcome for entry in await guard.hub.journal.entries(0, 1000)}


async def test_the_code_stands_below_everything_that_it_approves(guard: Guarded) -> None:
    number = await guard.ask(f"git log {' '.join(f'file{at}' for at in range(100))}")
    assert len((await guard.hub.approvals.propose(OWNER, [number])).lines) < 24
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: here.pane("approvals"))
        await here.press("a")
        await here.dialog(Approve)
        assert "Type the code" not in here.text
        assert "more rows: PageDown" in here.text
        for _ in range(5):
            await here.press("pagedown")
        await here.until(lambda: f"Type the code {code(here)}" in here.text)
        await here.press("pageup", "up", "down")
        assert number in here.line("heading")


async def test_no_key_decides_without_the_approvals_in_focus(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        for pane in ("agents", "conversations", "journal"):
            await here.focus(pane)
            await here.press("a", "d")
            # whatever these keys began would be over when the next one was obeyed
            await here.press("question_mark")
            await here.dialog(Reading)
            await here.press("escape")
            await here.until(lambda: len(here.app.screen_stack) == 1)
    assert len(await guard.hub.approvals.waiting(OWNER)) == 1


async def test_a_denial_asks_for_a_reason_that_the_agent_is_told(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        await here.press("d")
        await here.dialog(Deny)
        assert '["git", "status"]' in here.text
        await here.type("not now")
        await here.press("enter")
        await here.until(lambda: here.said == f"denied {number}")
        await here.until(lambda: here.pane("approvals")[0][0] == "gone")
        assert here.pane("approvals")[0][-1].startswith("denied by operator")
    told = await guard.run(number)
    assert (told.state, told.reason) == ("denied", "a person denied it: not now")


async def test_a_denial_without_a_reason_takes_a_second_enter(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        await here.press("d")
        await here.dialog(Deny)
        await here.press("enter")
        await here.until(lambda: "Enter again" in here.line("hint"))
        assert len(await guard.hub.approvals.waiting(OWNER)) == 1
        await here.press("enter")
        await here.until(lambda: here.said == f"denied {number}")


async def test_a_reason_that_is_too_long_denies_nothing_and_says_so(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        await here.press("d")
        await here.dialog(Deny)
        here.app.screen.query_one("#typed").value = "x" * 5000  # type: ignore[attr-defined]
        await here.press("enter")
        await here.until(lambda: here.line("hint").startswith("invalid: "))
    assert len(await guard.hub.approvals.waiting(OWNER)) == 1


async def test_whoever_comes_second_is_told_who_was_first(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        await here.press("a")
        await here.dialog(Approve)
        typed = code(here)
        await guard.hub.approvals.deny(OWNER, [number], "no")
        await here.until(lambda: "no longer waits: denied by operator" in here.line("hint"))
        await here.type(typed)
        await here.press("enter")
        assert isinstance(here.app.screen, Approve)
        await here.press("escape")
        await here.until(lambda: f"{number} no longer waits: denied by operator" in here.said)
    assert (await guard.run(number)).state == "denied"


async def test_of_two_who_press_enter_at_once_one_wins_and_the_other_is_told(guard: Guarded) -> None:
    async with asked(guard) as (one, _), watching(station(guard.hub, guard.clock)) as other:
        await other.until(lambda: other.pane("approvals"))
        for here, key, dialog in ((one, "a", Approve), (other, "d", Deny)):
            await here.press(key)
            await here.dialog(dialog)
        await one.type(code(one))
        await other.type("no")
        one.app.simulate_key("enter")
        other.app.simulate_key("enter")
        said = [await here.until(lambda here=here: told(here)) for here in (one, other)]  # type: ignore[misc]
    won = [text for text in said if text.startswith(("approved ", "denied "))]
    lost = [text for text in said if "by you: " in text or "no longer waits: " in text]
    assert (len(won), len(lost)) == (1, 1), said


def told(here: Watched) -> str:
    """What the person was told of their decision, in the dialog or after it."""
    if here.said or not isinstance(here.app.screen, (Approve, Deny)):
        return here.said
    return here.line("hint") if "no longer waits" in here.line("hint") else ""


async def test_a_request_that_nobody_decided_vanishes_and_says_why(guard: Guarded) -> None:
    async with asked(guard) as (here, number):
        guard.clock.advance(3601)
        await here.until(lambda: here.pane("approvals")[0][0] == "gone")
        assert here.pane("approvals")[0][-2:] == (number, "expired: nobody decided in time")
        await here.press("a")
        await here.until(lambda: here.said == "that one no longer waits")
        guard.clock.advance(60)
        await here.until(lambda: here.pane("approvals") == [])


async def test_seconds_run_down_under_the_eyes_of_the_person(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        guard.clock.advance(3500)
        await here.until(lambda: here.pane("approvals")[0][0] == "100 s left")
        await here.press("a")
        await here.dialog(Approve)
        guard.clock.advance(10)
        await here.until(lambda: "90 s left to decide" in here.line("heading"))


async def test_a_wish_for_a_mode_is_told_beside_the_approvals(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        await guard.hub.yolo.ask(guard.alice, NO_CREDENTIALS, "yolo")
        await here.until(lambda: "1 agents wish for a mode: mab yolo status" in here.text)


async def test_help_tells_every_key(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.press("question_mark")
        await here.dialog(Reading)
        for key, what in KEYS:
            assert key in here.sheet
            assert what in here.sheet
        await here.press("escape")
        await here.until(lambda: not isinstance(here.app.screen, Reading))


async def test_the_panes_are_reached_by_letters_and_by_tab(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        for name in ("journal", "agents", "conversations", "approvals"):
            await here.focus(name)
        await here.press("tab")
        await here.until(lambda: here.app.focused is not None and here.app.focused.id == "agents")
        await here.press("g")
        await here.dialog(Go)
        assert "g, then" in here.text
        await here.press("x")
        await here.until(lambda: not isinstance(here.app.screen, Go))
        assert here.app.focused is not None
        assert here.app.focused.id == "agents"


async def test_rows_are_walked_by_j_and_k(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.focus("journal")
        pane: Any = here.app.focused
        last = len(here.pane("journal")) - 1
        assert pane.window.at == last
        await here.press("k", "up")
        assert pane.window.at == last - 2
        await here.press("j", "home")
        assert pane.window.at == 0
        await here.press("G")
        assert pane.window.at == last
        await here.press("pageup", "pagedown")
        assert pane.window.at == last


async def test_a_filter_shows_what_it_names_and_escape_shows_all_again(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.press("slash")
        await here.type("front")
        await here.until(lambda: len(here.pane("agents")) == 1)
        assert "Agents (1 of 2)" in here.text
        await here.press("enter")
        await here.until(lambda: here.app.focused is not None and here.app.focused.id == "approvals")
        assert len(here.pane("agents")) == 1
        await here.press("escape")
        await here.until(lambda: len(here.pane("agents")) == 2)


async def test_enter_on_an_agent_shows_what_is_of_its_conversation(guard: Guarded) -> None:
    made = await guard.hub.conversations.create(OWNER, "planner", "worker")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: len(here.pane("conversations")) == 2)
        await here.focus("conversations")
        await here.press("home", "enter")
        await here.until(lambda: len(here.pane("conversations")) == 1)
        assert here.pane("conversations")[0][0] == made.conversation.id


async def test_an_entry_is_read_whole_with_its_message(guard: Guarded) -> None:
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "first line\nsecond [bold]line[/]")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.focus("journal")
        await here.press("enter")
        await here.dialog(Reading)
        assert "| first line\n| second [bold]line[/]" in here.sheet
        assert ["action", "message.send"] in [line.split() for line in here.sheet.split("\n")]
    actions = [(entry.action, entry.target) for entry in await guard.hub.journal.entries(0, 1000)]
    assert ("message.tail", "message 2") in actions


async def test_a_pause_holds_everything_as_it_is_until_it_ends(guard: Guarded) -> None:
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.press("p")
        before = here.pane("journal")
        await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "hello")
        await here.until(lambda: "PAUSED (0" not in here.screen[0] and "PAUSED" in here.screen[0])
        assert here.pane("journal") == before
        await here.press("p")
        await here.until(lambda: "message.send" in here.pane("journal")[-1][-1])
        assert "live" in here.screen[0]


class Away:
    """A store that can be taken away."""

    def __init__(self, guard: Guarded) -> None:
        self.there: object = 1
        self.gone = False
        self.opened = 0
        self._hub = guard.hub
        self.station = Station(self._open, OWNER, guard.clock, lambda: self.there, running)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Hub]:
        if self.gone:
            raise Unavailable("the store cannot be reached", "start it")
        self.opened += 1
        yield self._hub


async def test_a_store_that_is_away_is_told_of_and_comes_back_by_itself(guard: Guarded) -> None:
    place = Away(guard)
    async with watching(place.station) as here:
        rows = here.pane("journal")
        place.gone, place.there = True, 2
        await here.until(lambda: "STORE AWAY" in here.screen[0])
        await here.until(lambda: "the store cannot be reached; trying again" in here.screen[1])
        assert here.pane("journal") == rows
        number = await guard.ask()
        place.gone = False
        await here.until(lambda: "live" in here.screen[0])
        await here.until(lambda: any(number in row[-1] for row in here.pane("journal")))
        seen = [row[0] for row in here.pane("journal")]
        assert seen == sorted(set(seen), key=int)
        assert place.opened == 2


async def test_deciding_while_the_store_is_away_says_so(guard: Guarded) -> None:
    place = Away(guard)
    await guard.ask()
    async with watching(place.station) as here:
        await here.until(lambda: here.pane("approvals"))
        place.gone, place.there = True, 2
        await here.until(lambda: "STORE AWAY" in here.screen[0])
        await here.press("a")
        await here.until(lambda: here.said.startswith("unavailable: "))


async def test_where_nothing_was_ever_stored_it_waits_for_the_first_use(guard: Guarded) -> None:
    place = Away(guard)
    place.there = None
    async with watching(place.station) as here:
        await here.until(lambda: "there is no store yet" in here.screen[1])
        assert place.opened == 0
        place.there = 1
        await here.until(lambda: here.pane("agents"))


async def test_an_older_store_in_the_place_of_this_one_is_read_anew(guard: Guarded) -> None:
    place, other = Away(guard), memory_hub()
    made = await other.hub.conversations.create(OWNER, "planner", "worker")
    async with watching(place.station) as here:
        place._hub, place.there = other.hub, 2
        await here.until(lambda: [row[0] for row in here.pane("conversations")] == [made.conversation.id])
        assert len(here.pane("journal")) == 1


async def test_what_no_waiting_mends_ends_it(guard: Guarded) -> None:
    class Damaged:
        async def head(self) -> object:
            raise Tampered("the journal does not verify")

    hub = replace(guard.hub, journal=Damaged())  # type: ignore[arg-type]
    with pytest.raises(Tampered):
        async with watching(station(hub, guard.clock)) as here:
            await here.until(lambda: here.app.failed)


class Counted:
    """Conversations, and how often one was looked at."""

    def __init__(self, hub: Hub) -> None:
        self._conversations = hub.conversations
        self.shown = 0

    async def show(self, *words: Any) -> Any:
        self.shown += 1
        return await self._conversations.show(*words)


async def test_what_is_looked_at_does_not_grow_with_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "REFRESH_SECONDS", 60.0)
    world = memory_hub()
    for _ in range(HELD * 5):
        await world.hub.conversations.create(OWNER, "backend", "frontend")
    counted = Counted(world.hub)
    async with watching(station(replace(world.hub, conversations=counted), world.clock)) as here:  # type: ignore[arg-type]
        await here.until(lambda: len(here.pane("conversations")) == HELD)
        assert counted.shown <= HELD + AGAIN
        assert "most active; all: mab list" in here.text
        before = counted.shown
        made = await world.hub.conversations.create(OWNER, "planner", "worker")
        await here.until(lambda: here.pane("conversations")[0][0] == made.conversation.id)
        assert counted.shown == before + 1
        assert len(here.pane("conversations")) == HELD


async def test_conversations_in_which_little_happens_are_found_further_back() -> None:
    world = memory_hub()
    quiet = await world.hub.conversations.create(OWNER, "planner", "worker")
    loud = await world.hub.conversations.create(OWNER, "backend", "frontend")
    for _ in range(feeds.PAGE + 200):
        await world.hub.status.heartbeat(OWNER, Credentials(loud.conversation.id, "a"))
    async with watching(station(world.hub, world.clock)) as here:
        found = await here.until(lambda: len(here.pane("conversations")) == 2 and here.pane("conversations"))
        assert found[1][0] == quiet.conversation.id
        assert "mab list" not in here.text


async def test_it_goes_back_only_so_far_and_says_that_there_may_be_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAGE", 50)
    monkeypatch.setattr(feeds, "WALKED", 100)
    world = memory_hub()
    await world.hub.conversations.create(OWNER, "planner", "worker")
    loud = await world.hub.conversations.create(OWNER, "backend", "frontend")
    for _ in range(300):
        await world.hub.status.heartbeat(OWNER, Credentials(loud.conversation.id, "a"))
    async with watching(station(world.hub, world.clock)) as here:
        assert [row[0] for row in here.pane("conversations")] == [loud.conversation.id]
        assert "most active; all: mab list" in here.text


async def test_a_follower_that_fell_far_behind_jumps_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAGE", 50)
    world = memory_hub()
    made = await world.hub.conversations.create(OWNER, "planner", "worker")
    async with watching(station(world.hub, world.clock)) as here:
        for _ in range(300):
            await world.hub.status.heartbeat(OWNER, Credentials(made.conversation.id, "a"))
        await here.until(lambda: here.pane("journal")[-1][0] == "301")


async def test_two_watchers_do_not_wake_each_other_without_end(guard: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "REFRESH_SECONDS", 60.0)
    counted = [Counted(guard.hub), Counted(guard.hub)]
    places = [station(replace(guard.hub, conversations=one), guard.clock) for one in counted]  # type: ignore[arg-type]
    async with watching(places[0]) as one, watching(places[1]) as two:
        for number in range(2, 12):
            await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "hello")
            for here in (one, two):
                await here.until(lambda here=here: here.pane("journal")[-1][-1] == f"message.send message {number}")  # type: ignore[misc] # noqa: B023
    # one look a message; a look that woke the other would be many
    assert max(count.shown for count in counted) <= 12


async def test_without_colour_nothing_is_lost(guard: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    guard.clock.advance(500)
    async with asked(guard) as (here, _):
        assert "silent" in here.text
        strips = [segment for strip in here.app.screen._compositor.render_strips() for segment in strip]
        for name in here.app._filters:
            strips = name.apply(strips, here.app.screen.styles.background)
        styles = [segment.style for segment in strips if segment.style]
        assert all(colour is None or colour.is_default for style in styles for colour in (style.color, style.bgcolor))


async def test_colours_are_those_of_the_terminal_itself(guard: Guarded) -> None:
    async with asked(guard) as (here, _):
        styles = [one.style for strip in here.app.screen._compositor.render_strips() for one in strip if one.style]
        colours = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
        assert colours
        assert all(colour.is_default or (colour.number is not None and colour.number < 16) for colour in colours)


def test_without_the_extra_one_sentence_says_what_to_type(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.opened()
    without = (
        "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *m: n != 'textual' and f(n, *m) or None"
    )
    folder = terminal.root / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(without)
    status, said = at_a_terminal(terminal, "top", PYTHONPATH=str(folder))
    assert status == 2
    assert "invalid: mab top needs the extra [tui]" in said
    assert "pip install 'mcp-multiagent-bridge[tui]'; without it: mab status --watch" in said


def test_off_a_terminal_it_says_what_serves_a_pipe(terminal: Terminal) -> None:
    done = terminal.mab("top", status=3)
    assert done.code == "refused"
    assert "mab status --watch --json" in done.err


def test_listing_the_command_imports_no_textual() -> None:
    import subprocess
    import sys

    words = (
        "import sys; import multiagent_bridge.cli.app, multiagent_bridge.cli.top; sys.exit('textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", words], env=dict(os.environ)).returncode == 0
    assert top.__doc__
