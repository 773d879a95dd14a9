"""The one place that prints: data on stdout, talk on stderr, colour only on a terminal that wants it.

Every text is shown, never obeyed: what agents said moves no cursor, turns no direction of writing, begins no line.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from multiagent_bridge.cli.wording import spoken
from multiagent_bridge.errors import BridgeError, Unavailable

COLOURS = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "bold": "1",
    "dim": "2",
}
"""SGR codes (ECMA-48, section 8.3.117)."""


def coloured(stream: IO[str] | None) -> bool:
    """Whether colour is welcome there (no-color.org: NO_COLOR set and not empty says no)."""
    return _screen(stream) and not os.environ.get("NO_COLOR")


def painted(text: str, *styles: str, on: IO[str] | None = None) -> str:
    """`text` in the named styles of `COLOURS` when the stream (stdout) takes colour, else as it is."""
    if not styles or not coloured(on or sys.stdout):
        return text
    return f"\x1b[{';'.join(COLOURS[style] for style in styles)}m{text}\x1b[0m"


def data(value: object) -> None:
    """One JSON document on stdout."""
    _write(sys.stdout, _json(value, indent=2) + "\n")


def json_line(value: object) -> None:
    """One JSON line on stdout, at once."""
    _write(sys.stdout, _json(value, separators=(",", ":")) + "\n")


def line(text: str, *styles: str) -> None:
    """One line of data on stdout, in the named styles where colour is welcome."""
    _write(sys.stdout, painted(visible(text), *styles) + "\n")


def written(text: str) -> None:
    """One line on stdout of parts that were made visible and painted one by one."""
    _write(sys.stdout, text + "\n")


def clear() -> None:
    """An empty terminal before what is shown again; an empty line where there is no terminal."""
    _write(sys.stdout, "\x1b[H\x1b[2J" if _screen(sys.stdout) else "\n")


def block(text: str, margin: str = "  | ") -> None:
    """A text of several lines on stdout, every one of them behind the margin."""
    _write(sys.stdout, "".join(f"{margin}{visible(part)}\n" for part in text.split("\n")))


def raw(text: str) -> None:
    """Text for another program, byte for byte: a signed note, a filtered stream."""
    _write(sys.stdout, text)


def flush() -> None:
    """Hand everything written so far to whoever reads standard output. Raises OSError when nobody takes it."""
    if sys.stdout is not None:
        sys.stdout.flush()


def say(text: str) -> None:
    """Talk on stderr, a line or several of our own."""
    _write(sys.stderr, "\n".join(visible(part) for part in text.split("\n")) + "\n")


def error(failed: BridgeError) -> None:
    """What went wrong and what to do, on stderr."""
    for lead, text in (("error: " + failed.code + ": ", failed.sentence), ("hint: ", failed.hint)):
        if text:
            _write(sys.stderr, f"mab: {lead}{visible(spoken(text))}\n")


def table(columns: Sequence[str], cells: Iterable[Sequence[object]]) -> None:
    """Aligned columns on stdout, a heading only on a terminal."""
    rows(cells, columns if sys.stdout is not None and sys.stdout.isatty() else None)


def rows(cells: Iterable[Sequence[object]], heading: Sequence[str] | None = None) -> None:
    """Aligned columns on stdout."""
    shown = [[visible(str(cell)) for cell in row] for row in cells]
    measured = [list(heading), *shown] if heading else shown
    widths = [max(map(width, column)) for column in zip(*measured, strict=True)]
    if heading:
        _write(sys.stdout, painted(_aligned(heading, widths), "bold") + "\n")
    for row in shown:
        _write(sys.stdout, _aligned(row, widths) + "\n")


def facts(pairs: Mapping[str, object]) -> None:
    """`name  value` lines on stdout."""
    column = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        line(f"{name.ljust(column)}  {value}")


def visible(text: str) -> str:
    """Text that a terminal shows and does not obey: what is not printable appears as its escape, a tab as a space."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else _escape(c) for c in text)


def visible_lines(text: str) -> str:
    """A page of several lines made visible line by line."""
    return "\n".join(map(visible, text.split("\n")))


def width(text: str) -> int:
    """Columns of a terminal that `text` takes: wide letters two, combining marks none (Unicode annex 11)."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def _screen(stream: IO[str] | None) -> bool:
    """Whether a terminal is there that obeys escape sequences."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()


def _json(value: object, **form: object) -> str:
    """JSON whose strings hold only printable characters, so that it may be looked at as well as parsed."""
    text = json.dumps(value, ensure_ascii=not _speaks_unicode(sys.stdout), **form)  # type: ignore[arg-type]
    text = text.replace("\x7f", "\\u007f")
    if text.isprintable() or text.isascii():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _speaks_unicode(stream: IO[str] | None) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _escape(c: str) -> str:
    number = ord(c)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _write(stream: IO[str] | None, text: str) -> None:
    if stream is None and stream is sys.stderr:
        return
    if stream is None:
        raise Unavailable("standard output is closed", "give the command somewhere to write")
    stream.write(text)
    stream.flush()
