"""The screen of `mab top`: four panes over one feed, keys alone, and dialogs that decide."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from multiagent_bridge.cli.top import rows, screens
from multiagent_bridge.cli.top.deciding import Approve, Decision, Deny
from multiagent_bridge.cli.top.feed import Feed
from multiagent_bridge.cli.top.rows import Row, Tone
from multiagent_bridge.cli.top.seen import Seen
from multiagent_bridge.cli.top.shares import shares
from multiagent_bridge.cli.top.station import station
from multiagent_bridge.cli.top.widgets import Lines, Pane
from multiagent_bridge.cli.top.words import cell, prose
from multiagent_bridge.errors import BridgeError

if TYPE_CHECKING:
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.ports import Clock

NO_TONE: Tone = ""

W = TypeVar("W", bound=Widget)

WIDE = 140
"""Columns from which the panes stand in two columns."""

NARROW_STACK = (("approvals", "agents", "conversations", "journal"),)
WIDE_STACKS = (("approvals", "agents"), ("conversations", "journal"))

BARS = 4
"""Rows that are not the panes': two above, two below."""


class Approvals(Pane):
    """The pane of what waits for a person: only here does a key lead to a decision."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,enter", "decide('approve')", show=False),
        Binding("d", "decide('deny')", show=False),
    ]

    class Decide(Message):
        def __init__(self, row: Row, verb: str) -> None:
            super().__init__()
            self.row, self.verb = row, verb

    def action_decide(self, verb: str) -> None:
        if self.row is not None:
            self.post_message(self.Decide(self.row, verb))


class Top(App[None]):
    """Shows what the feed tells. `failed` is why it ended, when it was not the person who ended it."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = "#approvals"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual declares no class variable
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", show=False),
        Binding("slash", "filter", show=False),
        Binding("g", "go", show=False),
        Binding("p", "pause", show=False),
        Binding("q", "quit", show=False),
        Binding("escape", "all", show=False),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]
    CSS = """
    Screen { layout: vertical; background: ansi_default; color: ansi_default; overflow: hidden; }
    Lines { height: 1; }
    #head { height: 2; }
    #panes { height: 1fr; }
    #left, #right { height: auto; width: 1fr; }
    .-narrow #panes { layout: vertical; }
    .-wide #panes { layout: horizontal; }
    .-wide #right { margin-left: 1; }
    Pane { height: 2; }
    #filter { display: none; height: 1; border: none; padding: 0; }
    #filter.on { display: block; }
    ModalScreen { align: center bottom; background: ansi_default; }
    #dialog { width: 100%; height: 100%; background: ansi_default; color: ansi_default; }
    #dialog #sheet { height: 1fr; }
    #dialog Input { height: 1; border: none; padding: 0; }
    #going { dock: bottom; }
    """

    def __init__(self, feed: Feed, clock: Clock) -> None:
        super().__init__(ansi_color=True)
        self.failed: BaseException | None = None
        self.interrupted = False
        self._feed, self._clock = feed, clock
        self._following: asyncio.Task[None] | None = None
        self._shown = Seen()
        self._wanted = ""
        self._from = "approvals"
        self._held_back = 0
        self._paused = False

    def compose(self) -> ComposeResult:
        yield Lines(id="head")
        with Container(id="panes"):
            with Vertical(id="left"):
                yield Approvals("Approvals", "nothing waits for you", id="approvals")
                yield Pane("Agents", "no agents", id="agents")
            with Vertical(id="right"):
                yield Pane("Conversations", "no conversations", id="conversations")
                yield Pane("Journal", "no entries", id="journal", tail=True)
        yield Input(id="filter", compact=True, placeholder="filter", select_on_focus=False)
        yield Lines(id="said")
        yield Lines(id="keys")

    def on_mount(self) -> None:
        self._following = asyncio.create_task(self._feed.run(self.told))
        self._following.add_done_callback(self._ended)
        self.set_interval(1.0, self._tick)
        self.redraw()

    async def on_unmount(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def told(self, seen: Seen) -> None:
        """The feed saw something new."""
        if not self.is_running:
            return
        for screen in self.screen_stack:
            if isinstance(screen, Decision) and screen.is_mounted:
                screen.told(seen)
        if self._paused:
            self._held_back += 1
            self._head()
            return
        self._shown = seen
        self.redraw()

    def redraw(self) -> None:
        """Draw what was seen last, as old as it is by now."""
        if not self.is_running:
            return
        seen, now = self._shown, self._clock.now()
        wishes = f"  {seen.wishes} agents wish for a mode: mab yolo status" if seen.wishes else ""
        held = "  most active; all: mab list" if seen.quieter else ""
        self._pane("approvals").show(rows.approvals(seen, now), self._wanted, wishes)
        self._pane("agents").show(rows.agents(seen, now), self._wanted)
        self._pane("conversations").show(rows.conversations(seen, now), self._wanted, held)
        self._pane("journal").show(rows.journal(seen), self._wanted, f" of {seen.size:,}" if seen.size else "")
        self._fit()
        self._head()

    def say(self, words: str, tone: Tone = "bold") -> None:
        """One line to the person, until the next."""
        self._base("#said", Lines).show(words, tone=tone)

    def action_keys(self) -> None:
        self.push_screen(screens.keys())

    def action_go(self) -> None:
        def gone(pane: str | None) -> None:
            if pane:
                self._pane(pane).focus()

        self.push_screen(screens.Go(), gone)

    def action_pause(self) -> None:
        self._paused = not self._paused
        if not self._paused:
            self._held_back = 0
            self._shown = self._feed.seen
        self.redraw()

    def action_filter(self) -> None:
        typed = self._base("#filter", Input)
        if isinstance(self.focused, Pane):
            self._from = str(self.focused.id)
        typed.cursor_blink = False
        typed.add_class("on")
        typed.focus()

    def action_all(self) -> None:
        self._base("#filter", Input).value = ""
        self._close_filter()

    def action_interrupt(self) -> None:
        self.interrupted = True
        self.exit()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self._wanted = event.value
            self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self._close_filter()

    def on_descendant_focus(self) -> None:
        if self.is_running:
            self._keys()
            self._fit()

    def on_resize(self) -> None:
        if self.is_running:
            self.redraw()

    def on_pane_chosen(self, event: Pane.Chosen) -> None:
        if event.pane.id == "journal":
            entry = next((one for one in self._shown.entries if str(one.seq) == event.row.key), None)
            if entry is not None:
                self._open(partial(self._read, entry))
        elif event.row.about:
            self._base("#filter", Input).value = event.row.about
            self._close_filter()

    def on_approvals_decide(self, event: Approvals.Decide) -> None:
        if event.row.key.startswith(rows.ENDED):
            self.say("that one no longer waits", "bad")
            return
        self._open(partial(self._decide, event.row.key, event.verb))

    def _open(self, dialog: Callable[[], Coroutine[None, None, None]]) -> Worker[None] | None:
        """Begin what leads to a dialog, unless one is open; one that was begun before and is not open yet is given up."""
        if len(self.screen_stack) > 1:
            return None
        return self.run_worker(dialog, exclusive=True, group="dialog")

    async def _decide(self, command_id: str, verb: str) -> None:
        """Show the command as it is now, whole, and let the person decide."""
        try:
            proposal = await self._feed.propose(command_id)
        except BridgeError as error:
            self.say(str(error), "bad")
            return
        screen = (Approve if verb == "approve" else Deny)(self._feed, self._clock, proposal)
        if said := await self.push_screen_wait(screen):
            self.say(cell(said), "bad" if said.startswith("not ") else "bold")

    async def _read(self, entry: Entry) -> None:
        lines: list[tuple[str, Tone]] = [(line, "") for line in rows.entry_lines(entry)]
        if entry.action == "message.send" and entry.outcome == "done":
            try:
                said = await self._feed.said(entry)
            except BridgeError as error:
                said = str(error)
            words = "the message was erased" if said is None else said
            lines += [("", ""), *((f"| {prose(line)}", NO_TONE) for line in words.split("\n"))]
        self.push_screen(screens.Reading(f"Entry {entry.seq}", lines))

    def _ended(self, following: asyncio.Task[None]) -> None:
        if not following.cancelled() and (error := following.exception()) is not None:
            self.failed = error
            self.exit()

    def _tick(self) -> None:
        # spans and seconds left grow old; the store is not asked
        if not self._paused:
            self.redraw()

    def _head(self) -> None:
        seen, now = self._feed.seen, self._clock.now()
        state = (
            "STORE AWAY" if seen.away else f"PAUSED ({self._held_back} changes held back)" if self._paused else "live"
        )
        told = f"store: {seen.away}; trying again, what is shown is old" if seen.away else seen.hub
        self._base("#head", Lines).show(f"mab top  {state}  {rows.summary(seen, now)}", told)

    def _keys(self) -> None:
        here = "a approve  d deny  " if isinstance(self.focused, Approvals) else ""
        words = f"{here}? keys  / filter  g go  Tab pane  Enter more  p pause  q quit"
        self._base("#keys", Lines).show(words, tone="dim")

    def _close_filter(self) -> None:
        typed = self._base("#filter", Input)
        typed.set_class(bool(typed.value), "on")
        if self.focused is typed:
            self._pane(self._from).focus()
        self._fit()

    def _fit(self) -> None:
        """Give each pane the rows that it needs, as far as there are any; the one in focus before the others."""
        room = self.size.height - BARS - self._base("#filter", Input).has_class("on")
        for stack in WIDE_STACKS if self.size.width >= WIDE else NARROW_STACK:
            panes = [self._pane(name) for name in stack]
            focused = next((at for at, pane in enumerate(panes) if pane.has_focus), -1)
            for pane, height in zip(panes, shares(room, [len(pane.rows) for pane in panes], focused), strict=True):
                pane.styles.height = height

    def _pane(self, name: str) -> Pane:
        return self._base(f"#{name}", Pane)

    def _base(self, selector: str, kind: type[W]) -> W:
        """A widget below whatever dialog is open."""
        return self.screen_stack[0].query_one(selector, kind)


async def run() -> None:
    """Show it until the person leaves. Raises what ended it otherwise."""
    place = station()
    app = Top(Feed(place), place.clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # the terminal is given back as it was
        loop.add_signal_handler(number, app.exit)
    await app.run_async(mouse=False)
    if app.failed is not None:
        raise app.failed
    if app.interrupted:
        raise KeyboardInterrupt
    if app.return_code:
        # a defect of ours: Textual has shown where
        raise SystemExit(app.return_code)
