"""git as a store of objects: a clean environment, our own configuration, a bounded time, and no work tree but one of ours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from multiagent_bridge.adapters.blocking import Watch
from multiagent_bridge.errors import Unavailable

LEAST = (2, 26)
"""The first git whose check-ignore does not report what a later rule takes back (its release notes of 2020)."""

HINT = "install git 2.26 or later, then repeat the call"

_QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
    # an older git has no GIT_CONFIG_GLOBAL
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
}

CONFIGURATION = """\
[core]
\trepositoryformatversion = 0
\tbare = false
\tfileMode = true
\tsymlinks = true
\tautocrlf = false
\tfsmonitor = false
\tuntrackedCache = false
\tprotectHFS = false
\tprotectNTFS = false
\tlogAllRefUpdates = false
\thooksPath = /dev/null
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tcompression = 1
[gc]
\tauto = 0
\tpackRefs = false
[maintenance]
\tauto = false
[commit]
\tgpgSign = false
"""
ATTRIBUTES = "* -text !eol -filter -ident -working-tree-encoding -diff -merge\n"
"""No content is changed on its way in or out, whatever asks for it."""


_FULL = re.compile(rb"no space left|disk ?space|quota|file too large", re.IGNORECASE)


class Git:
    """One shadow repository. Everything it is asked runs in the calling thread, within the time of `watch`.

    `held` is the lock it works under, which each git holds too: when we are killed, nobody comes in before it has ended.
    """

    def __init__(self, directory: Path, watch: Watch, held: int | None = None) -> None:
        self.directory = directory
        self.held = held
        self._watch = watch
        self._program = program()

    def create(self) -> None:
        """Make the repository whole or not at all."""
        draft = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.run("init", "--quiet", "--bare", "--template=", str(draft))
        (draft / "info").mkdir(mode=0o700, exist_ok=True)
        written(draft / "info" / "attributes", ATTRIBUTES.encode())
        written(draft / "config", CONFIGURATION.encode())
        draft.rename(self.directory)

    def run(self, *arguments: str, sent: bytes = b"", fine: Sequence[int] = (0,), at: Path | None = None) -> bytes:
        """What it printed. Raises Unavailable when it fails with a status that is not `fine`."""
        with self.started(*arguments, at=at) as child:
            printed, complaint = child.communicate(sent)
        self.ended(child, complaint, fine)
        return printed

    @contextmanager
    def started(self, *arguments: str, at: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """A running git with pipes to and from it; killed at the end if it has not ended."""
        self._watch.check()
        with self._watch.over(
            subprocess.Popen(
                [self._program, f"--git-dir={self.directory}", *arguments],
                cwd=at or self.directory.parent,
                env={**_QUIET, "PATH": os.defpath},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=() if self.held is None else (self.held,),
                start_new_session=True,
                umask=0o077,
            )
        ) as child:
            yield child

    def ended(self, child: subprocess.Popen[bytes], complaint: bytes, fine: Sequence[int] = (0,)) -> None:
        """Raises Unavailable unless the child ended well, Stopped when nobody waits any more."""
        status = child.returncode
        if status in fine:
            return
        self._watch.check()
        if status == -signal.SIGXFSZ or _FULL.search(complaint):
            raise Unavailable("the disk is full, so no snapshot was taken", "free some space, then repeat the call")
        raise Unavailable(
            f"git could not keep the snapshot (status {status})", "look at the state directory: mab doctor"
        )


def written(path: Path, content: bytes) -> None:
    """Write a file of ours, closed to others whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


@lru_cache(maxsize=1)
def program() -> str:
    """The git of this machine. Raises Unavailable when there is none that will do."""
    places = [place for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place.startswith("/")]
    found = shutil.which("git", path=os.pathsep.join(places))
    if found is None:
        raise Unavailable("snapshots need git, and there is none here", HINT)
    try:
        said = subprocess.run(
            [found, "version"],
            env={**_QUIET, "PATH": os.defpath},
            capture_output=True,
            timeout=20,
            check=False,
            cwd="/",
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("the git of this machine does not run", HINT) from error
    number = re.search(rb"(\d+)\.(\d+)", said)
    if number is None or (int(number[1]), int(number[2])) < LEAST:
        raise Unavailable("the git of this machine is too old for snapshots", HINT)
    return found
