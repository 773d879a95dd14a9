"""What lies in a workspace and runs by itself later, outside every sandbox: when somebody types `git status`, opens an
editor, enters the folder, starts an agent, installs packages or pushes. No mount can stop a command from planting these
(notes/guard, trap 3), so they are compared before and after it.

Not listed, because only a person's own act runs them: sources, tests, conftest.py, Makefiles, setup.py, the programs of a virtual
environment. Below node_modules and site-packages only the packages' own folders are looked at, not what lies deeper.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import posixpath
import re
import secrets
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import cast

from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.adapters.folders import CHUNK, Folder, below, real_path
from multiagent_bridge.errors import Unavailable

MOST = 400_000
"""Entries looked at; with more, the survey says of itself that it is not whole."""
MOST_FOUND = 5_000
WHOLE = 1 << 20
"""Bytes up to which a file is known by its content; a longer one by size and change time, which nobody but root can set."""

FILES = frozenset(
    (
        *(".gitmodules", ".gitconfig", ".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", "lefthook.yaml"),
        *(".mcp.json", ".envrc", ".autoenv", ".autoenv.zsh", "mise.toml", ".mise.toml", ".tool-versions"),
        *(".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml", "pip.conf", ".pypirc"),
        *(
            "sitecustomize.py",
            "usercustomize.py",
            ".exrc",
            ".vimrc",
            ".nvimrc",
            ".nvim.lua",
            ".lvimrc",
            ".dir-locals.el",
        ),
        *(".gdbinit", ".lldbinit", ".gitlab-ci.yml", "AGENTS.md", "CLAUDE.md", "CLAUDE.local.md", "GEMINI.md"),
        *(".cursorrules", ".windsurfrules", ".clinerules", "opencode.json", "opencode.jsonc"),
    )
)
FOLDERS = frozenset(
    (
        *(".vscode", ".idea", ".zed", ".fleet", ".devcontainer", ".husky", ".githooks", ".cargo", ".circleci"),
        *(".claude", ".codex", ".gemini", ".cursor", ".opencode", ".windsurf", ".kiro", ".roo", ".continue"),
    )
)
"""Every file in these counts."""
DEEP = 3
"""Levels of such a folder in which every file counts; a checkout in it (`worktrees`) is a folder like any other."""
NAMES = FILES | FOLDERS | {"package.json"}
"""A link may bear the name of a folder."""
_WORKFLOWS = (".github", "workflows")
_SHALLOW = frozenset(("node_modules", "site-packages"))
_REPOSITORY = frozenset(("HEAD", "objects", "refs"))
"""What git takes a folder for a repository by."""
_IN_REPOSITORY = (
    *("config", "config.worktree", "commondir", "gitdir", "info/attributes", "rebase-merge/git-rebase-todo"),
    *("rebase-apply/git-rebase-todo", "sequencer/todo"),
)
_NAMED = re.compile(r"^[ \t]*(?:hookspath|path|fsmonitor)[ \t]*=[ \t]*([^\n]+)$", re.IGNORECASE | re.MULTILINE)
"""What a configuration says is to be run or read as well (core.hooksPath, include.path, core.fsmonitor)."""
_LIFECYCLE = re.compile(
    r"(?:pre|post)?(?:install|prepare|prepublish|publish|pack|uninstall|version)|prepublishOnly|dependencies"
)
_UNSURE = "(not everything was looked at: this folder is too big)"


class Survey:
    def __init__(self, folder: Folder, watch: Watch) -> None:
        self._folder = folder
        self._watch = watch
        self._found: dict[str, str] = {}
        self._seen = 0

    def taken(self) -> Mapping[str, str]:
        """Path to digest. A folder too big to look at leaves a mark that is new each time: it never passes for nothing new."""
        try:
            self._walk()
        except Unavailable:
            self._found[_UNSURE] = secrets.token_hex(16)
        return self._found

    def _walk(self) -> None:
        # breadth first: what lies near the top is seen also when there is too much of it
        places = deque([""])
        while places:
            place = places.popleft()
            for name, folder in self._look(place):
                path = f"{place}/{name}" if place else name
                if folder and name in _SHALLOW:
                    self._packages(path)
                elif folder:
                    places.append(path)

    def _look(self, place: str, wanted: bool = True) -> list[tuple[str, bool]]:
        """The entries of a folder, those that count among them kept; (name, whether it is a folder to go into)."""
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in self._entries(place)]
        names = {name for name, _ in entries}
        if names >= _REPOSITORY:
            self._keep(place, "repository")
            self._repository(place)
        inside = place.split("/")
        every = (not FOLDERS.isdisjoint(inside[-DEEP:]) and "worktrees" not in inside) or _WORKFLOWS in pairwise(inside)
        deeper = []
        for name, folder in entries:
            path = f"{place}/{name}" if place else name
            if len(name) == 4 and name.lower() == ".git":
                self._git(path, folder)
            elif folder:
                deeper.append((name, True))
            elif wanted and (every or name in NAMES or name.endswith(".pth")):
                self._keep(path, self._lifecycle(path) if name == "package.json" and not every else self._digest(path))
        return deeper

    def _packages(self, place: str) -> None:
        """The folders of packages themselves: a repository planted as one of them counts, its sources do not."""
        for name, _ in self._look(place):
            path = f"{place}/{name}"
            for inner, _ in self._look(path, wanted=False):
                if name.startswith("@"):
                    self._look(f"{path}/{inner}", wanted=False)

    def _entries(self, place: str) -> Iterator[os.DirEntry[str]]:
        try:
            # by name, since it is the names alone that count: whatever is read is opened without following links
            with os.scandir(f"{self._folder.workspace.path}/{place}") as listing:
                for entry in listing:
                    self._seen += 1
                    if self._seen > MOST:
                        raise Unavailable(f"it holds more than {MOST:,} files", "look at the folder")
                    yield entry
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise Unavailable("it is too deep", "look at the folder") from error
            # what its own user cannot list, nobody runs by accident
            return
        self._watch.check()

    def _git(self, path: str, folder: bool) -> None:
        """A repository, or a file or link that leads to one."""
        self._keep(path, "repository" if folder else self._digest(path))
        if folder:
            self._repository(path)

    def _repository(self, path: str) -> None:
        """What git would run or obey of it."""
        for name in _IN_REPOSITORY:
            self._keep(f"{path}/{name}", self._digest(f"{path}/{name}"))
        self._hooks(f"{path}/hooks")
        for name in _NAMED.findall((self._content(f"{path}/config") or b"").decode("utf-8", "replace")):
            # relative to the folder that holds the configuration, or to that of the files: both are looked at
            for place in (path, path.rpartition("/")[0]):
                named = posixpath.normpath(posixpath.join(place, name.strip().strip('"')))
                if not named.startswith(("/", "..")):
                    self._keep(named, self._digest(named))
                    self._hooks(named)
        for inner in ("modules", "worktrees"):
            for entry in self._entries(f"{path}/{inner}"):
                if entry.is_dir(follow_symlinks=False):
                    self._repository(f"{path}/{inner}/{entry.name}")

    def _hooks(self, path: str) -> None:
        """Every file of a folder of hooks; where a link stands for the folder, the link."""
        if path.endswith("/hooks"):
            self._keep(path, self._linked(path))
        for entry in self._entries(path):
            if not entry.name.endswith(".sample") and not entry.is_dir(follow_symlinks=False):
                self._keep(f"{path}/{entry.name}", self._digest(f"{path}/{entry.name}"))

    def _keep(self, path: str, digest: str | None) -> None:
        if digest is None:
            return
        if len(self._found) >= MOST_FOUND:
            raise Unavailable("too much of it would run by itself", "look at the folder")
        self._found[path] = digest

    def _digest(self, path: str) -> str | None:
        """None when nothing lies there."""
        content = self._content(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def _content(self, path: str) -> bytes | None:
        """The file itself, or words that change whenever it does."""
        try:
            handle = self._folder.file(path)
        except FileNotFoundError:
            return None
        except OSError:
            return self._otherwise(path)
        try:
            found = os.fstat(handle)
            if found.st_size > WHOLE:
                return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}".encode()
            content = b"x" if found.st_mode & stat.S_IXUSR else b"-"
            while piece := os.read(handle, CHUNK):
                content += piece
            return content
        finally:
            os.close(handle)

    def _otherwise(self, path: str) -> bytes | None:
        """Of what is no plain file, or cannot be read. A link inside the workspace counts with what it leads to."""
        try:
            target = os.fsencode(self._folder.link(path))
        except OSError:
            return None if self._is_folder(path) else b"unreadable"
        root = self._folder.workspace.path
        try:
            real = real_path(f"{root}/{path}")
        except (OSError, ValueError):
            return b"link " + target
        inside = os.path.relpath(real, root)
        if below(real, root) and inside != path and not self._is_folder(inside):
            return b"link " + target + b" " + (self._content(inside) or b"")
        return b"link " + target

    def _linked(self, path: str) -> str | None:
        try:
            return hashlib.sha256(os.fsencode(self._folder.link(path))).hexdigest()
        except OSError:
            return None

    def _is_folder(self, path: str) -> bool:
        try:
            self._folder.at(path)
        except OSError:
            return False
        return True

    def _lifecycle(self, path: str) -> str | None:
        """Digest of what a package manager runs of a package.json by itself; None when that is nothing."""
        content = self._content(path)
        if content is None:
            return None
        try:
            package = json.loads(content[1:])
            scripts = cast("dict[str, object]", package["scripts"]).items()
            run = {name: line for name, line in scripts if _LIFECYCLE.fullmatch(name)}
            if not run:
                return None
            content = json.dumps(run, sort_keys=True).encode()
        except KeyError:
            return None
        except (ValueError, TypeError, AttributeError, RecursionError):
            # whatever it is, a package manager may read it otherwise
            pass
        return hashlib.sha256(content).hexdigest()
