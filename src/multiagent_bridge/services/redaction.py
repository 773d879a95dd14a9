"""The one function that every text passes, with what each conversation has seen so far."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Protocol

from multiagent_bridge.guard.redact import Fingerprints, Redacted, SeenSecrets
from multiagent_bridge.guard.redaction.spans import Span
from multiagent_bridge.ports import Keys

REMEMBERED = 256
"""Conversations whose secrets are remembered; the one not spoken in for longest is forgotten first."""

PIECE = 512
"""Characters of one secret that are remembered: more of a long key adds cost, not certainty."""

OF_ONE = 4_096
OF_ALL = 32_768
"""Characters of secrets remembered of one conversation and of all: an index of each costs about 2.7 KB a character."""

FINGERPRINTS = "~fingerprints"
"""Stands for the session in the derivation of a conversation's fingerprint key; no session can have this id."""


class Redact(Protocol):
    def __call__(self, text: str, memory: SeenSecrets | None = None) -> Redacted:
        """Raises Refused when the text cannot be checked: it must then be withheld."""
        ...


class Remembered(SeenSecrets):
    """The registry of one conversation within bounds: full, it begins anew, so that nobody can fill the memory of the hub."""

    __slots__ = ("_known", "weight")

    def __init__(self, fingerprints: Fingerprints | None = None) -> None:
        super().__init__(fingerprints=fingerprints)
        self._known: set[str] = set()
        self.weight = 0

    def remember(self, text: str, spans: list[Span]) -> None:
        kept: list[Span] = []
        for span in spans:
            piece = replace(span, end=min(span.end, span.start + PIECE))
            value = text[piece.start : piece.end]
            if value not in self._known:
                if self.weight + len(value) > OF_ONE:
                    self.__init__(self.fingerprints)  # type: ignore[misc]
                    kept.clear()
                self._known.add(value)
                self.weight += len(value)
            kept.append(piece)
        super().remember(text, kept)


class Redaction:
    """Redacts; secrets that a conversation has seen are kept in memory only, and are found again split or encoded.

    `keys` are needed for fingerprints beside placeholders, which a redactor writes when it was made to.
    """

    def __init__(self, redact: Redact, keys: Keys | None = None) -> None:
        self._redact = redact
        self._keys = keys
        self._seen: OrderedDict[str, Remembered] = OrderedDict()
        self._issued: dict[str, set[str]] = {}

    def text(self, text: str) -> Redacted:
        """A text of no conversation: a role, a query, a log line, the reason of a refusal. Raises Refused."""
        return self._redact(text)

    def said(self, conversation_id: str, text: str) -> Redacted:
        """A text that an admitted session says in a conversation. Raises Refused."""
        memory = self._seen.get(conversation_id)
        if memory is None:
            memory = self._seen[conversation_id] = Remembered(self._fingerprints(conversation_id))
        self._seen.move_to_end(conversation_id)
        found = self._redact(text, memory)
        if found.kinds or len(self._seen) > REMEMBERED:
            while len(self._seen) > REMEMBERED or sum(seen.weight for seen in self._seen.values()) > OF_ALL:
                self._seen.popitem(last=False)
        return found

    def forget(self, conversation_id: str) -> None:
        """The conversation was erased."""
        self._seen.pop(conversation_id, None)
        self._issued.pop(conversation_id, None)

    def _fingerprints(self, conversation_id: str) -> Fingerprints | None:
        keys = self._keys
        if keys is None:
            return None
        return Fingerprints(
            conversation_id, lambda name: bytes.fromhex(keys.token(name, FINGERPRINTS, 0)), self._issued
        )
