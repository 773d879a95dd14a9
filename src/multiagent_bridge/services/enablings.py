"""Enablings: what an agent is told of its wish, what a person reads before a yes, and how a conversation stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.output import visible
from multiagent_bridge.model.instants import microseconds_to_iso
from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.model.yolo import Enabling, Grant

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent is told of its wish. `state`: pending, enabled, denied or expired."""

    request_id: str
    state: str
    how_to_approve: str

    def fields(self) -> Fields:
        """The result of `enable_yolo_mode` (SPEC section 2)."""
        return {"request_id": self.request_id, "state": self.state, "how_to_approve": self.how_to_approve}

    @property
    def text(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.fields().items() if value)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person is about to enable, and the one-time code that is bound to it."""

    enabling: Enabling
    code: str
    profile: Profile

    @property
    def backend(self) -> str:
        return self.profile.backend

    @property
    def lacks(self) -> Sequence[str]:
        return self.profile.lacks

    @property
    def lines(self) -> Sequence[str]:
        """All that a person must read before typing the phrase."""
        one = self.enabling
        writes = "read only" if one.mode == "safe" else "read and write"
        return [
            f"conversation  {one.conversation_id}",
            f"mode          {one.mode}",
            f"workspace     {visible(one.workspace.path if one.workspace else '')} ({writes})",
            f"sandbox       {self.profile.backend}",
            *(f"  LACKS       {lack}" for lack in self.profile.lacks),
            f"network       {'YES: commands may talk to anybody' if one.network else 'no'}",
            f"time          at most {one.seconds} s a command",
            f"until         {microseconds_to_iso(one.expires_at)}",
            "Every command still needs its own approval.",
        ]


@dataclass(frozen=True, slots=True)
class Wish:
    """What an agent asked to have enabled; its words are data."""

    enabling: Enabling
    workspace: str
    seconds: int | None

    def fields(self) -> Fields:
        return {
            "request_id": self.enabling.id,
            "session_id": self.enabling.session_id,
            "mode": self.enabling.mode,
            "workspace": self.workspace,
            "seconds": self.seconds,
            "sandbox": self.enabling.sandbox,
            "asked_at": microseconds_to_iso(self.enabling.created_at),
        }


@dataclass(frozen=True, slots=True)
class GrantShown:
    grant: Grant
    sentence: str

    def fields(self) -> Fields:
        return {
            "grant_id": self.grant.id,
            "session_id": self.grant.session_id,
            "scope": self.sentence,
            "until": microseconds_to_iso(self.grant.until),
            "runs_left": self.grant.runs_left,
        }


@dataclass(frozen=True, slots=True)
class Standings:
    """How one conversation stands: what is enabled, what is wished for, what was granted in advance."""

    conversation_id: str
    enabling: Enabling | None
    wishes: Sequence[Wish]
    grants: Sequence[GrantShown]

    def fields(self) -> Fields:
        one = self.enabling
        return {
            "conversation_id": self.conversation_id,
            "mode": one.mode if one else None,
            "workspace": one.workspace.path if one and one.workspace else None,
            "sandbox": one.sandbox if one else None,
            "network": one.network if one else None,
            "seconds": one.seconds if one else None,
            "until": microseconds_to_iso(one.expires_at) if one else None,
            "wishes": [wish.fields() for wish in self.wishes],
            "grants": [grant.fields() for grant in self.grants],
        }
