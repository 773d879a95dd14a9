"""Who is asking: the identity a face established before it calls a service."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection.

    `agent` is the connection's own key; `alias` the key of the name it was started under (`mab mcp --as NAME`), which
    outlives it. Bindings are kept under both. `name` is what people call it; `peer` says where it came from (`uid:1000`).
    An operator owns the state directory and may act for any session of it. `yolo`: the environment of the agent's own shim
    opens the gate of commands (SPEC section 5).
    """

    agent: str
    name: str
    peer: str
    alias: str = ""
    operator: bool = False
    yolo: bool = False

    @property
    def label(self) -> str:
        """The actor as the journal names it when no session is known."""
        return f"operator {self.peer}" if self.operator else f"agent {self.name}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call itself brought along; every part may be left out on a bound connection."""

    conversation_id: str | None = None
    session_id: str | None = None
    token: str | None = field(default=None, repr=False)


NO_CREDENTIALS = Credentials()
