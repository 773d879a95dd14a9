"""All that a face may see: one attribute a noun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from multiagent_bridge.guard.redact import Redacted
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Meter, Store
from multiagent_bridge.services.conversations import Conversations
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.messages import Messages
from multiagent_bridge.services.presence import Presence
from multiagent_bridge.services.ringing import RingingStore
from multiagent_bridge.services.status import Status


@dataclass(frozen=True, slots=True)
class Hub:
    conversations: Conversations
    messages: Messages
    status: Status
    journal: Journal
    presence: Presence
    bell: Bell
    ids: Ids
    limits: Limits
    redact: Callable[[str], Redacted]


def assemble(
    store: Store,
    bell: Bell,
    clock: Clock,
    ids: Ids,
    keys: Keys,
    meter: Meter,
    redact: Callable[[str], Redacted],
    limits: Limits,
) -> Hub:
    """Build every service over one set of ports."""
    presence = Presence()
    store = RingingStore(store, bell)
    journal = Journal(store, clock, keys, redact, limits)
    gate = Gate(store, clock, keys, meter, journal, presence, limits)
    return Hub(
        conversations=Conversations(gate, journal, keys, ids, redact, limits),
        messages=Messages(gate, journal, store, bell, clock, keys, redact, limits),
        status=Status(gate, bell, keys, redact, limits),
        journal=journal,
        presence=presence,
        bell=bell,
        ids=ids,
        limits=limits,
        redact=redact,
    )
