"""Where in the workspace a plan stands: `cd` and globs, neither of which ever leaves it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace

MOST_BYTES = 512 << 10
"""Bytes of an expanded argv; the kernel takes a few times that with the environment."""


class TooLong(Exception):
    """A glob matched more than one program can be given."""


def held(workspace: Workspace) -> int:
    """A descriptor of the workspace's folder itself. Raises Conflict when it is gone or another one lies there."""
    try:
        fd = os.open(workspace.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict("the workspace is gone or no folder any more", "mab yolo enable it anew") from error
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) != (workspace.device, workspace.inode):
        os.close(fd)
        raise Conflict("another folder lies where the workspace was", "mab yolo enable it anew")
    return fd


class Place:
    """The working directory of a plan. `root` is the resolved path of the workspace."""

    def __init__(self, root: str) -> None:
        self.root = self.cwd = root

    def enter(self, words: Sequence[str]) -> str:
        """`cd WORDS`. Returns what is wrong with it, empty when it is done."""
        if len(words) != 1:
            return "cd: one folder of the workspace is needed"
        try:
            found = str(Path(self.cwd, words[0]).resolve(strict=True))
        except (OSError, ValueError, RuntimeError):
            return f"cd: {words[0]}: no such folder"
        if not self._inside(found):
            return f"cd: {words[0]}: outside the workspace"
        if not Path(found).is_dir():
            return f"cd: {words[0]}: not a folder"
        self.cwd = found
        return ""

    def argv(self, step: Step) -> list[str]:
        """The words of a step with its globs expanded. Raises TooLong."""
        words: list[str] = []
        size = 0
        for place, word in enumerate(step.argv):
            for one in self._expanded(word) if place in step.globs else (word,):
                size += len(os.fsencode(one)) + 1
                if size > MOST_BYTES:
                    raise TooLong
                words.append(one)
        return words

    def _expanded(self, pattern: str) -> list[str]:
        components = [part for part in pattern.split("/") if part]
        start, base = ("/", "/") if pattern.startswith("/") else ("", self.cwd)
        found = sorted(self._matches(base, start, components, pattern.endswith("/")))
        # a name that begins with a dash would be read as an option
        return [f"./{name}" if name.startswith("-") else name for name in found] or [pattern]

    def _matches(self, folder: str, said: str, components: Sequence[str], folders: bool) -> Iterator[str]:
        """Spellings below `folder`, each beginning with `said`, that the components match."""
        here, rest = components[0], components[1:]
        for name in self._names(folder, here):
            path = Path(folder, name)
            if rest:
                yield from self._matches(str(path), f"{said}{name}/", rest, folders)
            elif not folders:
                yield said + name
            elif path.is_dir():
                yield f"{said}{name}/"

    def _names(self, folder: str, pattern: str) -> list[str]:
        """Names in `folder` that a component matches; none when the folder lies outside once links are followed."""
        if not ("*" in pattern or "?" in pattern):
            return [pattern] if os.path.lexists(Path(folder, pattern)) else []
        if not self._inside(os.path.realpath(folder)):
            return []
        wanted = re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        hidden = pattern.startswith(".")
        return [name for name in names if wanted.fullmatch(name) and (hidden or not name.startswith("."))]

    def _inside(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root.rstrip("/") + "/")
