"""Other readings of a text, each with a map back: without invisible characters, without escapes, without gaps."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

from multiagent_bridge.guard.redaction.budget import Budget

# Characters that show nothing: format controls, joiners, variation selectors, tags, fillers, soft hyphen.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f"
_ANSI = r"\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,512}(?:\x07|\x1b\\)|[@-Z\\-_()]?[0-9A-B]?"  # after the escape character
# Compatibility forms of ASCII: fullwidth, mathematical, enclosed; and marks that combine with a letter before them.
_FORMS = "\uff01-\uff5e\u3000\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f130-\U0001f189\u2002-\u200a\u00a0\u202f\u205f"
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_UNUSUAL_CLASS = re.compile(f"[{_INVISIBLE}{_CONTROLS}{_MARKS}{_FORMS}]")
_CONTROL_BYTES = frozenset((*range(9), 11, 12, *range(14, 32), *range(127, 133), *range(134, 161), 173))
_ORDINARY_BYTES = bytes(code for code in range(256) if code not in _CONTROL_BYTES)
_ASCII = bytes(range(128))
_FEW = 400
_ESCAPE_CHARACTER = "\x1b"
_REPLACED_AT_MOST = 16  # different characters that are replaced by one search each
_ESCAPE = re.compile(
    r"[\\%&](?:(?<=\\)\\{0,7}(?:u\{?[0-9a-fA-F]{4}\}?|x[0-9a-fA-F]{2})|(?<=%)(?:25){0,3}[0-9a-fA-F]{2}"
    r"|(?<=&)(?:#x?[0-9a-fA-F]{1,6}|[a-z]{2,5});)"
)
# The same, each beginning with a literal: the search for one is a memory scan.
_LEADS = (
    ("\\", re.compile(r"\\u\{?[0-9a-fA-F]{4}")),
    ("\\", re.compile(r"\\x[0-9a-fA-F]{2}")),
    ("%", re.compile(r"%[0-9a-fA-F]{2}")),
    ("&", re.compile(r"&#x?[0-9a-fA-F]{1,6};")),
)
_GAP = re.compile(rb"(?<!a)(?:a ){12,}(?:a(?!a))?")
_GAPS = b"a " * 12
_EVERY_FOURTH = b" " * 6
_JOINT = re.compile(
    r"\\?\"[ \t]{0,8}(?:[+.&|\\]|<>|\\\\)?[ \t]{0,8}(?:\r?\n[ \t]{0,40})?(?:[+.&|][ \t]{0,8})?\\?\""
    r"|\\?'[ \t]{0,8}(?:[+.&|\\]|<>)?[ \t]{0,8}(?:\r?\n[ \t]{0,40})?(?:[+.&|][ \t]{0,8})?\\?'"
    r"|[\\=]?\r?\n[ \t]{0,40}(?:[>|#*+][ \t]{0,4})?|\\{1,2}r?\\{0,2}n"
)


class View:
    """A text made of pieces of another. `raw(start, end)` gives the characters of the other that a stretch stands for."""

    __slots__ = ("_pieces", "_starts", "_text", "_total", "text")

    def __init__(self) -> None:
        self.text = ""
        self._text: list[str] = []
        self._total = 0
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, bool]] = []

    def add(self, text: str, start: int, end: int, verbatim: bool) -> None:
        """Append `text`, which stands for the raw characters `start` to `end`."""
        if text:
            self._starts.append(self._total)
            self._pieces.append((start, end, verbatim))
            self._text.append(text)
            self._total += len(text)

    @property
    def text_length(self) -> int:
        """Characters so far."""
        return self._total

    def done(self) -> View:
        self.text = "".join(self._text)
        return self

    def raw(self, start: int, end: int) -> tuple[int, int]:
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        low, _, exact = self._pieces[first]
        if exact:
            low += start - self._starts[first]
        begin, high, exact = self._pieces[last]
        if exact:
            high = begin + end - self._starts[last]
        return low, max(low, high)

    @classmethod
    def replacing(
        cls, text: str, pattern: re.Pattern[str], reading: Callable[[str], str], start: int = 0, end: int | None = None
    ) -> View:
        """`text[start:end]` with every match of `pattern` read as `reading(match)`."""
        view = cls()
        view.extend(text, pattern, reading, start, len(text) if end is None else end)
        return view.done()

    def extend(self, text: str, pattern: re.Pattern[str], reading: Callable[[str], str], start: int, end: int) -> None:
        at = start
        for found in pattern.finditer(text, start, end):
            low, high = found.span()
            if low > at:
                self.add(text[at:low], at, low, True)
            self.add(reading(found[0]), low, high, False)
            at = high
        if at < end:
            self.add(text[at:end], at, end, True)


def _visible(found: str) -> str:
    if len(found) != 1 or found < "\u00a0":
        return ""
    plain = unicodedata.normalize("NFKC", found)
    if plain in (" ", ""):
        return " " if found != "" and unicodedata.category(found) == "Zs" else ""
    return plain if plain.isascii() else ""


def visible(text: str, plain: bytes) -> tuple[str, View | None]:
    """`text` as a reader sees it, and a map back when its characters stand elsewhere. `plain` is `tokens.narrow(text)`."""
    readings = {odd: _visible(odd) for odd in _unusual(text, plain)}
    if not readings:
        return text, None
    single = [odd for odd, reading in readings.items() if len(reading) == 1]
    if len(single) <= _REPLACED_AT_MOST:
        for odd in single:
            text = text.replace(odd, readings.pop(odd))
        if not readings:
            return text, None
    view = View.replacing(text, _pattern(readings), lambda found: readings.get(found, ""))
    return view.text, view


def _pattern(readings: dict[str, str]) -> re.Pattern[str]:
    """One character or escape sequence that is read otherwise, or several that are not seen."""
    unseen = (
        f"[{re.escape(''.join(odd for odd, reading in readings.items() if not reading and odd != _ESCAPE_CHARACTER))}]"
    )
    # It begins with one set of characters, so that the search skips to the next of them.
    first = f"[{re.escape(''.join(readings))}]"
    further = f"(?<={unseen}){unseen}*" if len(unseen) > 2 else ""
    sequence = f"(?<={_ESCAPE_CHARACTER})(?:{_ANSI})" if _ESCAPE_CHARACTER in readings else ""
    return re.compile(f"{first}(?:{'|'.join(filter(None, (further, sequence)))}|)")


def _unusual(text: str, plain: bytes) -> set[str]:
    """The characters of `text` that are read otherwise. Few foreign characters are looked at one by one: that is faster."""
    unusual = set(plain.translate(None, _ORDINARY_BYTES).decode("latin-1"))
    if text.isascii():
        return unusual
    foreign: set[str] = set()
    if plain.count(b"?") > _FEW:
        kept = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
        foreign.update(kept.decode("utf-8", "surrogatepass"))
    else:
        at = plain.find(b"?")
        while at >= 0:
            foreign.add(text[at])
            at = plain.find(b"?", at + 1)
    return unusual.union(_UNUSUAL_CLASS.findall("".join(foreign)))


def _unescaped(found: str) -> str:
    if found[0] == "%":
        while found.startswith("%25") and len(found) > 3:
            found = "%" + found[3:]
        plain = chr(int(found[1:], 16))
    elif found[0] == "&":
        plain = _entity(found[1:-1])
    else:
        plain = chr(int(found.lstrip("\\").strip("ux{}"), 16))
    return plain if plain and plain.isascii() and (plain.isprintable() or plain in "\n\t") else found


_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def _entity(name: str) -> str:
    if name[0] != "#":
        return _ENTITIES.get(name, "")
    number = int(name[2:], 16) if name[1] in "xX" else int(name[1:]) if name[1:].isdigit() else 0
    return chr(number) if 0 < number < 128 else ""


def unescaped(text: str, budget: Budget) -> View | None:
    """The surroundings of escapes (`\\u0041`, `\\x41`, `%41`, `&#65;`) with the escapes read, or None without any."""
    places = sorted(found.start() for sign, lead in _LEADS if sign in text for found in lead.finditer(text))
    if not places:
        return None
    view = View()
    done = 0
    for place in places:
        if place < done:
            continue
        budget.spend()
        low, high = _surroundings(text, place, done)
        view.extend(text, _ESCAPE, _unescaped, low, high)
        view.add("\n", high, high, False)
        done = high
    return view.done()


_LITERAL_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[^\n])"
)
_LITERAL = re.compile(r"[^\"\\\n]*+(?:\\[^\n][^\"\\\n]*+)*+")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", '"': '"', "'": "'", "\\": "\\"}
_APART = "\n" * 4  # no recogniser looks over so many line ends


def _literal(found: str) -> str:
    if len(found) == 2:
        return _ESCAPED.get(found[1], found)
    if len(found) == 12:
        return (bytes.fromhex(found[2:6]) + bytes.fromhex(found[8:])).decode("utf-16-be")
    return chr(int(found[2:], 16))


def literals(text: str, budget: Budget) -> View | None:
    """What the string literals of a text mean that have escapes in them (JSON, and most languages), or None without any.

    A literal ends with its line at the latest, so that a lone quote does no harm.
    """
    at = text.find("\\") if '"' in text else -1
    view = View()
    done = 0
    while at >= 0:
        quote = text.rfind('"', done, at)
        line = text.rfind("\n", done, at)
        found = _LITERAL.match(text, quote + 1) if quote > line else None
        done = at + 1
        if found and found.end() > at:
            budget.spend()
            done = found.end() + 1
            view.extend(text, _LITERAL_ESCAPE, _literal, found.start(), found.end())
            view.add(_APART, found.end(), found.end(), False)
        at = text.find("\\", done)
    return view.done() if view.text_length else None


_BLANK = re.compile(r"\s")


def _surroundings(text: str, start: int, floor: int) -> tuple[int, int]:
    low = max(floor, start - 160)
    end = start + 2
    head = text[low:start]
    cut = max(head.rfind("\n"), head.rfind(" ", 0, max(0, len(head) - 40)))
    low += cut + 1
    stop = _BLANK.search(text, end, min(len(text), end + 8_192))
    high = min(len(text), end + 8_192)
    if stop:  # the word behind it may be the value of a name with escapes
        high = min(len(text), stop.end() + 256)
        stop = _BLANK.search(text, stop.end(), high)
    return low, stop.start() if stop else high


def _has_gaps(classes: bytes) -> bool:
    """Whether `_GAPS` occurs. Every fourth character of it, from the first or the second on, is blank, which is rare."""
    for first in (0, 1):
        fourth = classes[first::4]
        at = fourth.find(_EVERY_FOURTH)
        while at >= 0:
            end = fourth.find(b"a", at)
            end = len(fourth) if end < 0 else end
            if classes.find(_GAPS, max(0, 4 * at - 4), 4 * end + 4) >= 0:
                return True
            at = fourth.find(_EVERY_FOURTH, end)
    return False


def gapless(text: str, classes: bytes) -> View | None:
    """Stretches of single characters set apart (`g h p _ ...`, also one a line) without the gaps, or None."""
    if not _has_gaps(classes):
        return None
    view = View()
    for found in _GAP.finditer(classes):
        for at in range(found.start(), found.end(), 2):
            view.add(text[at], at, at + 1, True)
        view.add("\n", found.end(), found.end(), False)
    return view.done()


def joined(text: str, at: int, reach: int = 900) -> View:
    """The text from `at` on without line ends, continuation marks and string joints (`" + "`)."""
    return View.replacing(text, _JOINT, lambda _: "", at, min(len(text), at + reach))


def encodings(text: str, bounds: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Blocks of several full base64 lines among the chunks, as one stretch each."""
    start = previous = -1
    count = 0
    for low, high in bounds:
        if start >= 0 and low - previous <= 40 and text[previous:low].strip(" \t\r\n>|#*\\n\"'+,") == "":
            count += 1
        else:
            if count:
                yield start, previous
            start, count = low, 0
        if high - low < 40 and count == 0:
            start = -1
        previous = high
    if start >= 0 and count:
        yield start, previous
