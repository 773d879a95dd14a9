"""The audit journal: one entry is one line, chained to the line before and a leaf of one Merkle tree.

Specified for strangers in docs/security/audit-format.md; sources: RFC 8785 (canonical JSON, of which this is an ASCII
subset), RFC 6962 section 2.1 (leaf, node and root). Pure: no clock, no I/O, no key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from json.encoder import encode_basestring_ascii
from typing import ClassVar, cast

from multiagent_bridge.errors import Invalid, Tampered
from multiagent_bridge.model.checkpoints import LARGEST_SIZE, Checkpoint
from multiagent_bridge.model.instants import iso_to_microseconds, microseconds_to_iso

__all__ = [
    "GENESIS",
    "Draft",
    "Entry",
    "Head",
    "Verifier",
    "append",
    "iso_to_microseconds",
    "microseconds_to_iso",
    "parse",
]

VERSION = 1
GENESIS = "0" * 64
"""`prev` of the first entry."""

LONGEST_LINE = 65_536
"""Bytes of one line without its newline."""

Value = str | int | bool | None

_ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_HEX = re.compile(r"[0-9a-f]{64}")
_CONSTANTS = {True: "true", False: "false", None: "null"}
_quoted = cast(Callable[[object], str], encode_basestring_ascii)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of an act before it has a place in the journal. `at` is microseconds since 1970, UTC.

    `latency_us` runs from the start of the request until the entry is written; `digest` is "" or the hex HMAC-SHA256
    of the body under the audit key, never the body nor a bare hash.
    """

    at: int
    conversation: str
    session: str
    actor: str
    action: str
    outcome: str = "done"
    code: str = ""
    target: str = ""
    latency_us: int = 0
    facts: Mapping[str, Value] = field(default_factory=dict, hash=False)
    digest: str = ""


FIELDS = frozenset(Draft.__dataclass_fields__) | {"v", "seq", "prev"}
"""Of one line: no more and no fewer."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal stands: entries so far, hex hash of the last, roots of the complete subtrees, largest first."""

    size: int
    last: str
    frontier: tuple[bytes, ...]

    EMPTY: ClassVar[Head]

    @classmethod
    def empty(cls) -> Head:
        """The head of a journal without entries."""
        return cls.EMPTY

    def root(self) -> bytes:
        """The RFC 6962 root over all entries (32 bytes)."""
        if not self.frontier:
            return hashlib.sha256().digest()
        *left, root = self.frontier
        for subtree in reversed(left):
            root = _node(subtree, root)
        return root

    def to_text(self) -> str:
        """One ASCII line for a database column: size, last, then the frontier, separated by spaces."""
        return " ".join((str(self.size), self.last, *(subtree.hex() for subtree in self.frontier)))

    @classmethod
    def from_text(cls, text: str) -> Head:
        """What `to_text` wrote. Raises Tampered for anything that it cannot have written."""
        size, *hashes = text.split(" ")
        if size.isascii() and size.isdigit() and len(size) < 17 and all(map(_HEX.fullmatch, hashes)) and hashes:
            head = cls(int(size), hashes[0], tuple(map(bytes.fromhex, hashes[1:])))
            if head.to_text() == text and head._agrees():
                return head
        raise Tampered("the head of the journal cannot be read", "verify the entries: mab audit --verify")

    def _agrees(self) -> bool:
        """An odd size ends in a lone leaf, and that leaf is the last entry."""
        if len(self.frontier) != self.size.bit_count():
            return False
        if self.size == 0:
            return self.last == GENESIS
        return self.size % 2 == 0 or self.frontier[-1].hex() == self.last

    def grown(self, leaf: bytes) -> Head:
        """The head after one more leaf (RFC 6962 section 2.1, grown from the right)."""
        frontier = list(self.frontier)
        node, size = leaf, self.size
        while size & 1:
            node = _node(frontier.pop(), node)
            size >>= 1
        frontier.append(node)
        return Head(self.size + 1, leaf.hex(), tuple(frontier))


Head.EMPTY = Head(0, GENESIS, ())


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in its place. `at` is in microseconds since 1970, UTC; `hash` and `prev` are hex; `line` ends bare."""

    seq: int
    at: int
    conversation: str
    session: str
    actor: str
    action: str
    outcome: str
    code: str
    target: str
    latency_us: int
    facts: Mapping[str, Value] = field(hash=False)
    digest: str
    prev: str
    hash: str
    line: str


def append(head: Head, draft: Draft) -> tuple[Entry, Head]:
    """Put a draft after `head`: the entry, and the head after it. Raises Invalid when the draft breaks the format."""
    seq, facts = head.size + 1, dict(draft.facts)
    act = (draft.conversation, draft.session, draft.actor, draft.action, draft.outcome, draft.code, draft.target)
    line = _line(seq, microseconds_to_iso(draft.at), *act, draft.latency_us, facts, draft.digest, head.last)
    if len(line) > LONGEST_LINE:
        raise Invalid(f"the entry has {len(line):,} bytes", f"at most {LONGEST_LINE:,}")
    leaf = _leaf(line)
    after = head.grown(leaf)
    entry = Entry(seq, draft.at, *act, draft.latency_us, facts, draft.digest, head.last, after.last, line)
    return entry, after


def parse(line: str) -> Entry:
    """The entry of a line without its newline. Raises Invalid naming what is wrong.

    Strict: the line must be the one canonical form of its fields, so that no other bytes mean the same.
    """
    if len(line) > LONGEST_LINE:
        raise Invalid(f"it has more than {LONGEST_LINE:,} bytes", "cut the file at its newlines")
    if not line.isascii():
        raise _wrong("it holds a character outside ASCII")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise _wrong("it is not JSON") from None
    if not isinstance(fields, dict) or fields.keys() != FIELDS:
        raise _wrong("it has not exactly the fields of an entry")
    if fields["v"] != VERSION or type(fields.pop("v")) is not int:
        raise _wrong(f"v is not {VERSION}")
    if type(fields["at"]) is not str:
        raise _wrong("at is not text")
    if _line(**fields) != line:
        raise _wrong("it is not in canonical form")
    fields["at"] = iso_to_microseconds(fields["at"])
    return Entry(**fields, hash=_leaf(line).hex(), line=line)


class Verifier:
    """Reads a journal line by line and stops at the first wrong entry.

    `start` is where the lines begin (a head that is trusted; by default an empty journal). `checkpoints`, their
    signatures verified beforehand, are each compared when their size is reached; several of one size may be given.
    Raises Invalid for a checkpoint before `start`, which these lines cannot answer, and Tampered (`why`: `forked`) when
    two checkpoints of one size differ: then whoever signed them showed two histories.
    """

    def __init__(self, start: Head = Head.EMPTY, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self.head = start
        self._vouched = start.size
        self._waiting = sorted(checkpoints, key=lambda checkpoint: checkpoint.size, reverse=True)
        if self._waiting and self._waiting[-1].size < start.size:
            raise Invalid("a checkpoint lies before the first line", "verify from the beginning")
        for one, other in pairwise(self._waiting):
            if one.size == other.size and one.root != other.root:
                raise _tampered(one.size, "forked", "is vouched for in two versions by two checkpoints of its size")
        self._compare()

    def feed(self, line: str) -> Entry:
        """Take the next line, without its newline. Returns its entry.

        Raises Tampered with facts `seq` (the first entry that nothing vouches for) and `why`: `not canonical`,
        `missing`, `out of order`, `doubled`, `edited`, `rewritten` or `forked`.
        """
        place = self.head.size + 1
        try:
            entry = parse(line)
        except Invalid as wrong:
            raise _tampered(place, "not canonical", f"is not canonical: {wrong.sentence}") from None
        if entry.seq != place:
            raise _misplaced(place, entry.seq)
        if entry.prev != self.head.last:
            if self.head.size == self._vouched:
                raise _tampered(place, "edited", "was edited: it does not follow what was vouched for")
            raise _tampered(place - 1, "edited", f"was edited, or the link to it in entry {place} was")
        self.head = self.head.grown(bytes.fromhex(entry.hash))
        self._compare()
        return entry

    def feed_raw(self, raw: bytes) -> Entry:
        """Take the next line as bytes of a file, its one newline included. Raises as `feed` does."""
        if not raw.endswith(b"\n"):
            raise _tampered(self.head.size + 1, "not canonical", "is cut off: no newline ends it")
        return self.feed(raw[:-1].decode("latin-1"))

    def finish(self, head: Head | None = None) -> Head:
        """Say that no line follows; `head` is the stored head, if one is known. Returns the head that was reached.

        Raises Tampered (`why`: `truncated`, `unknown`, `rewritten`, `forked`) when a checkpoint or the head differs.
        """
        size = self.head.size
        if self._waiting:
            raise _tampered(size + 1, "truncated", f"is missing: a checkpoint vouches for {self._waiting[0].size}")
        if head is not None and head.size > size:
            raise _tampered(size + 1, "truncated", f"is missing: the head counts {head.size}")
        if head is not None and head.size < size:
            raise _tampered(head.size + 1, "unknown", f"is not known to the head, which counts {head.size}")
        if head is not None and head != self.head:
            raise self._rewritten("the head")
        return self.head

    def _compare(self) -> None:
        while self._waiting and self._waiting[-1].size == self.head.size:
            if self._waiting[-1].root != self.head.root():
                raise self._rewritten("the checkpoint")
            self._waiting.pop()
            self._vouched = self.head.size

    def _rewritten(self, witness: str) -> Tampered:
        """The chain holds but the root differs: somewhere after the last size that was vouched for."""
        first, size = self._vouched + 1, self.head.size
        if first > size:
            return _tampered(size, "forked", f"is vouched for in two versions: {witness} at size {size} disagrees")
        where = "" if first == size else f" (or a later one up to {size})"
        return _tampered(first, "rewritten", f"was rewritten{where}: {witness} at size {size} disagrees", through=size)


def _line(
    seq: object,
    at: str,
    conversation: object,
    session: object,
    actor: object,
    action: object,
    outcome: object,
    code: object,
    target: object,
    latency_us: object,
    facts: object,
    digest: object,
    prev: object,
) -> str:
    """The one line of these fields. Raises Invalid when one of them but `at` breaks its rule.

    Spelt out: three times as fast as sorting fourteen names each time.
    """
    for name, number, least in (("seq", seq, 1), ("latency_us", latency_us, 0)):
        # exactly int: a subclass may print as something else
        if type(number) is not int or not least <= number <= LARGEST_SIZE:
            raise _wrong(f"{name} is not a whole number from {least}")
    for name, text in (("conversation", conversation), ("session", session), ("actor", actor), ("target", target)):
        if type(text) is not str or not (text.isascii() or _encodable(text)):
            raise _wrong(f"{name} is not text")
    if not actor:
        raise _wrong("actor is empty")
    if type(action) is not str or _ACTION.fullmatch(action) is None:
        raise _wrong("action is not of the form noun.verb")
    if outcome != "done" or type(outcome) is not str:
        _check_refused(outcome, code)
    elif code != "" or type(code) is not str:
        raise _wrong("an act that was done has no code")
    if type(digest) is not str or (digest and _HEX.fullmatch(digest) is None):
        raise _wrong("digest is neither empty nor 64 hex digits")
    if type(prev) is not str or _HEX.fullmatch(prev) is None:
        raise _wrong("prev is not 64 hex digits")
    return (
        f'{{"action":"{action}","actor":{_quoted(actor)},"at":"{at}","code":"{code}",'
        f'"conversation":{_quoted(conversation)},"digest":"{digest}","facts":{_facts(facts)},"latency_us":{latency_us},'
        f'"outcome":"{outcome}","prev":"{prev}","seq":{seq},"session":{_quoted(session)},"target":{_quoted(target)},'
        f'"v":{VERSION}}}'
    )


def _check_refused(outcome: object, code: object) -> None:
    if outcome != "refused" or type(outcome) is not str:
        raise _wrong("outcome is neither done nor refused")
    if type(code) is not str or _WORD.fullmatch(code) is None:
        raise _wrong("a refusal has an error code as its code")


def _facts(facts: object) -> str:
    """The facts as canonical JSON. Raises Invalid."""
    if not isinstance(facts, dict):
        raise _wrong("facts is not an object")
    parts = []
    for name, value in facts.items():
        if type(name) is not str or _WORD.fullmatch(name) is None:
            raise _wrong("the name of a fact is not a lower-case word")
        if type(value) is str and (value.isascii() or _encodable(value)):
            parts.append(f'"{name}":{_quoted(value)}')
        elif type(value) is int and -LARGEST_SIZE <= value <= LARGEST_SIZE:
            parts.append(f'"{name}":{value}')
        elif value is None or type(value) is bool:
            parts.append(f'"{name}":{_CONSTANTS[value]}')
        else:
            raise _wrong(f"the fact {name} is not text, a whole number, true, false or null")
    # by name: a quotation mark sorts before every character that a name may have
    parts.sort()
    return "{" + ",".join(parts) + "}"


def _encodable(text: str) -> bool:
    """Whether UTF-8 can hold it: no lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _leaf(line: str) -> bytes:
    return hashlib.sha256(b"\0" + line.encode("ascii")).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _wrong(what: str) -> Invalid:
    return Invalid(what, "docs/security/audit-format.md gives the form of an entry")


def _misplaced(place: int, found: int) -> Tampered:
    if found == place - 1:
        return _tampered(place, "doubled", f"is not in its place: entry {found} stands there again")
    if found > place:
        return _tampered(place, "missing", f"is missing: entry {found} stands in its place")
    return _tampered(place, "out of order", f"is not in its place: entry {found} stands there")


def _tampered(seq: int, why: str, what: str, **facts: Value) -> Tampered:
    return Tampered(f"entry {seq} {what}", "compare with a copy kept elsewhere", seq=seq, why=why, **facts)
