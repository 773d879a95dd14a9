"""All that a face may see: one attribute a noun."""

from __future__ import annotations

from dataclasses import dataclass

from multiagent_bridge import __version__
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.ports import Bell, Clock, Ids, Keys, Meter, Store
from multiagent_bridge.services.archives import Archives
from multiagent_bridge.services.conversations import Conversations
from multiagent_bridge.services.evidence import Evidence
from multiagent_bridge.services.gate import Gate
from multiagent_bridge.services.journal import Journal
from multiagent_bridge.services.messages import Messages
from multiagent_bridge.services.presence import Presence
from multiagent_bridge.services.redaction import Redact, Redaction
from multiagent_bridge.services.reports import Reports
from multiagent_bridge.services.ringing import RingingStore
from multiagent_bridge.services.status import Status


@dataclass(frozen=True, slots=True)
class Hub:
    conversations: Conversations
    messages: Messages
    status: Status
    journal: Journal
    evidence: Evidence
    reports: Reports
    archives: Archives
    presence: Presence
    bell: Bell
    ids: Ids
    limits: Limits
    redaction: Redaction


def assemble(
    store: Store,
    bell: Bell,
    clock: Clock,
    ids: Ids,
    keys: Keys,
    meter: Meter,
    redact: Redact,
    limits: Limits,
) -> Hub:
    """Build every service over one set of ports."""
    presence, redaction = Presence(), Redaction(redact)
    ringing = RingingStore(store, bell)
    journal = Journal(ringing, clock, keys, redaction, limits)
    gate = Gate(ringing, clock, keys, meter, journal, presence, limits)
    conversations = Conversations(gate, journal, keys, ids, redaction, limits)
    messages = Messages(gate, journal, ringing, bell, clock, keys, redaction, limits)
    evidence = Evidence(journal, ringing, keys)
    return Hub(
        conversations=conversations,
        messages=messages,
        status=Status(gate, bell, keys, redaction, limits),
        journal=journal,
        evidence=evidence,
        reports=Reports(journal, evidence, clock, __version__),
        archives=Archives(gate, journal, conversations, messages, keys, ids, redaction, limits),
        presence=presence,
        bell=bell,
        ids=ids,
        limits=limits,
        redaction=redaction,
    )
