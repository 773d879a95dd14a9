"""The tables of the store in memory: dictionaries of frozen rows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.browsers import Browser, Link
from multiagent_bridge.model.commands import Command
from multiagent_bridge.model.conversations import Binding, Conversation, Invite
from multiagent_bridge.model.identities import ApiKey
from multiagent_bridge.model.journal import Head
from multiagent_bridge.model.master_keys import MasterKey
from multiagent_bridge.model.messages import Message
from multiagent_bridge.model.passkeys import Challenge, Passkey
from multiagent_bridge.model.renewals import Renewal
from multiagent_bridge.model.reseals import Reseal
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.model.silences import Orphan, Silence, Watch
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.model.yolo import Enabling, Grant


@dataclass(frozen=True, slots=True)
class Handed:
    """Where one message stands for one recipient: unread when neither claimed nor read."""

    read_at: int | None = None
    claim: str | None = None
    claimed_at: int = 0

    @property
    def unread(self) -> bool:
        return self.read_at is None and self.claim is None


@dataclass(slots=True)
class Tables:
    """Every table by its key. `changing` is to be called before any change."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    messages: dict[tuple[str, int], Message] = field(default_factory=dict)
    deliveries: dict[tuple[str, str, int], Handed] = field(default_factory=dict)
    invites: dict[bytes, Invite] = field(default_factory=dict)
    bindings: dict[tuple[str, str, str], Binding] = field(default_factory=dict)
    buckets: dict[str, tuple[int, ...]] = field(default_factory=dict)
    enablings: dict[str, Enabling] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    silences: dict[tuple[str, str], Silence] = field(default_factory=dict)
    orphans: dict[tuple[str, str], Orphan] = field(default_factory=dict)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    watch: Watch | None = None
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    master_keys: dict[str, MasterKey] = field(default_factory=dict)
    reseals: tuple[Reseal, ...] = ()
    browsers: dict[str, Browser] = field(default_factory=dict)
    sign_in_links: dict[bytes, Link] = field(default_factory=dict)
    passkeys: dict[str, Passkey] = field(default_factory=dict)
    challenges: dict[bytes, Challenge] = field(default_factory=dict)
    renewals: dict[tuple[str, str], Renewal] = field(default_factory=dict)
    lines: dict[int, tuple[str, str]] = field(default_factory=dict)
    checkpoints: dict[int, str] = field(default_factory=dict)
    head: Head = Head.EMPTY
    readonly: bool = False
    ended: bool = False

    def copy(self, readonly: bool = False) -> Tables:
        """A copy that can be changed without touching this one: rows are frozen, so the dictionaries suffice."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        tables: dict[str, Any] = {
            name: dict(value) if isinstance(value, dict) else value for name, value in held.items()
        }
        return Tables(**(tables | {"readonly": readonly, "ended": False}))

    def looking(self) -> Tables:
        """These tables for a look. Raises RuntimeError once the transaction has ended."""
        if self.ended:
            raise RuntimeError("the transaction has ended")
        return self

    def changing(self) -> Tables:
        """These tables for a change. Raises RuntimeError in a transaction that only reads, or that has ended."""
        if self.readonly:
            raise RuntimeError("a read transaction tried to write")
        return self.looking()


def missing(noun: str) -> NotFound:
    return NotFound(f"no such {noun}", "mab list shows the conversations, mab show CONV their sessions")
