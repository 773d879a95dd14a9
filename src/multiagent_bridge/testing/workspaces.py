"""Workspaces in memory, for tests of whatever stands on the services; the laws of `ports.Workspaces` are in workspace_laws."""

from __future__ import annotations

import hashlib
import itertools
import posixpath
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from multiagent_bridge.adapters import steering
from multiagent_bridge.adapters.eligible import HINT, SHARED, SYSTEM
from multiagent_bridge.adapters.scripts import ABSENT, runnable
from multiagent_bridge.adapters.surveys import FILES, FOLDERS
from multiagent_bridge.errors import Conflict, Invalid
from multiagent_bridge.guard import text
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace

Tree = dict[str, tuple[int, bytes]]
"""Path below the folder to mode (permission bits) and content."""


class MemoryWorkspaces:
    """Any absolute path is a folder that is there, empty at first. A test plants files, swaps folders and loses them.

    It is its own `grounds.Ground`. What only a real file system has (links, owners, pipes) is not here.
    """

    def __init__(self) -> None:
        self._inodes = itertools.count(100)
        self._folders: dict[str, tuple[int, Tree]] = {}
        self._lost: set[str] = set()
        self._locks: dict[tuple[int, int], anyio.Semaphore] = {}

    def folder(self) -> str:
        path = f"/srv/work-{next(self._inodes)}"
        self._folder(path)
        return path

    def plant(self, path: str, name: str, content: bytes = b"", mode: int = 0o644) -> None:
        self._folder(path)[1][name] = (mode, content)

    def drop(self, path: str, name: str) -> None:
        del self._folder(path)[1][name]

    def swap(self, path: str) -> None:
        self._folders[path] = (next(self._inodes), {})
        self._lost.discard(path)

    def lose(self, path: str) -> None:
        self._folders.pop(path, None)
        self._lost.add(path)

    def tree(self, path: str) -> Tree:
        """The files of the folder, as they are now."""
        return dict(self._folder(path)[1])

    def put(self, path: str, tree: Tree) -> None:
        """Make these the files of the folder."""
        self._folders[path] = (self._folder(path)[0], dict(tree))

    def adopt(self, workspace: Workspace) -> None:
        """Know a workspace that another one identified."""
        if workspace.path not in self._lost:
            self._folders.setdefault(workspace.path, (workspace.inode, {}))

    async def identify(self, path: str) -> Workspace:
        text.line("the workspace", path, 1, 4096)
        path = posixpath.normpath(path)
        refused = not path.startswith("/") or path.strip("/") == "" or path in (*SHARED, *SYSTEM)
        if refused or any(path.startswith(place + "/") for place in SYSTEM) or path in self._lost:
            raise Invalid("this cannot be a workspace", HINT)
        return Workspace(path, 1, self._folder(path)[0])

    async def verify(self, workspace: Workspace) -> None:
        if workspace.path in self._lost or self._folder(workspace.path)[0] != workspace.inode:
            raise Conflict("the workspace is gone, or another folder lies there now", "enable commands for it again")

    async def scripts(self, workspace: Workspace, steps: Sequence[Step]) -> Sequence[tuple[str, str]]:
        await self.verify(workspace)
        tree = self.tree(workspace.path)
        wanted = steering.wanted(steps, workspace.path)
        named = wanted.named | {path for shape in wanted.patterns for path in steering.expanded(shape, _names(tree))}
        counted = named | (wanted.usual & tree.keys())
        counted |= {path for path in wanted.words if path in tree and runnable(path, *tree[path])}
        counted |= {path for path in tree if posixpath.dirname(path) in wanted.folders and not path.endswith(".sample")}
        return sorted((path, _digest(tree[path][1]) if path in tree else ABSENT) for path in counted)

    async def survey(self, workspace: Workspace) -> Mapping[str, str]:
        await self.verify(workspace)
        return dict(_surveyed(self.tree(workspace.path)))

    def lock(self, workspace: Workspace) -> AbstractAsyncContextManager[None]:
        return self._locked(self._locks.setdefault((workspace.device, workspace.inode), anyio.Semaphore(1)))

    @asynccontextmanager
    async def _locked(self, lock: anyio.Semaphore) -> AsyncIterator[None]:
        async with lock:
            yield

    def _folder(self, path: str) -> tuple[int, Tree]:
        if path in self._lost:
            raise Conflict("the workspace is gone, or another folder lies there now", "enable commands for it again")
        if path not in self._folders:
            self._folders[path] = (next(self._inodes), {})
        return self._folders[path]


def _surveyed(tree: Tree) -> Iterator[tuple[str, str]]:
    for path, (_, content) in tree.items():
        *places, name = path.split("/")
        if ".git" in places:
            repository = "/".join(places[: places.index(".git") + 1])
            yield repository, "repository"
            inner = path[len(repository) + 1 :]
            if inner == "config" or inner.startswith("hooks/"):
                yield path, _digest(content)
        elif name in FILES or name.endswith(".pth") or not FOLDERS.isdisjoint(places):
            yield path, _digest(content)


def _names(tree: Tree) -> steering.Listing:
    def listing(place: str) -> Sequence[str]:
        return [posixpath.basename(path) for path in tree if posixpath.dirname(path) == place]

    return listing


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
