"""The name of a hub among those that share a store: claims on mail and runs of commands stand under it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from multiagent_bridge.adapters.state import locked, opened

FILE = "hub.name"
FROM_HERE = "hub.names-from-here"
_BYTES = 16


def hub_name(home: Path) -> str:
    """12 characters that no other state directory has, the same at each start; `home` is the prepared state directory.

    The machine's name is part of it: a state directory that was copied to another machine is another hub. Raises Unavailable
    when the file cannot be used.
    """
    with locked(home / f"{FILE}.lock"):
        handle = opened(home / FILE, os.O_RDWR | os.O_CREAT)
        try:
            kept = os.read(handle, _BYTES)
            if len(kept) < _BYTES:
                kept = secrets.token_bytes(_BYTES)
                os.pwrite(handle, kept, 0)
                os.fsync(handle)
        finally:
            os.close(handle)
    return hashlib.sha256(kept + os.uname().nodename.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def machine_of(home: Path) -> str:
    """What tells the names of this machine's agents from those at other hubs of one store.

    Nothing where the store came from here: its names are from before there were others. Raises Unavailable.
    """
    return "" if (home / FROM_HERE).exists() else hub_name(home)


def keep_names(home: Path) -> None:
    """Have the agents of this state directory found by their names in the store that it was moved to. Raises Unavailable."""
    os.close(opened(home / FROM_HERE, os.O_RDWR | os.O_CREAT))
