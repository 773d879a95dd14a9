"""Which folders may be workspaces: those of one project, never one that more depends on than the project."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from multiagent_bridge.adapters.folders import below, real_path
from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard import text
from multiagent_bridge.guard.commands.paths import SECRET_PARTS
from multiagent_bridge.model.workspaces import Workspace

HINT = "name the folder of one project by its full path"
LONGEST = 4096

SYSTEM = tuple(
    f"/{name}"
    for name in (
        "bin",
        "boot",
        "dev",
        "efi",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "lost+found",
        "nix",
        "proc",
        "run",
        "sbin",
        "snap",
        "sys",
        "usr",
        "var",
        "Applications",
        "Library",
        "System",
        "Volumes",
        "cores",
        "private/etc",
        "private/var",
    )
)
"""Refused with all that lies below them."""
_ALLOWED = ("run/media", "Volumes", "var/folders", "var/tmp", "var/www", "private/var/folders")
OPEN = tuple(f"/{name}/" for name in _ALLOWED)
"""What people do keep projects below, of those."""
_CROWDED = ("home", "media", "mnt", "opt", "private", "private/tmp", "root", "srv", "tmp", "Users")
SHARED = tuple(f"/{name}" for name in _CROWDED)
"""Refused themselves; a project may lie below."""
HOMES = ("/home", "/Users")


def eligible(path: object, state_directory: Path) -> Workspace:
    """The folder behind `path`. Raises Invalid saying why it may not be a workspace, without the path: that may hold anything."""
    name = text.line("the workspace", path, 1, LONGEST)
    if not name.startswith("/"):
        raise Invalid("the path of the workspace does not begin with /", HINT)
    try:
        real = real_path(name)
        found = Path(real).lstat()
    except (OSError, ValueError) as error:
        raise Invalid("the workspace is not there, or may not be looked at", HINT) from error
    # a link may lead to a name that nobody typed
    text.line("the workspace", real, 1, LONGEST)
    if not stat.S_ISDIR(found.st_mode):
        raise Invalid("the workspace is no folder", HINT)
    if why := _refusal(real, found, state_directory):
        raise Invalid(f"the workspace {why}", HINT)
    return Workspace(real, found.st_dev, found.st_ino)


def _refusal(real: str, found: os.stat_result, state_directory: Path) -> str:
    state = os.path.realpath(state_directory)
    if below(real, state) or below(state, real):
        return "holds, or lies in, the state directory of this bridge"
    if any(below(real, place) for place in SYSTEM) and not _open(real):
        return "is a folder of the system"
    if real in SHARED or any(below(place, real) for place in (*SYSTEM, *SHARED)):
        return "is a folder that more than one project lies in"
    if any(below(home, real) for home in homes(found.st_uid)) or str(Path(real).parent) in HOMES:
        return "is a home directory, or holds one"
    if parts := {".git", *SECRET_PARTS} & {part.lower() for part in Path(real).parts}:
        return f"lies in a folder named {min(parts)}"
    if os.geteuid() not in (0, found.st_uid):
        return "belongs to another user"
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        return "can be written by every user of this machine"
    return ""


def _open(real: str) -> bool:
    return any(real.startswith(place) and real != place for place in OPEN)


def homes(owner: int) -> set[str]:
    """Home directories that matter here: ours, and that of the folder's owner."""
    found = {os.path.realpath(os.environ["HOME"])} if os.environ.get("HOME", "").startswith("/") else set()
    for user in {os.geteuid(), owner}:
        try:
            found.add(os.path.realpath(pwd.getpwuid(user).pw_dir))
        except (KeyError, OverflowError):
            continue
    return found
