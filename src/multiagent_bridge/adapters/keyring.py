"""The master key in the operating system's keyring (extra `[keyring]`), for who does not want it in a file."""

from __future__ import annotations

import secrets
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from multiagent_bridge.errors import Unavailable

SERVICE = "mcp-multiagent-bridge"


class Keyring(Protocol):
    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


def kept_key(home: Path, fresh: bool) -> str:
    """The key kept for this state directory, as hex; made when there is none and `fresh` says that nothing needs an old one.

    Raises Unavailable when there is no keyring, it is locked, or the key is gone though the database is there.
    """
    keyring = _keyring()
    try:
        found = keyring.get_password(SERVICE, str(home))
        if found is None and fresh:
            keyring.set_password(SERVICE, str(home), secrets.token_hex(32))
            # what a backend says it keeps and what it keeps are two things
            found = keyring.get_password(SERVICE, str(home))
    except Exception as error:  # every backend has errors of its own
        raise _unusable(error) from error
    if found is None:
        raise Unavailable(
            "the keyring has no key for this state directory", "restore it: nothing can be read without it"
        )
    return found


def keep(home: Path, text: str) -> None:
    """Keep this for the state directory in place of what was kept. Raises Unavailable."""
    keyring = _keyring()
    try:
        keyring.set_password(SERVICE, str(home), text)
        kept = keyring.get_password(SERVICE, str(home))
    except Exception as error:  # every backend has errors of its own
        raise _unusable(error) from error
    if kept != text:
        raise Unavailable("the keyring does not keep what it is given", "use a key file: unset MAB_MASTER_KEY")


def _keyring() -> Keyring:
    try:
        return cast(Keyring, import_module("keyring"))
    except ImportError as error:
        raise Unavailable(
            "the keyring package is not installed", "pip install 'mcp-multiagent-bridge[keyring]'"
        ) from error


def _unusable(error: Exception) -> Unavailable:
    return Unavailable(
        f"the keyring cannot be used: {type(error).__name__}", "unlock it, or use a key file: unset MAB_MASTER_KEY"
    )
