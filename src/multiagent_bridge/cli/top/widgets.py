"""Rows of plain text on the screen. Only those in sight are drawn, and nothing in them is markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from multiagent_bridge.cli.top.rows import Row, Tone, chosen
from multiagent_bridge.cli.top.window import Window
from multiagent_bridge.cli.top.words import aligned, cell, clipped, folded

STYLES: dict[Tone, Style] = {
    "": Style(),
    "good": Style(color="green"),
    "bad": Style(color="red", bold=True),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
}
"""Colours of the terminal itself, which its owner chose for light or dark."""

HERE = Style(reverse=True)


class Lines(Widget):
    """Lines in their tones, the first at the top. What does not fit is cut off."""

    def __init__(self, *lines: str, id: str | None = None, tone: Tone = "") -> None:
        super().__init__(id=id)
        self._lines: Sequence[tuple[str, Tone]] = [(line, tone) for line in lines]

    def show(self, *lines: str, tone: Tone = "") -> None:
        new = [(line, tone) for line in lines]
        if new != self._lines:
            self._lines = new
            self.refresh()

    @property
    def text(self) -> str:
        return "\n".join(line for line, _ in self._lines)

    def render_line(self, y: int) -> Strip:
        text, tone = self._lines[y] if y < len(self._lines) else ("", "")
        return strip(cell(text), STYLES[tone], self.size.width)


class Pane(Widget, can_focus=True):
    """A heading, and rows below it, of which one is pointed at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Chosen(Message):
        """Somebody pressed Enter on a row."""

        def __init__(self, pane: Pane, row: Row) -> None:
            super().__init__()
            self.pane, self.row = pane, row

    def __init__(self, title: str, empty: str, id: str, tail: bool = False) -> None:
        super().__init__(id=id)
        self.window = Window(tail=tail)
        self.rows: Sequence[Row] = ()
        self._title, self._empty, self._count = title, empty, 0
        self._keys: list[str] = []
        self._sight: Sequence[str] = ()
        self._note = ""

    @property
    def row(self) -> Row | None:
        """The one that is pointed at."""
        return self.rows[self.window.at] if self.rows else None

    def show(self, rows: Sequence[Row], wanted: str, note: str = "") -> None:
        """Show those of `rows` that fit `wanted`."""
        new = chosen(rows, wanted)
        if (new, len(rows), note) == (self.rows, self._count, self._note):
            return
        self.rows, self._count, self._note = new, len(rows), note
        self._keys = [row.key for row in new]
        self._settle()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            style = Style(bold=True, reverse=self.has_focus)
            return strip(f"{'>' if self.has_focus else ' '}{self._heading}", style, width)
        if not self.rows:
            return strip(f"  {self._empty}" if y == 1 else "", STYLES["dim"], width)
        place = self.window.top + y - 1
        if place >= len(self.rows):
            return Strip.blank(width)
        text = self._sight[y - 1] if y <= len(self._sight) else ""
        here = place == self.window.at
        style = STYLES[self.rows[place].tone] + (HERE if here and self.has_focus else Style())
        return strip(f"{'> ' if here else '  '}{text}", style, width)

    @property
    def _heading(self) -> str:
        shown = f"{len(self.rows)} of {self._count}" if len(self.rows) != self._count else str(self._count)
        at = f", at {self.window.at + 1}" if len(self.rows) > self._height else ""
        return f"{self._title} ({shown}{at}){self._note}"

    @property
    def _height(self) -> int:
        return max(1, self.size.height - 1)

    def _settle(self) -> None:
        self.window.settle(self._keys, self._height)
        self._draw()

    def _draw(self) -> None:
        # columns as wide as what is in sight needs, so that a thousand rows cost no more than twenty
        sight = self.rows[self.window.top : self.window.top + self._height]
        self._sight = aligned([row.cells for row in sight], self.size.width - 2)
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        self._settle()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        self.window.move(by, self._keys, self._height)
        self._draw()

    def action_page(self, by: int) -> None:
        self.action_move(by * self._height)

    def action_choose(self) -> None:
        if self.row is not None:
            self.post_message(self.Chosen(self, self.row))


class Sheet(Widget, can_focus=True):
    """A text that may be longer than the screen, folded where it is too wide, and scrolled by keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_by(1)", show=False),
        Binding("k,up", "scroll_by(-1)", show=False),
        Binding("pagedown,ctrl+d,space", "scroll_page(1)", show=False),
        Binding("pageup,ctrl+u", "scroll_page(-1)", show=False),
        Binding("home", "scroll_by(-1000000)", show=False),
        Binding("end,G", "scroll_by(1000000)", show=False),
    ]

    def __init__(self, lines: Sequence[tuple[str, Tone]], id: str | None = None) -> None:
        super().__init__(id=id)
        self._whole = lines
        self._folded: Sequence[tuple[str, Tone]] = ()
        self.top = 0

    @property
    def text(self) -> str:
        return "\n".join(line for line, _ in self._whole)

    @property
    def more(self) -> int:
        """Rows below the last one on screen."""
        return max(0, len(self._folded) - self.top - self.size.height)

    def on_resize(self, event: Resize) -> None:
        self._folded = [(part, tone) for line, tone in self._whole for part in folded(line, self.size.width)]
        self.action_scroll_by(0)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self.more and y == self.size.height - 1:
            return strip(f"-- {self.more + 1} more rows: PageDown --", HERE, width)
        place = self.top + y
        text, tone = self._folded[place] if place < len(self._folded) else ("", "")
        return strip(text, STYLES[tone], width)

    def action_scroll_by(self, by: int) -> None:
        self.top = max(0, min(self.top + by, len(self._folded) - self.size.height))
        self.refresh()

    def action_scroll_page(self, by: int) -> None:
        # the last row is covered while there is more
        self.action_scroll_by(by * max(1, self.size.height - 1))


def strip(text: str, style: Style, width: int) -> Strip:
    """One row of the screen, exactly as wide. What is not printable was spelled out before, or is now."""
    safe = text if text.isprintable() else cell(text)
    return Strip([Segment(clipped(safe, width), style)]).adjust_cell_length(width, style)
