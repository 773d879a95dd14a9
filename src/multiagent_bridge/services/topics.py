"""What the bell is rung for: topics, never content."""

from __future__ import annotations

APPROVALS = "approvals"
"""Something waits for a person, or no longer does."""


def inbox(conversation_id: str, session_id: str) -> str:
    """One session's mail."""
    return f"inbox:{conversation_id}/{session_id}"


def tasks_topic(conversation_id: str) -> str:
    """The tasks of one conversation moved."""
    return f"tasks:{conversation_id}"


def command_topic(command_id: str) -> str:
    """One command moved to another state."""
    return f"command:{command_id}"
