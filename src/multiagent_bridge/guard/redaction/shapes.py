"""The mini language in which a token format is written, and its matcher: no regular expression per rule.

    ghp_{b36+}              the literal, then at least 36 characters of alphabet `b`
    SG.{t22}.{t43}          exact lengths; an exact last part must not go on with a letter or digit
    glpat-{t20+}[.{b9+}]    an optional tail
    {t14}.atlasv1.{j60+}    characters before the first literal (the anchor) are matched leftwards

Matching is greedy and never backtracks, so it is linear; run ends are remembered by `Runs`, so that many anchors in one
long run cost one scan together.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

BASE62 = string.ascii_letters + string.digits
ALPHABETS: dict[str, str] = {
    "d": string.digits,
    "h": string.hexdigits,
    "a": string.ascii_letters,
    "u": string.ascii_uppercase + string.digits,
    "U": string.ascii_uppercase + string.digits + "-",
    "l": string.ascii_lowercase + string.digits,
    "b": BASE62,
    "w": BASE62 + "_",
    "t": BASE62 + "_-",
    "j": BASE62 + "_-=",
    "x": BASE62 + "_-.",
    "q": BASE62 + "_-.~",
    "y": BASE62 + "_-.=",
    "s": BASE62 + "+/=",
    "z": BASE62 + "+/=_-.%",
    "T": BASE62 + "_-@/",
    "C": BASE62 + "_-@/?=&%.",
}
LONGEST_PART = 1 << 30  # "or more": the whole run is the token, so that no end of it is left behind
_COMPILED = {name: re.compile(f"[{re.escape(chars)}]*") for name, chars in ALPHABETS.items()}
_SETS = {name: frozenset(chars) for name, chars in ALPHABETS.items()}
_PART = re.compile(r"\{([a-zA-Z])(\d+)(?:(-)(\d+)|(\+))?\}")


@dataclass(frozen=True, slots=True)
class Part:
    """`least` to `most` characters of `alphabet`, or the literal `text` when `alphabet` is empty."""

    alphabet: str
    least: int
    most: int
    text: str = ""


def _parts(source: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    while at < len(source):
        found = _PART.match(source, at)
        if found:
            name, least = found[1], int(found[2])
            if name not in ALPHABETS:
                raise ValueError(f"unknown alphabet {name!r} in {source!r}")
            most = LONGEST_PART if found[5] else int(found[4]) if found[4] else least
            if most < least or least > 4_096:
                raise ValueError(f"impossible length in {source!r}")
            parts.append(Part(name, least, most))
            at = found.end()
        else:
            stop = source.find("{", at + 1)
            stop = len(source) if stop < 0 else stop
            if source[at] in "{}[]":
                raise ValueError(f"unreadable shape {source!r}")
            parts.append(Part("", stop - at, stop - at, source[at:stop]))
            at = stop
    return tuple(parts)


class Runs:
    """Ends of runs of one alphabet in one text, each run scanned once however many anchors it holds."""

    __slots__ = ("_seen", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._seen: dict[str, tuple[int, int]] = {}

    def end(self, alphabet: str, at: int) -> int:
        start, end = self._seen.get(alphabet, (0, 0))
        if start <= at < end:
            return end
        found = _COMPILED[alphabet].match(self.text, at)
        end = found.end() if found else at
        self._seen[alphabet] = (at, end)
        return end


@dataclass(frozen=True, slots=True)
class Shape:
    """A parsed format: an optional lead before the anchor literal, the anchor, what follows, an optional tail."""

    lead: Part | None
    anchor: str
    rest: tuple[Part, ...]
    tail: tuple[Part, ...]

    @classmethod
    def parse(cls, source: str) -> Shape:
        """The shape written in `source`. Raises `ValueError` with the reason when it cannot be read."""
        tail: tuple[Part, ...] = ()
        if source.endswith("]"):
            source, _, inner = source[:-1].partition("[")
            tail = _parts(inner)
        parts = _parts(source)
        lead = None
        if parts and parts[0].alphabet:
            lead, parts = parts[0], parts[1:]
        if not parts or parts[0].alphabet or len(parts[0].text) < 2:
            raise ValueError(f"a shape needs a literal of two characters or more: {source!r}")
        return cls(lead, parts[0].text, parts[1:], tail)

    def match(self, runs: Runs, at: int) -> tuple[int, int] | None:
        """Start and end of a token whose anchor stands at `at`, or None."""
        text = runs.text
        start = at
        if self.lead is not None:
            start = self._leftwards(text, at)
            if start < 0:
                return None
        end = _follow(self.rest, runs, at + len(self.anchor))
        if end < 0:
            return None
        last = self.rest[-1] if self.rest else None
        exact = last is None or (last.alphabet and last.most < LONGEST_PART)
        if exact and end < len(text) and text[end] in _SETS["b"]:
            return None
        if self.tail:
            further = _follow(self.tail, runs, end)
            end = further if further > end else end
        return start, end

    def _leftwards(self, text: str, at: int) -> int:
        lead = self.lead
        assert lead is not None
        allowed = _SETS[lead.alphabet]
        start, floor = at, max(0, at - min(lead.most, 256))
        while start > floor and text[start - 1] in allowed:
            start -= 1
        return start if at - start >= lead.least else -1


def _follow(parts: tuple[Part, ...], runs: Runs, at: int) -> int:
    text = runs.text
    for number, part in enumerate(parts):
        if not part.alphabet:
            if not text.startswith(part.text, at):
                return -1
            at += len(part.text)
            continue
        end = min(runs.end(part.alphabet, at), at + part.most)
        following = parts[number + 1] if number + 1 < len(parts) else None
        if following is not None and following.text and following.text[0] in _SETS[part.alphabet]:
            # The next literal lies inside this alphabet: stop at its first occurrence.
            found = text.find(following.text, at + part.least, min(end + len(following.text), at + 400))
            if found < 0:
                return -1
            end = found
        if end - at < part.least:
            return -1
        at = end
    return at
