"""A place to attack a Landlock sandbox from: a workspace, and beside it what must stay out of reach."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.sandbox import landlock_rules
from multiagent_bridge.adapters.sandbox.landlock import LandlockSandbox
from multiagent_bridge.testing.sandboxes import Site

USER = 200_000 + os.getpid()
"""As root, whom commands run as: a user of this process alone, since the kernel counts processes by user."""
GROUP = 65534
FILES = ("read", "write", "empty", "opened", "third", "remove", "rename", "linked", "mode", "times", "owner")
SECONDS = 60

NATIVE = landlock_rules.version()
KERNELS = (NATIVE, *(abi for abi in (5, 3, 2, 1) if abi < NATIVE))
"""This kernel's version of Landlock, and older ones that it can stand in for."""


@dataclass(frozen=True)
class Yard:
    """`outside` belongs to the user that commands run as, with a socket in it; `victim` is another process of that user."""

    top: Path
    site: Site
    outside: Path
    victim: subprocess.Popen[bytes]
    socket: socket.socket


@contextmanager
def yard(abi: int = NATIVE) -> Iterator[Yard]:
    with (
        tempfile.TemporaryDirectory(prefix="mab-yard-") as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        top = Path(place).resolve()
        top.chmod(0o755)
        (top / "state").mkdir(0o700)
        folder, outside = top / "workspace", top / "outside"
        for one in (folder, outside):
            one.mkdir(0o755)
        for name in FILES:
            (outside / name).write_text(name)
        listening.bind(str(outside / "socket"))
        listening.setblocking(False)
        own(folder)
        own(outside)
        victim = subprocess.Popen(["sleep", "300"], **as_commands())
        try:
            yield Yard(top, Site(LandlockSandbox(top / "state", query=lambda: abi), folder), outside, victim, listening)
        finally:
            victim.kill()
            victim.wait()


def own(place: Path) -> None:
    """Give it, and all that is in it, to the user that commands run as."""
    if os.geteuid() == 0:
        for one in (place, *place.rglob("*")):
            os.lchown(one, USER, GROUP)


def as_commands() -> dict[str, object]:
    """Arguments of Popen that start a process as the user that commands run as."""
    return {"user": USER, "group": GROUP, "extra_groups": []} if os.geteuid() == 0 else {}


def script(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def running(mark: str) -> list[int]:
    """Processes with `mark` among their words."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]
