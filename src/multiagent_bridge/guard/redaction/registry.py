"""Secrets a conversation has seen: kept in memory only, found again whole, in part, encoded or split over two messages."""

from __future__ import annotations

import base64
import struct
from collections import OrderedDict
from collections.abc import Iterator

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.fingerprints import Fingerprints
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK, Span

SHORTEST = 6  # shorter values would mask ordinary words (the practice of build systems that mask known values)
LONGEST = 4_096
SECRETS_AT_MOST = 128
BEGUN_AT_MOST = 8
_GRAM = 6
_SAMPLED = 12  # needles of this length and more are found by sampling the text every seventh character
_STRIDE = _SAMPLED - _GRAM + 1
_DROPPED_AT_MOST = 8  # secrets taken out of the index one by one; for more it is made anew, which is faster
_SAMPLES = struct.Struct(f"{_GRAM}s{_STRIDE - _GRAM}x").iter_unpack


class SeenSecrets:
    """The registry of one conversation. Holds secrets, so it is never stored, logged or shown: `repr` gives a count only.

    `capacity` bounds the number of secrets; the one not met for longest is forgotten first. `fingerprints` are those of
    the conversation, for a redactor that writes them.
    """

    __slots__ = ("_begun", "_capacity", "_grams", "_needles", "_secrets", "_short", "fingerprints")

    def __init__(self, capacity: int = SECRETS_AT_MOST, fingerprints: Fingerprints | None = None) -> None:
        self.fingerprints = fingerprints
        self._capacity = capacity
        self._begun: list[str] = []
        self._secrets: OrderedDict[str, str] = OrderedDict()
        self._needles: dict[str, str] = {}
        self._grams: dict[bytes, list[tuple[str, int]]] = {}
        self._short: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SeenSecrets({len(self._secrets)})"

    def __len__(self) -> int:
        return len(self._secrets)

    def remember(self, text: str, spans: list[Span]) -> None:
        """Add the findings of a text. Values below six characters and placeholders are left out."""
        fresh: dict[str, str] = {}
        for span in spans:
            value = text[span.start : span.end].strip()
            if not SHORTEST <= len(value) <= LONGEST or PLACEHOLDER_MARK in value:
                continue
            if value not in self._secrets:
                fresh[value] = self._secrets[value] = span.kind
            self._secrets.move_to_end(value)
        gone: list[str] = []
        while len(self._secrets) > self._capacity:
            value, _ = self._secrets.popitem(last=False)
            if fresh.pop(value, None) is None:
                gone.append(value)
        if len(gone) > _DROPPED_AT_MOST:
            self._needles.clear()
            self._grams.clear()
            self._short.clear()
            fresh = dict(self._secrets)
        else:
            for value in gone:
                for form in _forms(value):
                    self._drop(form)
        for value, kind in fresh.items():
            for form in _forms(value):
                self._add(form, kind)

    def _add(self, needle: str, kind: str) -> None:
        if needle in self._needles:
            return
        self._needles[needle] = kind
        if len(needle) < _SAMPLED:
            self._short[needle] = kind
            return
        plain = _narrow(needle)
        for at in range(len(needle) - _GRAM + 1):
            self._grams.setdefault(plain[at : at + _GRAM], []).append((needle, at))

    def _drop(self, needle: str) -> None:
        if self._needles.pop(needle, None) is None or self._short.pop(needle, None) is not None:
            return
        plain = _narrow(needle)
        for at in range(len(needle) - _GRAM + 1):
            gram = plain[at : at + _GRAM]
            if left := [place for place in self._grams.get(gram, ()) if place[0] != needle]:
                self._grams[gram] = left
            else:
                self._grams.pop(gram, None)

    @property
    def begun(self) -> list[str]:
        """Beginnings of tokens that earlier messages ended with."""
        return self._begun

    def note_begun(self, beginnings: list[str]) -> None:
        """Remember tokens that a message broke off, a few of the latest."""
        self._begun = [*self._begun, *beginnings][-BEGUN_AT_MOST:]

    def find(self, text: str, budget: Budget) -> list[Span]:
        """Known secrets, their encodings, and parts of at least half of one (12 characters or more)."""
        if not self._needles:
            return []
        out: list[Span] = []
        for needle, kind in self._short.items():
            at = text.find(needle)
            while at >= 0:
                budget.spend()
                if _stands_alone(text, at, at + len(needle)):
                    out.append(Span(at, at + len(needle), kind, "seen", 1))
                at = text.find(needle, at + len(needle))
        if self._grams:
            out += self._sampled(text, budget)
        return out

    def _sampled(self, text: str, budget: Budget) -> list[Span]:
        """Long needles and parts of them: of every twelve characters one sample of six lies within."""
        out: list[Span] = []
        grams = self._grams
        done = 0
        plain = _narrow(text)
        plain += bytes(-len(plain) % _STRIDE)
        for number in [number for number, (gram,) in enumerate(_SAMPLES(plain)) if gram in grams]:
            at = number * _STRIDE
            if at < done or at + _GRAM > len(text):
                continue
            for needle, offset in grams[plain[at : at + _GRAM]][:16]:
                budget.spend()
                if not text.startswith(needle[offset : offset + _GRAM], at):
                    continue
                start, end = _overlap(text, at, needle, offset)
                if end - start >= max(_SAMPLED, (len(needle) + 1) // 2):
                    out.append(Span(start, end, self._needles[needle], "seen", 1))
                    done = end
                    break
        return out


def _narrow(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _overlap(text: str, at: int, needle: str, offset: int) -> tuple[int, int]:
    """The longest stretch around `at` in which `text` equals `needle` laid at `offset`."""
    start, low = at, offset
    while start and low and text[start - 1] == needle[low - 1]:
        start -= 1
        low -= 1
    end, high = at + _GRAM, offset + _GRAM
    while end < len(text) and high < len(needle) and text[end] == needle[high]:
        end += 1
        high += 1
    return start, end


def _stands_alone(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())


def _forms(value: str) -> Iterator[str]:
    yield value
    if len(value) < 8:
        return
    plain = value.encode("utf-8", "surrogatepass")
    for shift in range(3):
        # Base64 at each of three alignments, without the characters that depend on the neighbours.
        coded = base64.b64encode(b"\0" * shift + plain).decode("ascii")
        skip = (0, 2, 3)[shift]
        body = coded.rstrip("=")[skip : -1 if (len(plain) + shift) % 3 else None]
        if len(body) >= 10:
            yield body
            if "+" in body or "/" in body:
                yield body.replace("+", "-").replace("/", "_")
    for escapes in (_JSON, _XML):
        if (escaped := value.translate(escapes)) != value:
            yield escaped
    yield plain.hex()
    yield plain.hex().upper()
    yield value[::-1]
    if len(lines := [line.strip() for line in value.splitlines()]) > 1:
        yield from (line for line in lines if len(line) >= _SAMPLED and not line.startswith("-----"))
    percent = "".join(chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in plain)
    if percent != value:
        yield percent


_JSON = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
