"""Sandboxes: what a run may do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from multiagent_bridge.model.workspaces import Workspace

TIMEOUT, FLOOD, STOPPED = "timeout", "flood", "stopped"
"""Why a run was ended from outside: its time was over, it wrote too much, the hub went away."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one run (SPEC section 3): `seconds` of wall time; `head` and `tail` are the bytes kept of each stream's two
    ends, `flood` the bytes of a stream after which the run is killed.
    """

    seconds: int = 30
    processes: int = 64
    memory: int = 1 << 30
    head: int = 64 << 10
    tail: int = 64 << 10
    flood: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Profile:
    """What a sandbox is on this machine, found by running it. `fingerprint` changes with anything that changes its protection;
    `lacks` are sentences about what it does not stop, shown in every approval; `modes` are those it is good enough for.
    """

    backend: str
    fingerprint: str
    modes: tuple[str, ...]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """What a name means inside a sandbox: the file that would be executed, and its SHA-256."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Confinement:
    """What one run may touch. Without `writable` the workspace is read-only; `identity` is (name, mail) for commits."""

    workspace: Workspace
    writable: bool
    network: bool
    bounds: Bounds
    identity: tuple[str, str] = ("Multiagent Bridge", "bridge@localhost")


@dataclass(frozen=True, slots=True)
class Captured:
    """What one stream brought: its first and last bytes, and how many there were in all. `head` holds all of a short one."""

    head: bytes = b""
    tail: bytes = b""
    total: int = 0

    @property
    def truncated(self) -> bool:
        return self.total > len(self.head) + len(self.tail)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `exit_code` is that of the last step that ran, 128 + N for signal N; `ended` is empty or why
    it was killed.
    """

    exit_code: int
    stdout: Captured
    stderr: Captured
    microseconds: int
    ended: str = ""
