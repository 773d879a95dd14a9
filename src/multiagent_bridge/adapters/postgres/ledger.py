"""The journal's end while it is locked: entries chained in memory, written by one statement before the commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from multiagent_bridge.model import journal
from multiagent_bridge.model.journal import Draft, Entry, Head


class _Written:
    """The last head this process wrote or read, with its text: parsing it back is a third of an append."""

    last: tuple[str, Head] = ("", Head.EMPTY)


def head_of(text: str) -> Head:
    """The head that a database column holds; empty before the first entry. Raises Tampered for what none can be."""
    known, head = _Written.last
    if text != known:
        head = Head.from_text(text) if text else Head.EMPTY
        _Written.last = text, head
    return head


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the ledger stood before a transaction of a batch."""

    head: Head
    entries: int
    stored: int


class Unstored(TypedDict):
    """The values of the statement that stores entries."""

    seqs: list[int]
    conversations: list[str]
    lines: list[str]
    head: str


class Ledger:
    """Entries of the transactions that are committed together. `text` is the head as it was when it was locked."""

    __slots__ = ("_entries", "_stored", "head", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.head = head_of(text)
        self._entries: list[Entry] = []
        self._stored = 0

    def append(self, draft: Draft) -> tuple[Entry, Head]:
        entry, self.head = journal.append(self.head, draft)
        self._entries.append(entry)
        return entry, self.head

    def mark(self) -> Mark:
        return Mark(self.head, len(self._entries), self._stored)

    def back(self, mark: Mark) -> None:
        """Forget what came after `mark`; what was stored since then was rolled back in the database."""
        self.head, self._stored = mark.head, mark.stored
        del self._entries[mark.entries :]

    def unstored(self) -> Unstored | None:
        """What is not stored yet; None when everything is."""
        entries = self._entries[self._stored :]
        if not entries:
            return None
        text = self.head.to_text()
        return {
            "seqs": [entry.seq for entry in entries],
            "conversations": [entry.conversation for entry in entries],
            "lines": [entry.line for entry in entries],
            "head": text,
        }

    def stored(self) -> None:
        self._stored = len(self._entries)

    @property
    def last(self) -> Entry | None:
        """The newest entry of the batch."""
        return self._entries[-1] if self._entries else None

    def committed(self) -> str:
        """The head's text as it stands once the batch is committed."""
        if not self._entries:
            return self.text
        text = self.head.to_text()
        _Written.last = text, self.head
        return text
