"""What text from outside must be before anything else looks at it."""

from __future__ import annotations

import re

from multiagent_bridge.errors import Invalid

LINE_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Controls, line breaks, turns of direction and letters without a shape (Unicode categories Cc, Cf, Zl, Zp, fillers).

The joiners U+200C and U+200D stay: words and emoji are written with them.
"""
_OBEYED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""What a terminal obeys instead of showing; line breaks are dealt with before."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def body(name: str, text: object, longest: int) -> str:
    """`text` as a body: any Unicode but NUL and lone surrogates, 1 to `longest` characters. Raises Invalid."""
    if not isinstance(text, str):
        raise Invalid(f"{name} must be text", "pass a string")
    if not text:
        raise Invalid(f"{name} is empty", "say something")
    if len(text) > longest:
        raise Invalid(f"{name} has {len(text):,} characters", f"at most {longest:,}; send it in parts")
    if "\x00" in text:
        raise Invalid(f"{name} holds a NUL character", "remove it, or encode the bytes")
    if _SURROGATE.search(text):
        raise Invalid(f"{name} is not valid Unicode (a lone surrogate)", "encode it as UTF-8")
    return text


def line(name: str, text: object, shortest: int, longest: int) -> str:
    """`text` as one visible line: no control, line-break or direction-changing characters. Raises Invalid."""
    if isinstance(text, str) and _UNSEEN.search(text):
        raise Invalid(f"{name} holds a control or invisible character", "use one plain line")
    if isinstance(text, str) and len(text.strip()) < shortest:
        raise Invalid(f"{name} is too short", f"{shortest} to {longest} characters")
    return body(name, text, longest)


def choice(name: str, value: object, of: tuple[str, ...]) -> str:
    """`value` if it is one of `of`. Raises Invalid naming the choices."""
    if not isinstance(value, str) or value not in of:
        raise Invalid(f"{name} is not one of its values", f"use {', '.join(of)}")
    return value


def whole(name: str, value: object, least: int, most: int) -> int:
    """`value` as a whole number from `least` to `most`; 3.0 counts, true does not. Raises Invalid."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Invalid(f"{name} must be a whole number from {least:,} to {most:,}", f"got {_shown(value)}")
    return value


def flag(name: str, value: object) -> bool:
    """`value` if it is true or false. Raises Invalid."""
    if not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false", f"got {_shown(value)}")
    return value


_LONG = 10**18


def _shown(value: object) -> str:
    if isinstance(value, (int, float)) and abs(value) < _LONG:
        return str(value)
    # Python refuses to spell out whole numbers of more than 4,300 digits
    return "a number far beyond" if isinstance(value, int) else type(value).__name__


def quoted(text: str) -> str:
    """`text` with every line behind `| ` and terminal controls spelled out, so that no line of it can pass for one of ours."""
    return "\n".join("| " + _OBEYED.sub(_spelled, part) for part in LINE_BREAKS.split(text))


def named(role: str) -> str:
    """`role` as it stands between parentheses: none of its own can close them early."""
    return role.replace("(", "[").replace(")", "]")


def _spelled(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
