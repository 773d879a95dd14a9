"""Which resource a URI names. Nothing but its form is judged here: whether there is such a session, the gate alone says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.callers import Credentials

KINDS = ("inbox", "tasks", "status")

_URI = re.compile(rf"mab://({'|'.join(KINDS)})/(conv_[0-9a-z]{{12}})/([a-z]{{1,4}})")


@dataclass(frozen=True, slots=True)
class Resource:
    """What one session can follow: its mail, the tasks of its conversation, or what its partners do."""

    kind: str
    conversation_id: str
    session_id: str

    @property
    def uri(self) -> str:
        return f"mab://{self.kind}/{self.conversation_id}/{self.session_id}"

    @property
    def seat(self) -> Credentials:
        """The session it belongs to, as a bound connection names it."""
        return Credentials(self.conversation_id, self.session_id)


def named(uri: str) -> Resource:
    """The resource that `uri` names. Raises NotFound for any other text, which is not repeated: it may be anything."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise NotFound("there is no such resource", "resources/list shows yours")
    return Resource(*found.groups())
