"""The conversations that `mab top` holds: the newest by what happened in them, never more than there is room for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from multiagent_bridge.cli.top.seen import HELD, Last, Talk

if TYPE_CHECKING:
    from multiagent_bridge.model.conversations import Conversation
    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.model.sessions import Session

ERASED = "conversation.erase"


class Held:
    """Who is held is told by the journal alone; how each stands is looked up one by one."""

    def __init__(self, most: int = HELD) -> None:
        self._most = most
        self._at: OrderedDict[str, int] = OrderedDict()
        """When something last happened in each, the oldest first."""
        self._last: dict[str, Last] = {}
        self._talks: dict[str, tuple[Conversation, Sequence[Session]]] = {}
        self._due: dict[str, None] = {}
        self._looked: dict[str, float] = {}
        self._erased: set[str] = set()

    @property
    def full(self) -> bool:
        return len(self._at) >= self._most

    @property
    def busy(self) -> bool:
        return bool(self._due)

    def happened(self, entry: Entry) -> None:
        """Something new. A refusal holds nothing: it may name a conversation that there is not."""
        conversation_id = entry.conversation
        if not conversation_id or entry.outcome != "done":
            return
        if entry.action == ERASED:
            self._erased.add(conversation_id)
            self.drop(conversation_id)
            return
        self._at[conversation_id] = entry.at
        self._at.move_to_end(conversation_id)
        self._due[conversation_id] = None
        if entry.action == "message.send":
            self._last[conversation_id] = _last(entry)
        while len(self._at) > self._most:
            self.drop(next(iter(self._at)))

    def happened_before(self, entry: Entry) -> None:
        """Something further back than all that was told before."""
        conversation_id = entry.conversation
        if not conversation_id or entry.outcome != "done":
            return
        if entry.action == ERASED:
            self._erased.add(conversation_id)
            return
        if entry.action == "message.send" and conversation_id in self._at:
            self._last.setdefault(conversation_id, _last(entry))
        if conversation_id in self._at or conversation_id in self._erased or self.full:
            return
        self._at[conversation_id] = entry.at
        self._at.move_to_end(conversation_id, last=False)
        self._due[conversation_id] = None
        if entry.action == "message.send":
            self._last[conversation_id] = _last(entry)

    def due(self, most: int) -> Sequence[str]:
        """Whom to look at now, the newest first; the others stay due."""
        chosen = [one for one in reversed(self._at) if one in self._due][:most]
        for one in chosen:
            del self._due[one]
        return chosen

    def again(self, most: int) -> None:
        """Look again at those that were not looked at for the longest time."""
        for one in sorted(self._looked, key=self._looked.__getitem__)[:most]:
            self._due[one] = None

    def looked(self, conversation: Conversation, sessions: Sequence[Session]) -> None:
        self._talks[conversation.id] = conversation, sessions
        self._looked[conversation.id] = time.monotonic()

    def drop(self, conversation_id: str) -> None:
        for kept in (self._at, self._last, self._talks, self._due, self._looked):
            kept.pop(conversation_id, None)

    def talks(self) -> Sequence[Talk]:
        """Those that were looked at, newest activity first."""
        return [
            Talk(*self._talks[one], self._at[one], self._last.get(one))
            for one in reversed(self._at)
            if one in self._talks
        ]


def _last(entry: Entry) -> Last:
    return Last(entry.session, str(entry.facts.get("to") or ""), entry.at)
