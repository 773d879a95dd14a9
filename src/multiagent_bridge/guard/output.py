"""What a command printed, and what it is called, as people and models may see it: escapes gone or made visible."""

from __future__ import annotations

import json
import re
import unicodedata

from multiagent_bridge.model.sandboxes import Captured

SEAM = 4_096
"""Characters given up on each side of a cut, so that no secret stands there half: half a key is no longer known as one."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI
    r"|\x1b\][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, ended or not
    r"|\x1b[PX^_][^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|\x9b[0-?]*[ -/]*[@-~]?"
    r"|\x9d[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|[\x90\x98\x9e\x9f][^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_DROPPED = re.compile(
    "[\x00-\x07\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_REDRAWN = re.compile(r"^[^\n]*\r(?!\n|$)", re.MULTILINE)
_ERASED = re.compile(r"[^\x08\n]\x08")
_ERASURES = 200
"""Rounds of backspaces that are applied; a line that still has some then is not one a person typed."""


def cleaned(captured: Captured) -> str:
    """The text of one stream: UTF-8 with replacement, escapes and controls gone, the middle left out where it was not kept."""
    if not captured.truncated:
        return plain((captured.head + captured.tail).decode("utf-8", "replace"))
    head = _without_last(plain(captured.head.decode("utf-8", "replace")))
    tail = _without_last(plain(captured.tail.decode("utf-8", "replace"))[::-1])[::-1]
    left_out = captured.total - len(head.encode()) - len(tail.encode())
    return f"{head}\n[{left_out:,} of {captured.total:,} bytes left out]\n{tail}"


def plain(text: str) -> str:
    """`text` as it would stand on paper: no escapes, the last redraw of a line, backspaces applied, nothing invisible."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    text = _REDRAWN.sub("", text)
    for _ in range(_ERASURES):
        if "\x08" not in text:
            break
        text, count = _ERASED.subn("", text)
        if not count:
            break
    return _DROPPED.sub("", text.replace("\x08", ""))


def visible(text: str) -> str:
    """`text` with every character that is not plainly itself spelled out: controls, invisible ones, changes of
    direction, scripts that
    run right to left or look like Latin letters. What a person reads is what there is.
    """
    return "".join(letter if _honest(letter) else _spelled(letter) for letter in text)


def shown_argv(argv: tuple[str, ...] | list[str]) -> str:
    """The whole argv as a JSON list in which nothing hides; never shortened."""
    return visible(json.dumps(list(argv), ensure_ascii=False))


def _honest(letter: str) -> bool:
    if " " <= letter <= "~":
        return True
    if not "\xa1" <= letter <= "\u024f" or letter == "\xad":
        return False
    return unicodedata.category(letter)[0] in "LNPS"


def _spelled(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _without_last(text: str) -> str:
    """`text` without its last, cut word: back to a line break, else to a space, else by the whole seam."""
    start = max(0, len(text) - SEAM)
    for mark in ("\n", " "):
        place = text.rfind(mark, start)
        if place >= 0:
            return text[:place]
    return text[:start]
