"""The program that stands over one confined program: `python -I -S landlock_supervisor.py SLATE LIFELINE REPORT`.

Standard library alone, since it starts without the package. Three processes: the *leader*, which the hub started; the
*warden*, its child in a session of its own, which starts the command and kills its whole tree when it has ended, or when
leader or hub are gone; and the *command*, which gives up every right before it becomes the program. Leader and warden both
adopt orphans, so that whichever of them is killed, the other ends what is left.

SLATE is a file whose first 8 bytes are the warden's number, once there is one, and the rest a marshalled order; LIFELINE a
pipe whose other end only the hub holds; REPORT a pipe that says `+` once every right is given up, or why that failed, and
that ends with the tree.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # at run time it would cost as much as the interpreter's start
    from typing import Any

SIGPIPE, SIGXFSZ, SIGKILL, SIGSTOP = 13, 25, 9, 19
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = (
    1,
    4,
    22,
    36,
    38,
    47,
)
SECCOMP_MODE_FILTER = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, PIDFD_OPEN, RULE_PATH_BENEATH = 444, 445, 446, 434, 1
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522
O_PATH = 0o10000000
NUMBER = 8
"""Bytes at the start of the slate that hold the warden's number, which leads to the whole tree."""
TICK = 0.1
"""Seconds between two looks for orphans that have ended."""
NOT_STARTED = 125

libc = ctypes.CDLL(None, use_errno=True)


class Rule(ctypes.Structure):
    """`struct landlock_path_beneath_attr` (linux/landlock.h), which is packed."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class Program(ctypes.Structure):
    """`struct sock_fprog` (linux/filter.h)."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def called(number: int, *words: object) -> int:
    """A system call. Raises OSError."""
    return checked(libc.syscall(ctypes.c_long(number), *words))


def checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def prctl(option: int, *words: int) -> None:
    checked(libc.prctl(option, *(ctypes.c_ulong(word) for word in (*words, 0, 0, 0, 0)[:4])))


def lead(slate: int, lifeline: int, report: int) -> int:
    """The leader: start the warden, wait for it, end what it should have ended. Returns the command's status."""
    size = os.fstat(slate).st_size - NUMBER
    order = marshal.loads(os.pread(slate, size, NUMBER))  # noqa: S302 (written by the hub, in a file without a name)
    try:
        drop(order["identity"])
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        alive, ours = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        os.write(report, f"-giving up rights: {error.strerror}".encode())
        return NOT_STARTED
    warden = os.fork()
    if warden == 0:
        status = NOT_STARTED
        try:
            os.close(ours)
            os.setsid()
            status = guard(order, slate, (lifeline, alive), report)
        finally:
            os._exit(status)
    silence()
    os.close(alive)
    status = os.waitstatus_to_exitcode(os.waitpid(warden, 0)[1])
    bury()
    # what a shell answers for a program that a signal ended
    return status if status >= 0 else 128 - status


def guard(order: dict[str, Any], slate: int, lifelines: tuple[int, int], report: int) -> int:
    """The warden: start the command and see it end, or end it. Returns its status."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    warden = os.getpid()
    command = os.fork()
    if command == 0:
        try:
            become(order, warden, report)
        finally:
            os._exit(NOT_STARTED)
    silence()
    ended = called(PIDFD_OPEN, command, 0)
    poll = select.poll()
    for fd in (*lifelines, ended):
        poll.register(fd, select.POLLIN)
    status = 128 + SIGKILL
    os.pwrite(slate, os.getpid().to_bytes(NUMBER, "little"), 0)
    while not (ready := dict(poll.poll(TICK * 1000))):
        reap_all_but(command)
    if ended in ready:
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        status = code if code >= 0 else 128 - code
    bury()
    return status


def become(order: dict[str, Any], warden: int, report: int) -> None:
    """Give up every right that `order` does not name, then become the program. Returns only when that failed."""
    stage = "leaving the session"
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != warden:
            return
        stage = "setting limits"
        be_first_to_go()
        for name, most in order["limits"].items():
            limit(name, most)
        stage = "giving up privileges"
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        powerless()
        stage = "entering the workspace"
        workspace = enter(order["workspace"])
        os.chdir(order["cwd"])
        stage = "restricting files"
        if order["handled"]:
            restrict(order["handled"], order["rules"], workspace)
        stage = "filtering system calls"
        for filters in order["filters"]:
            filter_calls(filters)
        stage = "executing it"
        for number in (SIGPIPE, SIGXFSZ):
            # Python ignores both, and what is ignored stays so in what is executed
            libc.signal(number, None)
        os.set_inheritable(report, False)
        keep(report)
        os.write(report, b"+")
        os.execve(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 (there is no shell)
    except OSError as error:
        os.write(report, f"-{stage}: {error.strerror}".encode())


def be_first_to_go() -> None:
    """When memory runs out, this ends before its warden does. A courtesy, which some containers do not allow."""
    try:
        # who has changed user may not write its own files in /proc
        prctl(PR_SET_DUMPABLE, 1)
        likely = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(likely, b"1000")
    except OSError:
        return


def drop(identity: tuple[int, int] | None) -> None:
    """Become that user for good, in no other group."""
    if identity is not None:
        os.setgroups([])
        os.setresgid(identity[1], identity[1], identity[1])
        os.setresuid(identity[0], identity[0], identity[0])
    if 0 in os.getresuid():
        raise PermissionError(1, "still root")


def powerless() -> None:
    """Leave no capability to a program that some grants surround (a service started with ambient ones)."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    called(CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)())


def limit(name: str, most: int) -> None:
    """Set a limit, never above what we were given."""
    if name == "NPROC":
        most += tasks_of(os.getuid())
    which = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(which)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


def tasks_of(uid: int) -> int:
    """Threads that the user has now: the kernel counts those of all programs against the limit."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.lstat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue
    return count


def enter(workspace: tuple[bytes, int, int]) -> int:
    """A descriptor of the workspace, if it is the one that was meant. Raises OSError."""
    path, device, inode = workspace
    fd = os.open(path, O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) != (device, inode):
        raise FileNotFoundError(2, "another folder lies where the workspace was")
    return fd


def restrict(handled: bytes, rules: list[tuple[bytes, int, int]], workspace: int) -> None:
    """Take away every right of `handled` but those of `rules`: (path, rights in a folder, rights on a file).

    A relative path lies in the workspace, and no link is followed on the way to it. What is not there is left out.
    """
    ruleset = called(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    for path, folder, file in rules:
        fd = opened(path, workspace)
        if fd is None:
            continue
        # a directory is 0o04, a link 0o12 of the file types; a rule on a link would mean nothing
        kind = os.fstat(fd).st_mode >> 12
        rights = 0 if kind == 0o12 else folder if kind == 0o04 else file
        if rights:
            called(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(Rule(rights, fd)), 0)
        os.close(fd)
    called(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def opened(path: bytes, workspace: int) -> int | None:
    """A descriptor that names `path` without opening it; None when it is not there."""
    try:
        if path.startswith(b"/"):
            return os.open(path, O_PATH | os.O_CLOEXEC)
        at = os.dup(workspace)
        for part in path.split(b"/"):
            try:
                after = os.open(part, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            finally:
                os.close(at)
            at = after
        return at
    except OSError:
        return None


def filter_calls(instructions: bytes) -> None:
    """Install a seccomp filter: `struct sock_filter` one after the other, 8 bytes each."""
    program = Program(len(instructions) // 8, instructions)
    checked(libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0))


def keep(only: int) -> None:
    """Close every descriptor but the standard ones and `only`."""
    os.closerange(3, only)
    os.closerange(only + 1, 65_536)


def silence() -> None:
    """Let go of the program's streams, so that its readers and writers notice when it has ended."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, content(f"/proc/{pid}/task/{task}/children").split())
    except OSError:
        # it has just ended
        return found
    return found


def content(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 65_536)
    finally:
        os.close(fd)


def tree() -> list[int]:
    """Every descendant of this process."""
    found = children(os.getpid())
    for pid in found:
        found += children(pid)
    return found


def reap_all_but(command: int) -> None:
    """Wait for orphans that have ended, while the command itself is left for its own waiting."""
    for pid in children(os.getpid()):
        if pid != command:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def bury() -> None:
    """Kill the tree until nothing of it is left. Orphans become our children, so no child means no descendant."""
    while True:
        stopped: set[int] = set()
        while fresh := set(tree()) - stopped:
            # stopped first: a process that forks faster than it is found would outrun its killer
            for pid in fresh:
                send(pid, SIGSTOP)
            stopped |= fresh
        for pid in stopped:
            send(pid, SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        select.poll().poll(1)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(lead(*map(int, sys.argv[1:4])))
