"""Files that a person names on a command line: why one cannot be read, by code (SPEC section 6)."""

from __future__ import annotations

from pathlib import Path

from multiagent_bridge.errors import BridgeError, Invalid, NotFound, Unavailable


def unread(file: Path | str, error: OSError | ValueError | RecursionError, kind: str, hint: str) -> BridgeError:
    """The error for a file that was to be read as a `kind`: NotFound when there is none, Unavailable when the system keeps it
    back, Invalid when it is something else.
    """
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return NotFound(f"there is no file {file}", hint)
        case OSError():
            return Unavailable(f"{file} cannot be read: {(error.strerror or str(error)).lower()}", hint)
        case _:
            return Invalid(f"{file} cannot be read as {kind}", hint)
