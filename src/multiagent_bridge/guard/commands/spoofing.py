"""Characters that make a person read something else than what runs (Unicode TR 36 and TR 39, Trojan Source)."""

from __future__ import annotations

import re
import unicodedata

from multiagent_bridge.guard.commands.verdict import Denied

_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cs", "Cn"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks without a shape, beside the categories above."""
_EMOJI_STYLE = "\ufe0f"
_LOOKALIKES = re.compile(
    "[\u0370-\u03ff\u0400-\u052f\u0531-\u058f\u13a0-\u13ff\u1d00-\u1d7f\u2100-\u214f\uab30-\uabbf\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff]"
)
"""Greek, Cyrillic, Armenian, Cherokee, small capitals, letter-like, full-width and mathematical letters."""
_RUN = re.compile(r"[^\W\d_]+")
_DASH_WORD = re.compile("(?:^|[ \"'])[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GAP = re.compile(" {16}")
_MARKS = 3


def refuse_spoofing(command: str, permitted: str = "") -> None:
    """Raise Denied when a character is invisible, turns the direction, stacks marks, or a word mixes look-alike letters.

    `permitted` are control characters that the mode reads as text (a tab and a newline where a shell reads the line).
    """
    if command.isascii():
        _refuse_controls(command, permitted)
    else:
        _refuse_unseen(command, permitted)
        _refuse_mixed(command)
    if _GAP.search(command):
        raise Denied("spoof.gap", "a long run of spaces pushes the rest of the line out of sight")


def _refuse_controls(command: str, permitted: str) -> None:
    for c in _CONTROL.findall(command):
        if c not in permitted:
            raise Denied("spoof.control", f"the line holds the control character {_named(c)}")


def _refuse_unseen(command: str, permitted: str) -> None:
    marks, before = 0, ""
    for c in command:
        category = unicodedata.category(c)
        if c != " " and c not in permitted and (category in _UNSEEN or c in _BLANK or _selector(c, before)):
            raise Denied("spoof.invisible", f"the line holds {_named(c)}, which is not seen or changes what is seen")
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MARKS:
            raise Denied("spoof.marks", "combining marks are stacked on one letter")
        before = category


def _selector(c: str, before: str) -> bool:
    """Variation selectors; the one that colours an emoji stays after a symbol."""
    if c == _EMOJI_STYLE:
        return before != "So"
    return "\ufe00" <= c <= "\ufe0e" or "\U000e0100" <= c <= "\U000e01ef" or "\u180b" <= c <= "\u180f"


def _refuse_mixed(command: str) -> None:
    for run in _RUN.findall(command):
        if _LOOKALIKES.search(run) and any(c.isascii() for c in run):
            raise Denied(
                "spoof.mixed", "a word mixes Latin letters with letters of another alphabet that look like them"
            )
    if _DASH_WORD.search(command):
        raise Denied("spoof.dash", "a dash that is no ASCII hyphen stands where an option would begin")


def _named(c: str) -> str:
    return f"U+{ord(c):04X}"
