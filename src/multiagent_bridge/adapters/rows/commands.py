"""Commands as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multiagent_bridge.model.commands import Approval, Command


def values(command: Command) -> Mapping[str, Any]:
    """Its columns by name; those of the approval are null until there is one."""
    c, a = command, command.approval
    return {
        "id": c.id,
        "conversation_id": c.conversation_id,
        "session_id": c.session_id,
        "state": c.state,
        "digest": c.digest,
        "order": c.order,
        "requested_at": c.requested_at,
        "expires_at": c.expires_at,
        "verifier": a and a.verifier,
        "boot": a and a.boot,
        "boottime_end": a and a.boottime_end,
        "granted_at": a and a.granted_at,
        "until": a and a.until,
        "by": a and a.by,
        "grant_id": a and a.grant_id,
        "decided_at": c.decided_at,
        "reason": c.reason,
        "runner": c.runner,
        "deadline": c.deadline,
        "started_at": c.started_at,
        "ended_at": c.ended_at,
        "outcome": c.outcome,
    }


def command(row: Sequence[Any]) -> Command:
    """The command of a row in the order of the columns."""
    approval = None if row[8] is None else Approval(*row[8:15])
    return Command(*(*row[:8], approval, *row[15:]))
