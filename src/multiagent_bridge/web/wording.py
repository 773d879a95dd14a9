"""How words and instants stand in a page: what an agent wrote is text, with nothing hidden in it."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.limits import SECOND

UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters that show nothing or turn the text around: they are spelled out, as `guard/output.py: visible` does."""

_PARTS = re.compile(rf"([{UNSEEN}\ud800-\udfff])|\b([A-Z][A-Z0-9_]*_REDACTED)\b")


def said(text: object) -> Markup:
    """What an agent wrote, as text: unseen characters spelled out and marked, redactions marked."""
    found, parts, end = str(text), [], 0
    for match in _PARTS.finditer(found):
        parts.append(escape(found[end : match.start()]))
        if match[1]:
            parts.append(Markup('<span class="unseen">{}</span>').format(spelled(match[1])))
        else:
            parts.append(Markup('<mark class="redacted">{}</mark>').format(match[2]))
        end = match.end()
    parts.append(escape(found[end:]))
    return Markup("").join(parts)


def spelled(letter: str) -> str:
    """One character as its number."""
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def shortened(text: object, most: int) -> str:
    """At most `most` characters, with the number of those that were left out."""
    found = str(text)
    return found if len(found) <= most else f"{found[:most]}… ({len(found) - most:,} more characters)"


def ago(at: int, now: int) -> str:
    """How long before `now` (microseconds) `at` lies, in one unit; the future is `in`."""
    seconds = (now - at) // SECOND
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size or (unit == "min" and abs(seconds) >= 60):
            return f"{seconds // size} {unit} ago" if seconds > 0 else f"in {-seconds // size} {unit}"
    return "just now" if 0 <= seconds < 2 else f"{seconds} s ago" if seconds > 0 else f"in {-seconds} s"


def iso(at: int) -> str:
    return microseconds_to_iso(at)


def clock(at: int) -> str:
    """The time of day, UTC, in whole seconds."""
    return microseconds_to_iso(at)[11:19]


def day(at: int) -> str:
    return microseconds_to_iso(at)[:10]
