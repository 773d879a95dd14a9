"""Letters: stored messages in clear, with the role of who said them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.mail import Letter
from multiagent_bridge.model.messages import Message
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Keys
from multiagent_bridge.services.notices import BRIDGE

OPERATOR = "operator"
"""The sender of what a person says into a conversation: no id of a session has so many letters."""

ROLES = {BRIDGE: "the bridge itself", OPERATOR: "a person"}
"""Senders that are no session of the conversation, and what they are."""


def opened(
    keys: Keys, conversation: Conversation, sessions: Sequence[Session], found: Sequence[Message]
) -> Sequence[Letter]:
    """These messages of one conversation in clear. Raises Tampered."""
    roles = {session.id: session.role for session in sessions} | ROLES
    letters = []
    for message in found:
        body = keys.open(conversation, f"messages/body/{message.id}", message.body)
        try:
            parts = json.loads(body)
            letters.append(Letter(message, roles.get(message.sender, ""), parts["message"], parts["files"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Tampered(f"message {message.id} is damaged", "mab audit --verify") from error
    return letters
