"""The post-receive hook of a bare repository on this machine, which has workers look at once."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from multiagent_bridge.errors import Conflict, Invalid, Unavailable

MARK = "# mab credentials hook: workers on this machine look for their credentials at once\n"
NAME = "post-receive"
HOOK_BYTES = 65_536


def line(home: Path) -> str:
    """What wakes the workers of one state directory; it never holds up a push, nor fails one."""
    # what `mab credentials wake` does, without the command line's own start
    words = [sys.executable, "-I", "-m", "multiagent_bridge.cli.credentials_wake", str(home)]
    return f"({shlex.join(words)} </dev/null >/dev/null 2>&1 &)\n"


def installed(repository: Path, home: Path) -> tuple[Path, bool]:
    """Write the hook, or add this state directory to it. Returns where it is, and whether anything was written.

    Raises Invalid for what is no bare repository of ours, Conflict when a hook of somebody else's making is there.
    """
    folder = _hooks(repository)
    wanted = line(home)
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Invalid(
            f"{folder} is no folder", "mab credentials hook --repo PATH, a bare repository of yours"
        ) from error
    try:
        return folder / NAME, _written(directory, folder, wanted)
    except OSError as error:
        raise Unavailable(
            f"the hook cannot be written: {(error.strerror or '').lower()}", f"look at {folder}"
        ) from error
    finally:
        os.close(directory)


def _hooks(repository: Path) -> Path:
    path = repository.expanduser().absolute()
    if not (path / "objects").is_dir() or not (path / "HEAD").is_file():
        raise Invalid(f"{path} is no bare repository", "git init --bare PATH makes one")
    if path.stat().st_uid != os.geteuid():
        raise Invalid(f"{path} is another user's repository", "its owner runs this command")
    folder = path / "hooks"
    folder.mkdir(exist_ok=True)
    return folder


def _written(directory: int, folder: Path, wanted: str) -> bool:
    try:
        fresh = os.open(
            NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o755, dir_fd=directory
        )
    except FileExistsError:
        return _added(directory, folder, wanted)
    with os.fdopen(fresh, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + MARK + wanted)
    return True


def _added(directory: int, folder: Path, wanted: str) -> bool:
    other = Conflict(f"{folder / NAME} is there already", f"add this line to it: {wanted.strip()}")
    try:
        there = os.open(NAME, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        raise other from error
    with os.fdopen(there, "r+b") as file:
        content = file.read(HOOK_BYTES)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or not content.startswith(b"#!/bin/sh\n" + MARK.encode()):
            raise other
        if wanted.encode() in content:
            return False
        file.write(wanted.encode())
    return True
