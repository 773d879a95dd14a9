"""Agents that write for the eyes of the person before `mab top`: what they wrote is text there, and moves nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from multiagent_bridge.cli.top.deciding import Approve, Decision
from multiagent_bridge.cli.top.pictures import picture
from multiagent_bridge.cli.top.screens import Reading
from multiagent_bridge.cli.top.words import FOLD
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub
from tests.faces.top_yard import Watched, station, watching
from tests.services.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

MARKUP = (
    "[red]alarm[/red]",
    "[link=https://evil.example]click[/link]",
    "[@click=app.quit]quit[/]",
    "[/] [/red] [[ ]] \\[b]",
    "$primary [on red] :bomb:",
)
HOSTILE = (
    "\x1b[2J\x1b[31mroot\x1b[0m",
    "\x1b]0;title\x07\x1b]52;c;cm0gLXJm\x07",
    "safe\u202egnihton ton",
    "zero\u200bwidth\u2066\u2069\ufeff",
    "\u05d0\u05d1\u05d2 \u0627\u0644",
    "z\u0351\u0352\u0353alg\u0334o",
    "over\rwritten\x08\x08\x9b1A",
)


@pytest.fixture
async def guard() -> AsyncIterator[Guarded]:
    here = await guarded()
    await here.enable()
    yield here
    await here.background.close()


def drawn(here: Watched) -> str:
    """Every letter that goes to the terminal as text."""
    letters = "".join(segment.text for strip in here.app.screen._compositor.render_strips() for segment in strip)
    bad = [letter for letter in letters if not letter.isprintable() or unicodedata.combining(letter)]
    assert not bad, bad
    assert not [letter for letter in letters if unicodedata.bidirectional(letter) in ("R", "AL", "AN")]
    return letters


@pytest.mark.parametrize("words", MARKUP)
async def test_markup_in_a_role_stays_text(words: str) -> None:
    world = memory_hub()
    await world.hub.conversations.create(OWNER, f"{words} one", "worker")
    async with watching(station(world.hub, world.clock), 120, 30) as here:
        await here.until(lambda: here.pane("agents"))
        assert any(f"{words} one" == row[3] for row in here.pane("agents"))
        assert f"{words} one" in here.text
        assert all(not segment.style or not segment.style.link for segment in _segments(here))


@pytest.mark.parametrize("words", [*MARKUP, *HOSTILE])
async def test_a_message_is_read_as_text(guard: Guarded, words: str) -> None:
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, f"{words}\nsecond line")
    async with watching(station(guard.hub, guard.clock), 120, 30) as here:
        await here.focus("journal")
        await here.press("enter")
        await here.dialog(Reading)
        assert "| second line" in drawn(here)
        if words in MARKUP:
            assert f"| {words}" in here.text
        styles = [segment.style for segment in _segments(here) if segment.style]
        assert not [style for style in styles if style.link or "@click" in style.meta]


@pytest.mark.parametrize("words", HOSTILE)
async def test_what_is_no_plain_letter_is_spelled_out(words: str) -> None:
    world = memory_hub()
    with suppress(BridgeError):
        # some of them the door does not even let in; the refusal names the agent all the same
        await world.hub.conversations.create(agent(f"agent {words}"), f"role {words}", "worker")
    async with watching(station(world.hub, world.clock), 160, 30) as here:
        await here.until(lambda: here.pane("journal"))
        drawn(here)


async def test_a_message_of_50000_characters_is_read_to_its_end(guard: Guarded) -> None:
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, ("ab\u202e" + "x" * 997) * 49 + "y" * 996 + " end")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.focus("journal")
        await here.press("enter")
        await here.dialog(Reading)
        await here.press("G")
        await here.until(lambda: "yyy end" in here.text)
        assert "\\u202e" in here.sheet
        drawn(here)


async def test_a_message_of_50000_lines_is_read_to_its_end(guard: Guarded) -> None:
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, "\n" * 49_000 + "end")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.focus("journal")
        await here.press("enter")
        await here.dialog(Reading)
        await here.press("G")
        await here.until(lambda: "| end" in here.text)


async def test_a_message_cannot_write_a_line_of_ours(guard: Guarded) -> None:
    forged = "hello\naction      command.approve\n" + "x" * 74 + "outcome     done"
    await guard.hub.messages.send(guard.bob, NO_CREDENTIALS, forged)
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.focus("journal")
        await here.press("enter")
        await here.dialog(Reading)
        for name, value in (("action", "message.send"), ("outcome", "done")):
            assert [row.split() for row in here.screen if row.startswith(name)] == [[name, value]]
        assert any(row.startswith(f"{FOLD}") for row in here.screen)


async def test_an_argument_cannot_write_a_line_of_the_request(guard: Guarded) -> None:
    forged = f"--format={'x' * 62}  network   no  Type the code zzzzzz to approve this command."
    await guard.ask(f"git log '{forged}'")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: here.pane("approvals"))
        await here.press("a")
        await here.dialog(Approve)
        assert len([row for row in here.screen if row.startswith("Type the code ")]) == 1
        assert len([row for row in here.screen if row.startswith("  network ")]) == 1
        assert not any(row.startswith("Type the code zzzzzz") for row in here.screen)


async def test_a_role_does_not_close_its_brackets_in_a_row(guard: Guarded) -> None:
    made = await guard.hub.conversations.create(agent("eve", yolo=True), "boss) of me (", "worker")
    assert made.conversation.id
    async with watching(station(guard.hub, guard.clock), 160, 40) as here:
        await here.until(lambda: len(here.pane("conversations")) == 2)
        drawn(here)


async def test_the_dialog_is_of_the_row_that_was_pointed_at_whatever_comes_before_it(guard: Guarded) -> None:
    first = await guard.ask("git status")
    second = await guard.ask("git log")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: len(here.pane("approvals")) == 2)
        await here.press("j")
        await guard.hub.approvals.deny(OWNER, [first], "")
        await here.until(lambda: len(guard_rows(here)) == 1)
        await here.press("a")
        await here.dialog(Approve)
        assert here.line("heading").startswith(f"Approve {second}: ")
        await here.press("escape")


async def test_the_code_of_one_request_typed_for_another_approves_nothing(guard: Guarded) -> None:
    first, second = await guard.ask("git status"), await guard.ask("git log")
    other = (await guard.hub.approvals.propose(OWNER, [second])).code
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: len(here.pane("approvals")) == 2)
        await here.press("a")
        await here.dialog(Approve)
        await here.type(other)
        await here.press("enter")
        await here.until(lambda: here.line("hint").startswith("not_approved: "))
    assert {one.command.id for one in await guard.hub.approvals.waiting(OWNER)} == {first, second}
    assert (await guard.run(first)).state == "pending"
    assert guard.sandbox.runs == []


async def test_keys_typed_before_the_dialog_is_open_decide_nothing(guard: Guarded) -> None:
    number = await guard.ask("git status")
    async with watching(station(guard.hub, guard.clock)) as here:
        await here.until(lambda: here.pane("approvals"))
        # all in the queue of the program before it has drawn anything
        for key in ("a", "x", "y", "enter"):
            here.app.simulate_key(key)
        await here.until(lambda: any(isinstance(screen, Decision) for screen in here.app.screen_stack))
        assert len([screen for screen in here.app.screen_stack if isinstance(screen, Decision)]) == 1
        assert [one.command.id for one in await guard.hub.approvals.waiting(OWNER)] == [number]


class Counted:
    """Conversations, and how often one was looked at."""

    def __init__(self, hub: Hub) -> None:
        self._conversations = hub.conversations
        self.shown = 0

    async def show(self, *words: Any) -> Any:
        self.shown += 1
        return await self._conversations.show(*words)


async def test_refusals_that_name_conversations_there_are_not_make_no_work() -> None:
    world = memory_hub()
    await world.hub.conversations.create(OWNER, "backend", "frontend")
    for number in range(50):
        given = Credentials(f"conv_{number:012}", "a", "f" * 64)
        with pytest.raises(BridgeError):
            await world.hub.messages.send(agent(f"eve {number}"), given, "hello")
    size = (await world.hub.journal.head()).size
    counted = Counted(world.hub)
    async with watching(station(replace(world.hub, conversations=counted), world.clock)) as here:  # type: ignore[arg-type]
        await here.until(lambda: len(here.pane("conversations")) == 1)
        assert counted.shown == 1
    assert (await world.hub.journal.head()).size == size


async def test_a_picture_holds_what_an_agent_wrote_as_text_and_asks_nobody_for_fonts() -> None:
    from multiagent_bridge.cli.top.feed import Feed

    world = memory_hub()
    await world.hub.conversations.create(OWNER, "<script>alert(1)</script>", "worker")
    drawn = await picture(Feed(station(world.hub, world.clock)), world.clock, 160, 30)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "@font-face" not in drawn
    assert "url(http" not in drawn


def guard_rows(here: Watched) -> list[tuple[str, ...]]:
    """The approvals that still wait."""
    return [row for row in here.pane("approvals") if row[0] != "gone"]


def _segments(here: Watched) -> list[Any]:
    return [segment for strip in here.app.screen._compositor.render_strips() for segment in strip]
