"""Machines of a network that can break: network namespaces joined by pairs of virtual cables, all in the kernel of this machine.

Nothing of it has a name outside: a namespace lives as long as the program that holds it, and that ends with the test.
Words that are lost are sent to a hardware address that nobody has; a kernel without `netem` can do that, too.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
"""From sched.h; os.setns came with Python 3.12."""
NOBODY = "02:00:00:00:00:99"
SLOW = ("tbf", "rate", "96kbit", "burst", "1600", "latency", "20s")
"""12 kB a second each way: a send, with its nine round trips, takes about half a second."""


class Machine:
    """One network namespace, held by a program that ends with its standard input."""

    def __init__(self, stack: ExitStack) -> None:
        words = [_program("unshare"), "--net", "cat"]
        self._held = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stack.callback(self._end)
        assert self._held.stdin is not None
        assert self._held.stdout is not None
        assert self._held.stderr is not None
        try:
            # what comes back has been read by a program that is already inside
            self._held.stdin.write(b"there\n")
            self._held.stdin.flush()
            there = self._held.stdout.readline() == b"there\n"
        except BrokenPipeError:
            there = False
        assert there, (
            "these tests need network namespaces of their own, and this machine does not allow them "
            f"(run them as root): {self._held.stderr.read().decode().strip()}"
        )
        self.ip("link", "set", "lo", "up")

    @property
    def pid(self) -> int:
        return self._held.pid

    def ip(self, *words: str) -> Any:
        return self._run(_program("ip"), "-json", *words)

    def tc(self, *words: str) -> None:
        self._run(_program("tc"), *words)

    def within(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread of this machine: the programs that it starts and the sockets that it opens are here."""
        found: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                with Path(f"/proc/{self.pid}/ns/net").open("rb") as namespace:
                    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                found.append(work())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    def _run(self, *words: str) -> Any:
        inside = [_program("nsenter"), f"--net=/proc/{self.pid}/ns/net", *words]
        done = subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip().startswith("[") else None

    def _end(self) -> None:
        self._held.communicate(timeout=60)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable."""

    machine: Machine
    device: str
    address: str
    hardware: str


class Link:
    """A cable between two machines, `near` and `far`. It can be cut, lose what goes one way, or be slow; `heal` mends it."""

    def __init__(self, number: int, near: Machine, far: Machine) -> None:
        device = f"link{number}"
        peer = ("peer", "name", device, "netns", str(far.pid))
        near.ip("link", "add", device, "type", "veth", *peer)
        self.near = self._end(near, device, f"10.77.{number}.1")
        self.far = self._end(far, device, f"10.77.{number}.2")
        self.heal()

    def _end(self, machine: Machine, device: str, address: str) -> End:
        machine.ip("address", "add", f"{address}/24", "dev", device)
        (shown,) = machine.ip("link", "show", "dev", device)
        return End(machine, device, address, shown["address"])

    def cut(self) -> None:
        """The near machine's cable is pulled: it is told at once that nobody can be reached, the far one hears nothing."""
        self.near.machine.ip("link", "set", self.near.device, "down")

    def lose(self, *, to_far: bool = False, to_near: bool = False) -> None:
        """What is sent in that direction is lost without a word."""
        if to_far:
            self._neighbour(self.near, self.far.address, NOBODY)
        if to_near:
            self._neighbour(self.far, self.near.address, NOBODY)

    def slow(self) -> None:
        for end in (self.near, self.far):
            end.machine.tc("qdisc", "replace", "dev", end.device, "root", *SLOW)

    def heal(self) -> None:
        for end, other in ((self.near, self.far), (self.far, self.near)):
            end.machine.ip("link", "set", end.device, "up")
            self._neighbour(end, other.address, other.hardware)
            end.machine.tc("qdisc", "replace", "dev", end.device, "root", "pfifo", "limit", "1000")

    def _neighbour(self, end: End, address: str, hardware: str) -> None:
        end.machine.ip("neigh", "replace", address, "lladdr", hardware, "nud", "permanent", "dev", end.device)


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    with ExitStack() as stack:
        yield [Machine(stack) for _ in range(count)]


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
    assert found, f"{name} is not on this machine: install iproute2 and util-linux"
    return found
