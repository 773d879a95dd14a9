"""A room made by bubblewrap: how each program of a plan is launched in it."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from multiagent_bridge.adapters.sandbox import bubblewrap_arguments as arguments
from multiagent_bridge.adapters.sandbox import seccomp
from multiagent_bridge.adapters.sandbox.bubblewrap_status import Status
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FILE, Mount
from multiagent_bridge.adapters.sandbox.running import Launch
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.sandboxes import Confinement

LAUNCHER = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that bubblewrap itself gets of an environment: what it was started with can be read inside, at its /proc/1."""


@dataclass(frozen=True, slots=True)
class BubblewrapRoom:
    """`program` is bubblewrap; `root` the words that make the root; `folder` a descriptor of the workspace, None for an empty
    one that dies with the room; `by_descriptor`: this bubblewrap can mount what a descriptor stands for.
    """

    program: str
    root: Sequence[str]
    confinement: Confinement
    folder: int | None
    mounts: Sequence[Mount]
    environment: Mapping[str, str]
    user: tuple[int, int] | None
    by_descriptor: bool

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        """Raises Unavailable when descriptors run out."""
        with ExitStack() as given:
            try:
                return self._launched(given, [*arguments.assigned(environment), *argv], cwd)
            except OSError as error:
                raise Unavailable(
                    f"the sandbox could not be built: {error.strerror}", "close other programs"
                ) from error

    def _launched(self, given: ExitStack, argv: Sequence[str], cwd: str) -> Launch:
        inherit: list[int] = []

        def passed(fd: int) -> int:
            given.callback(os.close, fd)
            inherit.append(fd)
            return fd

        words = [*self.root, *self._workspace(passed)]
        hidden = [passed(os.open(os.devnull, os.O_RDONLY)) for mount in self.mounts if mount.kind == EMPTY_FILE]
        words += [*arguments.protected(self.mounts, hidden), *arguments.entered(cwd, self.environment)]
        words += ["--seccomp", str(passed(_memory("filter", seccomp.program())))]
        said, says = os.pipe()
        words += ["--json-status-fd", str(passed(says))]
        content = b"".join(os.fsencode(word) + b"\0" for word in words)
        argued = passed(_memory("arguments", content))
        bounds = self.confinement.bounds
        status = Status(said, bounds.memory, tuple((place, size) for place, _, size in arguments.MEMORY_FOLDERS))
        _start_no_handler()
        given.pop_all()
        return Launch(
            (*arguments.first_to_go(), self.program, "--args", str(argued), "--", *arguments.limited(bounds), *argv),
            LAUNCHER,
            cwd="/",
            inherit=tuple(inherit),
            user=self.user,
            kill=status.dead,
            verdict=status.verdict,
            resident=status.resident,
        )

    def _workspace(self, passed: Callable[[int], int]) -> list[str]:
        path = self.confinement.workspace.path
        if self.folder is None:
            return ["--perms", "0700", "--size", str(1 << 20), "--tmpfs", path]
        kind = "--bind" if self.confinement.writable else "--ro-bind"
        if self.by_descriptor:
            return [f"{kind}-fd", str(passed(os.dup(self.folder))), path]
        return [kind, path, path]


def _memory(name: str, content: bytes) -> int:
    """A descriptor from which `content` can be read."""
    fd = os.memfd_create(name)
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _start_no_handler() -> None:
    """Have what is started from now on inherit the one limit on core files that keeps the kernel from starting a handler."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if soft != 1 and hard != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (1, hard))
