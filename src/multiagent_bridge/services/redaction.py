"""The one function that every text passes, with what each conversation has seen so far."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from multiagent_bridge.guard.redact import Redacted, SeenSecrets

REMEMBERED = 256
"""Conversations whose secrets are remembered; the one not spoken in for longest is forgotten first."""


class Redact(Protocol):
    def __call__(self, text: str, memory: SeenSecrets | None = None) -> Redacted:
        """Raises Refused when the text cannot be checked: it must then be withheld."""
        ...


class Redaction:
    """Redacts; secrets that a conversation has seen are kept in memory only, and are found again split or encoded."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._seen: OrderedDict[str, SeenSecrets] = OrderedDict()

    def text(self, text: str) -> Redacted:
        """A text of no conversation: a role, a query, a log line, the reason of a refusal. Raises Refused."""
        return self._redact(text)

    def said(self, conversation_id: str, text: str) -> Redacted:
        """A text that an admitted session says in a conversation. Raises Refused."""
        memory = self._seen.setdefault(conversation_id, SeenSecrets())
        self._seen.move_to_end(conversation_id)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return self._redact(text, memory)

    def forget(self, conversation_id: str) -> None:
        """The conversation was erased."""
        self._seen.pop(conversation_id, None)
