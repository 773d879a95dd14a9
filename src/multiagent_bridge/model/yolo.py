"""Enabling: a person's standing decision that commands of one mode may be asked for in one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multiagent_bridge.model.workspaces import Workspace

MODES = ("safe", "restricted", "yolo")
PHRASE = "I UNDERSTAND THE RISKS"
"""What a person types (SPEC section 5)."""

STEPS: Mapping[str, tuple[str, ...]] = {
    "asked": ("met", "denied", "expired"),
    "offered": ("enabled", "expired"),
    "enabled": ("disabled",),
    "met": (),
    "denied": (),
    "expired": (),
    "disabled": (),
}
"""`asked` by an agent, and `met` once a person enabled that mode; `offered` to a person at a terminal, with a code to type back;
then enabled until it is disabled."""


@dataclass(frozen=True, slots=True)
class Enabling:
    """One request or decision. What an agent asked is a wish: only what a person offered and confirmed is ever enabled.

    `workspace` is None while an agent only wishes for `wish` (encrypted, redacted). `sandbox` names a backend, empty:
    the best that works.
    `boot` and `boottime_end` bound an offer, `expires_at` a wish and, once enabled, the mode. Microseconds, UTC.
    """

    id: str
    conversation_id: str
    session_id: str
    state: str
    mode: str
    workspace: Workspace | None
    sandbox: str
    network: bool
    seconds: int
    created_at: int
    expires_at: int
    boot: str = ""
    boottime_end: int = 0
    wish: bytes = b""
    decided_at: int | None = None
    decided_by: str = ""
    reason: bytes = b""


@dataclass(frozen=True, slots=True)
class Grant:
    """A person's yes in advance: commands of one step whose argv begins with the words of `scope` (encrypted), in one
    workspace and mode, `runs_left` times until it ends. `digest` is keyed, over the canonical scope; `session_id`
    empty: every session.
    """

    id: str
    conversation_id: str
    session_id: str
    digest: str
    scope: bytes
    granted_at: int
    by: str
    boot: str
    boottime_end: int
    until: int
    runs_left: int
    ended_at: int | None = None
