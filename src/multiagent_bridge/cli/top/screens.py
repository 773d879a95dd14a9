"""What `mab top` lays over its panes: keys, where to go, one entry whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen

from multiagent_bridge.cli.top.rows import Tone
from multiagent_bridge.cli.top.widgets import Lines, Sheet

PLACES = {"a": "approvals", "s": "agents", "c": "conversations", "j": "journal"}
"""The letter after `g`, and the pane it leads to; an agent sits in a session."""

KEYS = (
    ("j k, arrows", "one row down or up"),
    ("PageDown PageUp", "one screen down or up"),
    ("Home End G", "first row, last row (the journal then follows)"),
    ("Tab", "next pane"),
    *((f"g {letter}", f"to {pane}") for letter, pane in PLACES.items()),
    ("/", "filter every pane by words; Esc shows all again"),
    ("Enter", "an approval: read it; an agent or conversation: only what is of it; an entry: whole, with its message"),
    ("a", "in approvals: read the command whole and approve it by typing its code"),
    ("d", "in approvals: deny it, with a reason for the agent"),
    ("p", "pause, and go on"),
    ("q", "quit"),
)
"""Each key and what it does, for the help and the documents alike."""


class Reading(ModalScreen[None]):
    """A text to read, and nothing else."""

    AUTO_FOCUS = "#sheet"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,question_mark", "dismiss", show=False)]

    def __init__(self, title: str, lines: Sequence[tuple[str, Tone]]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Lines(self._title, tone="bold", id="heading")
            yield Sheet(self._lines, id="sheet")
            yield Lines("Esc closes it", tone="dim", id="hint")


class Go(ModalScreen[str]):
    """Waits for the letter after `g`; any other key goes nowhere."""

    def compose(self) -> ComposeResult:
        yield Lines("g, then  " + "  ".join(f"{letter} {pane}" for letter, pane in PLACES.items()), id="going")

    def on_key(self, event: Key) -> None:
        event.stop()
        self.dismiss(PLACES.get(event.character or "", ""))


def keys() -> Reading:
    """The help."""
    column = max(len(key) for key, _ in KEYS)
    return Reading("Keys of mab top", [(f"{key.ljust(column)}  {what}", "") for key, what in KEYS])
