"""Who a command runs as: never user 0, and nobody who could not enter the workspace (notes/guard section 3).

A bridge that is not root runs commands as itself, since only root can become somebody else. As root it drops, for good and
without supplementary groups, to the user that `[yolo] user` names, else to the owner of the workspace, else (root owns it)
to nobody, and only where everybody may enter. A workspace that root owns is therefore one to read: to have commands write
in it, give it to a user.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from pathlib import Path
from typing import TypedDict

from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.workspaces import Workspace

NOBODY = (65534, 65534)
HINT = "name a user who may work there in [yolo] user of your bridge.toml, or give the workspace to one: chown -R USER"

_NUMBERS = re.compile(r"([0-9]+)(?::([0-9]+))?")
_ACCESS_LIST = "system.posix_acl_access"


class Identity(TypedDict, total=False):
    """What `subprocess` takes to start a program as somebody else."""

    user: int
    group: int
    extra_groups: tuple[int, ...]


def identity(workspace: Workspace, user: str) -> tuple[int, int] | None:
    """(uid, gid) that commands in `workspace` run as; None when we are not root and run as ourselves.

    `user` is a name, a number, or UID:GID; empty: the owner of the workspace, or nobody. Raises Unavailable when that
    is nobody who may run there, Conflict when another folder lies at the workspace's path.
    """
    real, effective, saved = _ids()
    if effective != 0:
        _refuse_unless_ourselves(user, 0 in (real, saved))
        return None
    found = _owner_of(workspace)
    if user:
        chosen = _named(user)
    elif found != 0:
        chosen = (found, _group_of(found))
    else:
        chosen = NOBODY
    closed = _closed_to(chosen, Path(workspace.path))
    if closed is not None:
        raise Unavailable(f"commands do not run as root, and user {chosen[0]} may not enter {closed}", HINT)
    return chosen


def home_of(chosen: tuple[int, int] | None) -> Path | None:
    """The home of who commands run as; None without one."""
    try:
        home = Path(pwd.getpwuid(os.geteuid() if chosen is None else chosen[0]).pw_dir)
    except (KeyError, OverflowError):
        return None
    return home if home.is_absolute() and home != Path("/") else None


def launched_as(chosen: tuple[int, int] | None) -> Identity:
    """Keyword arguments that make `subprocess` (and asyncio's) start a program as `chosen`, with no other groups."""
    return {} if chosen is None else {"user": chosen[0], "group": chosen[1], "extra_groups": ()}


def _ids() -> tuple[int, int, int]:
    """Real, effective and saved user."""
    return os.getresuid() if hasattr(os, "getresuid") else (os.getuid(), os.geteuid(), os.geteuid())


def _refuse_unless_ourselves(user: str, half_root: bool) -> None:
    if half_root:
        raise Unavailable(
            "the bridge runs as a user who can become root again", "start it as root, or wholly as that user"
        )
    if user and _named(user)[0] != os.geteuid():
        raise Unavailable(
            f"the setting yolo.user names {user}, and only root can run commands as somebody else",
            "take the setting out, or run the bridge as that user",
        )


def _named(user: str) -> tuple[int, int]:
    """The ids that `[yolo] user` means. Raises Unavailable."""
    numbers = _NUMBERS.fullmatch(user)
    try:
        if numbers is None:
            known = pwd.getpwnam(user)
            chosen = known.pw_uid, known.pw_gid
        else:
            uid, group = int(numbers[1]), numbers[2]
            chosen = uid, _group_of(uid) if group is None else int(group)
    except (KeyError, ValueError) as error:
        raise Unavailable(
            f"there is no user {user}, whom the setting yolo.user names", "useradd --system it, or correct the setting"
        ) from error
    if not all(0 < one < 2**32 - 1 for one in chosen):
        raise Unavailable(
            f"the setting yolo.user names {user}, who has the user or group of root", "name an ordinary user"
        )
    return chosen


def _group_of(uid: int) -> int:
    """The first group of a user; nobody's when it has none or that of root."""
    try:
        return pwd.getpwuid(uid).pw_gid or NOBODY[1]
    except (KeyError, OverflowError):
        return NOBODY[1]


def _owner_of(workspace: Workspace) -> int:
    try:
        found = os.lstat(workspace.path)
    except OSError as error:
        raise Conflict("the workspace is gone", "mab yolo enable it anew") from error
    if (found.st_dev, found.st_ino) != (workspace.device, workspace.inode):
        raise Conflict("another folder lies where the workspace was", "mab yolo enable it anew")
    return found.st_uid


def _closed_to(chosen: tuple[int, int], path: Path) -> Path | None:
    """The first folder on the way to `path` that the user may not enter; None when all are open."""
    for folder in [*reversed(path.parents), path]:
        needed = 0o5 if folder == path else 0o1
        if not _may(chosen, folder, needed):
            return folder
    return None


def _may(chosen: tuple[int, int], folder: Path, needed: int) -> bool:
    """Whether the mode bits give `needed` (of 0o7); an access list is left for the kernel to judge."""
    found = folder.stat()
    if _ACCESS_LIST in os.listxattr(folder):
        return True
    shift = 6 if found.st_uid == chosen[0] else 3 if found.st_gid == chosen[1] else 0
    return (stat.S_IMODE(found.st_mode) >> shift) & needed == needed
