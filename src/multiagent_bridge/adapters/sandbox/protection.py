"""What in a workspace is hidden from a command, and what it may read but not write: found by looking before each run.

A bind mount protects only what is there. What is not there yet (a first `.mcp.json`, a nested repository) can be made by a
command that may write; comparing before and after finds it (`Workspaces.survey`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from multiagent_bridge.adapters.sandbox.secrets import FOLDERS, is_secret, may_be_secret
from multiagent_bridge.errors import Unavailable

WRITABLE, READ_ONLY, EMPTY_FILE, EMPTY_FOLDER = "writable", "read-only", "empty file", "empty folder"
"""Kinds of mounts. Of one turn they are made in this order, since a later one covers an earlier one."""
MOST_MOUNTS = 400
"""Beyond that the start takes seconds and descriptors run out."""
DEEPEST = 2000
"""Characters of a path; a folder below that is hidden as a whole."""

STEERING = (
    *(".mcp.json", ".claude", ".codex", ".gemini", ".cursor", ".windsurf", ".opencode", ".kiro", ".roo", ".continue"),
    *("opencode.json", "opencode.jsonc", ".vscode", ".idea", ".zed", ".fleet", ".devcontainer", "bridge.toml"),
    *(".husky", ".githooks", ".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml"),
    *("mise.toml", ".mise.toml", ".autoenv", ".autoenv.zsh"),
)
"""In the root of the workspace and of each repository: they make a client, an editor, git or this bridge run something, later and
outside.
"""


@dataclass(frozen=True, slots=True)
class Mount:
    """`path` (absolute, resolved) mounted upon itself, or hidden under something empty.

    Those of `turn` 1 lie in one of turn 0 and are made after it.
    """

    kind: str
    path: str
    turn: int = 0


@dataclass(slots=True)
class Found:
    """What a look at a workspace found: absolute paths. `folders` and `files` are to be hidden, `steering` is to be read only;
    `repositories` are git's own folders, `links` the files that stand for one.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    steering: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def ordered(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """Without repetition, in the order in which they have to be made. Raises Unavailable when there are too many."""
    kinds = (WRITABLE, READ_ONLY, EMPTY_FOLDER, EMPTY_FILE)
    hidden = (EMPTY_FOLDER, EMPTY_FILE)
    found = sorted(set(mounts), key=lambda one: (one.kind in hidden, one.turn, kinds.index(one.kind), one.path))
    if len(found) > MOST_MOUNTS:
        raise Unavailable(
            f"the workspace holds more than {MOST_MOUNTS} files that must be kept from commands",
            "choose a smaller folder as workspace",
        )
    return tuple(found)


def look(root: str, user: tuple[int, int] | None = None, check: Callable[[], None] = lambda: None) -> Found:
    """Walk the whole workspace, following no link. `user` is who commands run as, when that is not this process.

    `check` is called for each folder and may raise. Raises Unavailable when something can neither be looked at nor hidden.
    """
    found = Found()
    linked: set[tuple[int, int]] = set()
    for folder, entries in _walk(root, user, found.folders):
        check()
        names = {entry.name for entry in entries}
        _note_repository(folder, entries, names, found)
        if folder == root or ".git" in names:
            found.steering += _inside(root, [f"{folder}/{name}" for name in STEERING if name in names])
        for entry in entries:
            hidden = _hidden(root, entry)
            if hidden:
                found.files.append(hidden)
                seen = os.lstat(hidden)
                if seen.st_nlink > 1:
                    linked.add((seen.st_dev, seen.st_ino))
    if linked:
        found.files += _other_names(root, user, linked)
    return found


def _walk(root: str, user: tuple[int, int] | None, closed: list[str]) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Every folder that commands can enter with what is in it. `closed` gets those that must be hidden as a whole."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            if len(folder) > DEEPEST:
                # what lies deeper can be reached step by step, but not be hidden
                closed.append(folder)
                continue
            mine, enters = _passage(user, folder)
            if not enters:
                # its owner can open it from inside, whatever its mode says now
                closed += [folder] if mine else []
                continue
            with os.scandir(folder) as scan:
                entries = list(scan)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unavailable("a folder of the workspace cannot be read", "look for it and remove it") from error
        yield folder, entries
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                (closed if entry.name in FOLDERS else waiting).append(entry.path)


def _passage(user: tuple[int, int] | None, folder: str) -> tuple[bool, bool]:
    """Whether who runs commands owns the folder, and whether they can list and search it."""
    if user is None:
        return os.lstat(folder).st_uid == os.geteuid(), os.access(folder, os.R_OK | os.X_OK)
    seen = os.lstat(folder)
    shift = 6 if seen.st_uid == user[0] else 3 if seen.st_gid == user[1] else 0
    return seen.st_uid == user[0], stat.S_IMODE(seen.st_mode) >> shift & 0o5 == 0o5


def _note_repository(folder: str, entries: list[os.DirEntry[str]], names: set[str], found: Found) -> None:
    if {"HEAD", "objects", "refs"} <= names:
        found.repositories.append(folder)
    if ".git" in names:
        entry = next(entry for entry in entries if entry.name == ".git")
        if entry.is_file(follow_symlinks=False):
            found.links.append(entry.path)
        elif entry.is_dir(follow_symlinks=False) and entry.path not in found.repositories:
            found.repositories.append(entry.path)


def _hidden(root: str, entry: os.DirEntry[str]) -> str:
    """The path to hide on account of an entry; empty when there is nothing to hide."""
    if entry.is_file(follow_symlinks=False):
        return entry.path if is_secret(entry.path, entry.name) else ""
    if entry.is_dir(follow_symlinks=False):
        return ""
    if not entry.is_symlink():
        # a socket, a pipe, a device: whoever stands at its other end is outside
        return entry.path
    if not may_be_secret(entry.path, entry.name):
        return ""
    target = _inside(root, [entry.path])
    return target[0] if target and Path(target[0]).is_file() and is_secret(target[0], entry.name) else ""


def _inside(root: str, paths: list[str]) -> list[str]:
    """Those whose links lead to something in the workspace, as what they lead to."""
    resolved = [os.path.realpath(path) for path in paths]
    return [path for path in resolved if path.startswith(root.rstrip("/") + "/") and os.path.lexists(path)]


def _other_names(root: str, user: tuple[int, int] | None, linked: set[tuple[int, int]]) -> list[str]:
    """Other names of the same files."""
    inodes = {inode for _, inode in linked}
    found = []
    for _, entries in _walk(root, user, []):
        for entry in entries:
            if entry.inode() in inodes and entry.is_file(follow_symlinks=False):
                seen = os.lstat(entry.path)
                if (seen.st_dev, seen.st_ino) in linked:
                    found.append(entry.path)
    return found
