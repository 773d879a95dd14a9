"""Enablings as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.model.yolo import Enabling


def values(enabling: Enabling) -> Mapping[str, Any]:
    """Its columns by name; device and inode as text, since they may need all 64 bits."""
    e, w = enabling, enabling.workspace
    return {
        "id": e.id,
        "conversation_id": e.conversation_id,
        "session_id": e.session_id,
        "state": e.state,
        "mode": e.mode,
        "workspace_path": w and w.path,
        "workspace_device": w and str(w.device),
        "workspace_inode": w and str(w.inode),
        "sandbox": e.sandbox,
        "network": int(e.network),
        "seconds": e.seconds,
        "created_at": e.created_at,
        "expires_at": e.expires_at,
        "boot": e.boot,
        "boottime_end": e.boottime_end,
        "wish": e.wish,
        "decided_at": e.decided_at,
        "decided_by": e.decided_by,
        "reason": e.reason,
    }


def enabling(row: Sequence[Any]) -> Enabling:
    """The enabling of a row in the order of the columns."""
    path, device, inode = row[5:8]
    workspace = None if path is None else Workspace(path, int(device), int(inode))
    return Enabling(*(*row[:5], workspace, row[8], bool(row[9]), *row[10:]))
