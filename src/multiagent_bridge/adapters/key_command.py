"""The master key from a command of the user's own, such as that of a password store or a key service: no shell, bounded."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from multiagent_bridge.errors import Invalid, Unavailable

SECONDS = 10.0
"""The longest that the command may take."""

OUTPUT_BYTES = 4096
_SAID_CHARACTERS = 200
_KEYLIKE = re.compile(r"[0-9A-Fa-f]{32,}")
_HINT = "run the command yourself; it must print the key, 64 hex characters, and nothing else"


def printed(line: str, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> bytes:
    """What the command prints. It runs in `/`, without a terminal, in a session of its own, which is killed at the end.

    Raises Invalid for a line that is no command, Unavailable when it cannot start, fails, takes longer or prints too much.
    """
    argv = _words(line)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Unavailable(f"the command of the master key does not start: {argv[0]}", _HINT) from error
    deadline = clock() + seconds
    try:
        out, said = _read(child, deadline, clock)
        status = child.wait(max(0.0, deadline - clock()))
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"the command of the master key took longer than {seconds:g} s", _HINT) from error
    finally:
        _end(child)
    if status:
        raise Unavailable(f"the command of the master key failed with status {status}{_shown(said)}", _HINT)
    return out


def _words(line: str) -> list[str]:
    try:
        argv = shlex.split(line)
    except ValueError as error:
        raise Invalid(
            "the command of the master key has an open quotation", "quote its words as a shell would"
        ) from error
    if not argv:
        raise Invalid("the command of the master key is empty", "such as command:pass show bridge")
    if "/" in argv[0] and not Path(argv[0]).is_absolute():
        raise Invalid("the command of the master key begins with a relative path", "name the program by its whole path")
    return argv


def _read(child: subprocess.Popen[bytes], deadline: float, clock: Callable[[], float]) -> tuple[bytes, bytes]:
    """Both streams to their ends. A stream that somebody else still holds open is waited for no longer than the deadline."""
    assert child.stdout is not None
    assert child.stderr is not None
    kept = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - clock()
            if left <= 0:
                raise subprocess.TimeoutExpired(child.args, 0)
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, OUTPUT_BYTES)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    kept[child.stderr] += chunk[: OUTPUT_BYTES - len(kept[child.stderr])]
                elif len(kept[child.stdout]) + len(chunk) > OUTPUT_BYTES:
                    raise Unavailable(f"the command of the master key prints more than {OUTPUT_BYTES} bytes", _HINT)
                else:
                    kept[child.stdout] += chunk
    return bytes(kept[child.stdout]), bytes(kept[child.stderr])


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave nothing of it behind, what it started in its session included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def _shown(said: bytes) -> str:
    """What it said of its failure, on one line, without anything that could be a key."""
    text = " ".join(said.decode("utf-8", "replace").split())
    text = "".join(letter for letter in _KEYLIKE.sub("[hidden]", text) if letter.isprintable())
    return f": {text[:_SAID_CHARACTERS]}" if text else ""
