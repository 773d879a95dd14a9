"""Text as `mab top` draws it: what an agent wrote is shown, never obeyed, and never wider than its place."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from multiagent_bridge.cli import output
from multiagent_bridge.guard.output import visible

FOLD = "  : "
"""Begins every further row of a long line: no line of ours begins so."""

NARROWEST = 20

_SIDEWAYS = frozenset({"R", "AL", "AN"})
"""Classes of letters that a terminal may draw from right to left (Unicode annex 9), across what stands beside them."""


def cell(text: str) -> str:
    """One line of plain characters, one column each."""
    return visible(text)


def prose(text: str) -> str:
    """A line of what somebody wrote, in any script that runs from left to right; all else is spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _plain(letter) else _spelled(letter) for letter in text)


def clipped(text: str, columns: int) -> str:
    """`text` cut to so many columns, the cut marked."""
    if output.width(text) <= columns:
        return text
    return text[: max(0, columns - 1)] + "~" * (columns > 0)


def folded(text: str, columns: int) -> list[str]:
    """`text` in rows of so many columns, none of which but the first can begin like a line of ours."""
    columns = max(NARROWEST, columns)
    rows, row, room = [], "", columns
    for letter in text:
        wide = output.width(letter)
        if wide > room:
            rows.append(row)
            row, room = FOLD, columns - len(FOLD)
        row += letter
        room -= wide
    return [*rows, row]


def aligned(cells: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Rows of aligned columns, the last of which is cut where the row would be too wide."""
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["  ".join(text.ljust(wide) for text, wide in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [clipped(row, columns) for row in rows]


def _plain(letter: str) -> bool:
    return (
        letter.isprintable()
        and unicodedata.bidirectional(letter) not in _SIDEWAYS
        and not unicodedata.combining(letter)
    )


def _spelled(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return " " if letter == "\t" else f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
