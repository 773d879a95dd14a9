"""Wakers: what waits for mail beside an idle agent. One a session, by a lock; none in a headless run."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from multiagent_bridge.cli.verdicts import ANSWER_SECONDS, Failed, Refused, connected, verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    Reason = Callable[[Sequence[Mapping[str, Any]]], str]

WAKER_SECONDS = 3540.0
"""A waker leaves before the client's own limit of an hour ends it."""

AGED_SECONDS = 600.0
"""A waker that has waited so long makes way for the next stop's: else one armed long ago would leave soon after that stop."""

LOOK_SECONDS = 2.0
"""How often a waker looks whether its client is still there."""

WAKE_STATUS = 2
"""By which a waker says that its client wakes the idle agent with what stands on stderr."""

DISMISS_SECONDS = 1.0
HOLDER_BYTES = 20


def wake(client: str, name: str, told: Mapping[str, Any], reason: Reason) -> int:
    """Wait for mail beside an idle agent whose client waits for this process. Returns 0, or the status that wakes it."""
    if client == "claude" and os.environ.get("CLAUDE_CODE_ENTRYPOINT", "").startswith("sdk"):
        return 0
    lock = locked(whose(name, told))
    if lock is None and _aged(whose(name, told)):
        dismiss(name, told)
        lock = locked(whose(name, told))
    if lock is None:
        return 0
    signal.signal(signal.SIGTERM, ended)
    try:
        found = awaited(name, _orphaned, WAKER_SECONDS)
        if found:
            sys.stderr.write(reason(found) + "\n")
            sys.stderr.flush()
            return WAKE_STATUS
    finally:
        unlocked(lock)
    return 0


def dismiss(name: str, told: Mapping[str, Any]) -> None:
    """End the waker of this session, if there is one: its agent is at work, or its session is over. Raises OSError."""
    mine = whose(name, told)
    lock = locked(mine)
    if lock is None:
        # who holds the lock wrote its id there
        holder = _holder(mine)
        if _is_waker(holder):
            os.kill(holder, signal.SIGTERM)
        ends = time.monotonic() + DISMISS_SECONDS
        while lock is None and time.monotonic() < ends:
            time.sleep(0.005)
            lock = locked(mine)
    if lock is not None:
        unlocked(lock)


def ended(number: int, frame: object) -> None:
    """The client, or `mab hook` at its next prompt, ends the waker: the lock goes with it."""
    raise SystemExit(0)


def awaited(name: str, gone: Callable[[], bool], seconds: float) -> Sequence[Mapping[str, Any]]:
    """The mail that wakes the agent; none when its client is gone or the time is over. Raises Refused."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not gone():
        found = _waited(name, ends, gone)
        if found is not None and found["wake"]:
            # between the last look and the mail the client may have left
            return () if gone() else list(found["wake"])
    return ()


def _waited(name: str, ends: float, gone: Callable[[], bool]) -> dict[str, Any] | None:
    """The hub's verdict once there is mail; None when it left, or the client did, or the time is over. Raises Refused."""
    try:
        connection = connected("wake", name)
    except Failed:
        # it comes back with the next call of an agent
        time.sleep(LOOK_SECONDS)
        return None
    with connection:
        connection.settimeout(ANSWER_SECONDS)
        while time.monotonic() < ends and not gone():
            if select.select([connection], [], [], LOOK_SECONDS)[0]:
                try:
                    return verdict(connection, "wake", name)
                except Refused:
                    raise
                except Failed:
                    time.sleep(LOOK_SECONDS)
                    return None
    return None


def _orphaned() -> bool:
    """Whether nobody reads our stderr any more: the client is gone, and nobody is left to wake."""
    look = select.poll()
    look.register(2, 0)
    return any(state & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, state in look.poll(0))


def whose(name: str, told: Mapping[str, Any]) -> str:
    """Whom a lock is for: the agent of that name in the session that the client told of."""
    return f"{name}\n{told.get('session_id', '')}"


def _file(owner: str) -> str:
    import hashlib

    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:24] + ".lock"


def _folder() -> Path:
    from pathlib import Path

    from multiagent_bridge.shim import hub

    return Path(hub.home()) / "wakers"


def locked(owner: str) -> tuple[int, Path] | None:
    """The lock of this session's one waker; None when another has it. Raises OSError."""
    import fcntl

    folder, file = _folder(), _file(owner)
    folder.mkdir(mode=0o700, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        held = os.open(file, flags, 0o600, dir_fd=directory)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # another may have taken the file away between our opening and our locking it
            if os.stat(file, dir_fd=directory, follow_symlinks=False).st_ino == os.fstat(held).st_ino:
                # as wide as what is read of it: the id that a killed waker left may be longer
                os.write(held, b"%-*d\n" % (HOLDER_BYTES - 1, os.getpid()))
                return held, folder / file
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(held)
        return None
    finally:
        os.close(directory)


def unlocked(lock: tuple[int, Path]) -> None:
    """Give the lock up."""
    held, path = lock
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(held)


def _holder(owner: str) -> int:
    """The process that wrote its id into the lock; 0 when none did."""
    try:
        file = os.open(_folder() / _file(owner), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as read:
            return int(read.read(HOLDER_BYTES) or b"0")
    except (OSError, ValueError):
        return 0


def _aged(owner: str) -> bool:
    """Whether who holds the lock has held it for long: it wrote its id there when it took it."""
    try:
        return time.time() - (_folder() / _file(owner)).lstat().st_mtime > AGED_SECONDS
    except OSError:
        return False


def _is_waker(process: int) -> bool:
    """Whether that process is one of ours, as far as the system tells: a lock that was planted ends nobody else."""
    from pathlib import Path

    try:
        words = Path("/proc", str(process), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return not Path("/proc/self").is_dir()
    return b"hook" in words and b"--as" in words
