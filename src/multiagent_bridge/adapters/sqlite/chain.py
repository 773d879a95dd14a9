"""The journal's end during one commit: entries and head wait here, and are stored together."""

from __future__ import annotations

import apsw

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.model.journal import Entry, Head

_SQL = named("journal")


class Chain:
    """What the transactions of one commit append. The head is looked up once and stored once, however many entries."""

    __slots__ = ("_known", "_rows", "_text", "head")

    def __init__(self) -> None:
        self.head: Head | None = None
        """Where the journal stands for the transaction that runs; None until that was looked up."""
        self._rows: list[tuple[int, str, str]] = []
        self._text, self._known = "", Head.EMPTY

    def found(self, text: str) -> Head:
        """The stored head is `text`, empty where none is. Raises Tampered when it cannot be read."""
        if text != self._text:
            self._known = Head.from_text(text) if text else Head.EMPTY
            self._text = text
        self.head = self._known
        return self._known

    def add(self, entry: Entry, head: Head) -> None:
        """Put an entry at the end, after which the journal stands at `head`."""
        self._rows.append((entry.seq, entry.conversation, entry.line))
        self.head = head

    def place(self) -> tuple[Head | None, int]:
        """Where it stands, for `back_to`."""
        return self.head, len(self._rows)

    def back_to(self, place: tuple[Head | None, int]) -> None:
        """Forget what was appended since: its transaction failed and was undone."""
        self.head = place[0]
        del self._rows[place[1] :]

    def forget(self) -> None:
        self.head = None
        self._rows.clear()

    def store(self, cursor: apsw.Cursor) -> None:
        """Store what waits. Raises the driver's errors."""
        if self._rows:
            cursor.executemany(_SQL["append"], self._rows)
            self._rows.clear()
        if self.head is not None and self.head is not self._known:
            text = self.head.to_text()
            cursor.execute(_SQL["set_head"], (text,))
            self._text, self._known = text, self.head
