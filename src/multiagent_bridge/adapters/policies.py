"""The command policy from the files that it stands in: those of the package, and a person's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from multiagent_bridge.adapters.shell_advice import ShellReader
from multiagent_bridge.errors import Invalid, Unavailable
from multiagent_bridge.guard.commands.rules import texts
from multiagent_bridge.guard.policy import Policy, load

LONGEST_FILE = 65_536
"""Bytes of a person's rule file."""


def read_policy(user_file: Path | None = None) -> Policy:
    """The policy of the built-in rules and of the person's own file.

    Raises Invalid naming the file, the rule and the example that is wrong; Unavailable when the file cannot be read or could
    have been written by somebody else: it must be a plain file of ours that only we may write, and no link.
    """
    users = None if user_file is None else _own_text(user_file)
    return load(texts(), users, users_file=str(user_file), second=ShellReader())


def _own_text(path: Path) -> str:
    try:
        # a pipe planted there must not keep us waiting for its other end
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise Unavailable(
            f"the policy file {path} cannot be opened: {what}", "name a plain file, not a link"
        ) from error
    try:
        _refuse_strange(path, os.fstat(handle))
        content = _read(handle)
    finally:
        os.close(handle)
    if len(content) > LONGEST_FILE:
        raise Invalid(f"the policy file {path} has more than {LONGEST_FILE:,} bytes", "join some of its rules")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"the policy file {path} is not UTF-8", "write it anew in UTF-8") from error


def _read(handle: int) -> bytes:
    content = b""
    while len(content) <= LONGEST_FILE and (piece := os.read(handle, LONGEST_FILE + 1)):
        content += piece
    return content


def _refuse_strange(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise Unavailable(f"the policy file {path} is not a plain file of one name", "copy it to a file of its own")
    if found.st_uid != os.geteuid():
        raise Unavailable(f"the policy file {path} belongs to another user", "copy it to a file of your own")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise Unavailable(
            f"the policy file {path} can be written by other users", f"chmod go-w {path}, then read it again"
        )
