"""Who is asking: the identity a face established before it calls a service."""

from __future__ import annotations

from dataclasses import dataclass, field

ROLES = ("agent", "operator", "auditor", "admin")
"""What an identity may be: use the tools; approve and see; read the journal; everything, keys included."""

OWNER = "owner"
"""The role of the person at the terminal beside all others. No key and no token ever has it."""

AGENT = frozenset({"agent"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection.

    `agent` is the connection's own key; `alias` the key of the name it was started under (`mab mcp --as NAME`), which
    outlives it. Bindings are kept under both. `name` is what people call it; `peer` says where it came from (`uid:1000`).
    An operator owns the state directory and may act for any session of it. `yolo`: the environment of the agent's own shim
    opens the gate of commands (SPEC section 5).

    `roles` say what it may do; the owner has all. `conversations`: the only ones it may see or touch, None for no such
    confinement. `identity` is the id of the remote identity that asks, empty for everybody on this machine.
    """

    agent: str
    name: str
    peer: str
    alias: str = ""
    operator: bool = False
    yolo: bool = False
    roles: frozenset[str] = AGENT
    conversations: frozenset[str] | None = None
    identity: str = ""

    def __post_init__(self) -> None:
        if self.operator:
            object.__setattr__(self, "roles", frozenset((*ROLES, OWNER)))
        elif OWNER in self.roles:
            raise ValueError("only the person at the terminal is the owner")

    @property
    def oversees(self) -> bool:
        """Whether it sees every conversation within its confinement, and not only those that it has joined."""
        return self.operator or not self.roles.isdisjoint(("operator", "admin"))

    @property
    def label(self) -> str:
        """The actor as the journal names it when no session is known."""
        if self.operator:
            return f"operator {self.peer}"
        return f"identity {self.identity} ({self.name})" if self.identity else f"agent {self.name}"


@dataclass(slots=True)
class Renewed:
    """Where a call is told the token that follows the one it brought. Empty, unless that one was renewed."""

    token: str = field(default="", repr=False)

    def fields(self) -> dict[str, str]:
        """What the result of the call has beside its own fields."""
        return {"renewed_token": self.token} if self.token else {}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call itself brought along; every part may be left out on a bound connection.

    `renewed` is where it hears of the token that follows its own: whoever cannot pass one on leaves it out. `admitted`: the call
    was let in before and looks again, so that what was renewed meanwhile does not end it; no face ever says so.
    """

    conversation_id: str | None = None
    session_id: str | None = None
    token: str | None = field(default=None, repr=False)
    renewed: Renewed | None = field(default=None, repr=False, compare=False)
    admitted: bool = False


NO_CREDENTIALS = Credentials()
