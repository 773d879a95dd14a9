"""Run inside a sandbox (or without one, for comparison): tries what a program could do to what is not its own.

`python3 landlock_reach.py OUTSIDE VICTIM` prints the names of the attempts that succeeded, as JSON. OUTSIDE is a folder of the
same user with one file for each attempt, VICTIM the number of another process of that user. Standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import sys
from collections.abc import Callable

outside, victim = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
attempts: dict[str, Callable[[], object]] = {}


def attempt(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    def noted(act: Callable[[], object]) -> Callable[[], object]:
        attempts[name] = act
        return act

    return noted


def file(name: str) -> str:
    return os.path.join(outside, name)


def content(path: str) -> bytes:
    return os.read(os.open(path, os.O_RDONLY), 100)


def call(name: str, *words: object) -> int:
    answer = int(getattr(libc, name)(*words))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


# files
attempts["read"] = lambda: content(file("read"))
attempts["write"] = lambda: os.close(os.open(file("write"), os.O_WRONLY))
attempts["list"] = lambda: os.listdir(outside)
attempts["empty by name"] = lambda: os.truncate(file("empty"), 0)
attempts["empty by opening to read"] = lambda: os.open(file("opened"), os.O_RDONLY | os.O_TRUNC)
attempts["empty by an access mode of its own"] = lambda: os.open(file("third"), 3 | os.O_TRUNC)
attempts["open for neither reading nor writing"] = lambda: os.open(file("third"), 3)
attempts["make a file"] = lambda: os.close(os.open(file("new"), os.O_CREAT | os.O_WRONLY, 0o600))
attempts["make a folder"] = lambda: os.mkdir(file("folder"))
attempts["make a link"] = lambda: os.symlink("/etc/passwd", file("link"))
attempts["make a socket"] = lambda: os.mknod(file("mknod"), 0o140600)
attempts["remove"] = lambda: os.unlink(file("remove"))
attempts["rename"] = lambda: os.rename(file("rename"), file("renamed"))
attempts["a second name in the workspace"] = lambda: os.link(file("linked"), "linked")
attempts["memory of all programs"] = lambda: os.mkdir("/dev/shm/mab-attack") or os.rmdir("/dev/shm/mab-attack")
attempts["the shared folder"] = lambda: os.mkdir("/tmp/mab-attack") or os.rmdir("/tmp/mab-attack")
attempts["the terminal"] = lambda: os.open("/dev/tty", os.O_RDWR)
attempts["permissions"] = lambda: os.chmod(file("mode"), 0o666)
attempts["times"] = lambda: os.utime(file("times"), (0, 0))
attempts["owner"] = lambda: os.chown(file("owner"), os.getuid(), os.getgid())
attempts["size"] = lambda: os.stat(file("read")).st_size


@attempt("permissions through a descriptor")
def _() -> object:
    return os.fchmod(os.open(file("third"), 3), 0o666)


@attempt("watch")
def _() -> object:
    return call("inotify_add_watch", call("inotify_init"), outside.encode(), 0xFFF)


# other programs
attempts["signal"] = lambda: os.kill(victim, 0)
attempts["signal by descriptor"] = lambda: signal.pidfd_send_signal(os.pidfd_open(victim), 0)
attempts["the one who started it"] = lambda: os.kill(os.getppid(), 0)
attempts["command lines"] = lambda: content(f"/proc/{victim}/cmdline")
attempts["environments"] = lambda: content(f"/proc/{victim}/environ")
attempts["open files"] = lambda: os.listdir(f"/proc/{victim}/fd")
attempts["limits"] = lambda: resource.prlimit(victim, resource.RLIMIT_CPU, (1000, 1000))
attempts["priority"] = lambda: os.setpriority(os.PRIO_PROCESS, victim, 19)
attempts["priority of all"] = lambda: os.setpriority(os.PRIO_USER, 0, 0)
attempts["processors"] = lambda: os.sched_setaffinity(victim, os.sched_getaffinity(victim))
attempts["scheduling"] = lambda: os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0))
attempts["input and output priority"] = lambda: call(
    "syscall", ctypes.c_long({"x86_64": 251, "aarch64": 30}[platform.machine()]), 1, victim, 3 << 13
)
attempts["trace"] = lambda: call("ptrace", 0x4206, victim, 0, 0)


@attempt("a signal when something is ready")
def _() -> object:
    """The judgement may come when it is sent: whether the victim lives is what counts."""
    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, fcntl.F_SETOWN, victim)
    fcntl.fcntl(ours, 10, signal.SIGUSR1)
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    theirs.send(b"x")
    return True


# ways between programs
attempts["internet"] = lambda: socket.socket()
attempts["internet datagrams"] = lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
attempts["netlink"] = lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
attempts["unix"] = lambda: socket.socket(socket.AF_UNIX)
attempts["shared memory"] = lambda: call("shmctl", call("shmget", 0, 4096, 0o1600), 0, None)
attempts["semaphores"] = lambda: call("semctl", call("semget", 0, 1, 0o1600), 0, 0, 0)
attempts["message queues"] = lambda: call("msgctl", call("msgget", 0, 0o1600), 0, None)


@attempt("named queues")
def _() -> object:
    call("mq_open", b"/mab-attack", os.O_CREAT | os.O_RDWR, 0o600, None)
    return call("mq_unlink", b"/mab-attack")


@attempt("a datagram to a socket outside")
def _() -> object:
    """A pair needs no `socket`, and a datagram names its receiver itself."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", file("socket"))


@attempt("a raw pair")
def _() -> object:
    """The kernel makes it a pair for datagrams."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)[0].sendto(b"x", file("socket"))


# the kernel
attempts["become root"] = lambda: os.setuid(0)
attempts["other groups"] = lambda: os.setgroups([0])
attempts["a user namespace"] = lambda: call("unshare", 0x10000000)
attempts["a mount"] = lambda: call("mount", b"none", b".", b"tmpfs", 0, None)
attempts["another root"] = lambda: os.chroot("/")

reached = []
for name, act in attempts.items():
    try:
        act()
    except OSError:
        continue
    reached.append(name)
print(json.dumps({"reached": reached, "tried": len(attempts)}))
