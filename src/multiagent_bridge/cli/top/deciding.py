"""Deciding one approval: the request whole, then the code typed back, or the reason of a no."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from multiagent_bridge.cli.top.rows import Tone
from multiagent_bridge.cli.top.seen import Seen
from multiagent_bridge.cli.top.widgets import Lines, Sheet
from multiagent_bridge.errors import BridgeError, Conflict, NotFound
from multiagent_bridge.model.limits import SECOND

if TYPE_CHECKING:
    from multiagent_bridge.cli.top.feed import Feed
    from multiagent_bridge.ports import Clock
    from multiagent_bridge.services.approvals import Proposal, Request

RISKY = ("  LACKS ", "  advice ", "  network   YES")
"""How lines begin that must not be overlooked, as `mab yolo approve` has them."""


class Decision(ModalScreen[str]):
    """Ends with what there is to say of it, empty when nothing was decided here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
    ]
    asks: ClassVar[str]
    verb: ClassVar[str]

    def __init__(self, feed: Feed, clock: Clock, request: Request, lines: Sequence[tuple[str, Tone]]) -> None:
        super().__init__()
        self._feed, self._clock, self._request, self._lines = feed, clock, request, lines
        self._over = ""
        self._deciding = False

    @property
    def command_id(self) -> str:
        return self._request.command.id

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Lines(id="heading")
            yield Sheet(self._lines, id="sheet")
            yield Lines(self.asks, tone="bold", id="asked")
            yield Input(id="typed", compact=True, select_on_focus=False)
            yield Lines("Enter confirms, Esc leaves it undecided", tone="dim", id="hint")

    def on_mount(self) -> None:
        typed = self.query_one(Input)
        typed.cursor_blink = False
        typed.focus()
        self.set_interval(1.0, self._tick)
        self._tick()

    def told(self, seen: Seen) -> None:
        """Somebody else, or time, may have decided it under the eyes of this person."""
        if self._deciding or self._over or seen.away:
            return
        if all(request.command.id != self.command_id for request in seen.requests):
            why = next((one.why for one in reversed(seen.ended) if one.command_id == self.command_id), "decided")
            self._end(f"{self.command_id} no longer waits: {why}")

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._over:
            self.dismiss(self._over)
            return
        self._deciding = True
        try:
            said = await self.decided(event.value)
        except (Conflict, NotFound) as error:
            # somebody else was first
            self.dismiss(f"not {self.verb} by you: {error.sentence}")
            return
        except BridgeError as error:
            self._say(str(error))
            event.input.clear()
        else:
            if said:
                self.dismiss(said)
        finally:
            self._deciding = False

    @abstractmethod
    async def decided(self, typed: str) -> str:
        """What was done, as a sentence; empty when more is to be typed."""

    def action_leave(self) -> None:
        self.dismiss(self._over)

    def action_page(self, by: int) -> None:
        self.query_one(Sheet).action_scroll_page(by)

    def action_scroll(self, by: int) -> None:
        self.query_one(Sheet).action_scroll_by(by)

    def _say(self, words: str) -> None:
        self.query_one("#hint", Lines).show(words, tone="bad")

    def _end(self, why: str) -> None:
        self._over = why
        self.query_one(Input).disabled = True
        self._say(f"{why} (Esc)")
        self._tick()

    def _tick(self) -> None:
        left = self._request.command.expires_at - self._clock.now()
        state = "over" if self._over else f"{left // SECOND} s left to decide" if left > 0 else "its time is over"
        self.query_one("#heading", Lines).show(f"{self.title_of}: {state}", tone="bold")

    @property
    def title_of(self) -> str:
        return f"{'Approve' if self.verb == 'approved' else 'Deny'} {self.command_id}"


class Approve(Decision):
    """By the code, which stands below all that it approves: nobody gets at it without having passed the rest."""

    asks = "Code of this command, as it stands below its digest:"
    verb = "approved"

    def __init__(self, feed: Feed, clock: Clock, proposal: Proposal) -> None:
        asked: tuple[str, Tone] = (f"Type the code {proposal.code} to approve this command.", "bold")
        super().__init__(feed, clock, proposal.requests[0], [*toned(proposal.lines), asked])

    async def decided(self, typed: str) -> str:
        if not typed.strip():
            # a key pressed twice is no wrong code
            self._say("nothing was typed")
            return ""
        until = await self._feed.approve(self.command_id, typed)
        return f"approved {self.command_id} until {until}"


class Deny(Decision):
    """By Enter after the reason; without one, by a second Enter."""

    asks = "Reason, which the agent is told:"
    verb = "denied"

    def __init__(self, feed: Feed, clock: Clock, proposal: Proposal) -> None:
        super().__init__(feed, clock, proposal.requests[0], toned(proposal.lines))
        self._warned = False

    async def decided(self, typed: str) -> str:
        if not typed.strip() and not self._warned:
            self._warned = True
            self._say("no reason was typed: Enter again denies without one")
            return ""
        await self._feed.deny(self.command_id, typed.strip())
        return f"denied {self.command_id}"


def toned(lines: Sequence[str]) -> list[tuple[str, Tone]]:
    """The lines of a request, its first standing out, and what must not be overlooked in it."""
    return [(line, "bold" if at == 0 else "bad" if line.startswith(RISKY) else "") for at, line in enumerate(lines)]
