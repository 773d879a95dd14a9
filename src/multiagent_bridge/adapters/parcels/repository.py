"""A git repository as a place for files: objects are read and written, nothing is ever checked out.

So no link is followed, no filter or attribute obeyed and no hook of a clone run: there is no work tree for any of it. The
one local repository is bare and ours, and what its configuration says stands before the user's own.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.parcels.remotes import Remote
from multiagent_bridge.errors import Conflict, Refused, Unavailable
from multiagent_bridge.model.parcels import SEALED_BYTES

SECONDS = 30.0
"""Longest that one call of git may take."""

PACK_BYTES = 64 << 20
"""Largest pack that is fetched: the newest tree, and nothing of its history."""

LIMITED = 'ulimit -f {} && {{ ulimit -v 4194304 2>/dev/null; exec git "$@"; }}'
"""A pack that grows beyond bounds ends its writer (in units of 512 bytes), and so does one that unfolds beyond 4 GiB of
memory (in KiB, where the shell knows the limit).
"""

SAID_BYTES = 1 << 20
PACKS = 40
"""With more packs than this the local repository is made anew: it holds nothing that is not elsewhere too."""

TRIES = 20
"""Pushes that may be overtaken by somebody else's before we give up."""

TIP = "refs/mab/tip"
PLAIN = b"100644"
"""The mode of a plain file in a tree."""

_OBJECT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OVERTAKEN = re.compile(
    rb"\[rejected\]|\((?:fetch first|non-fast-forward|stale info|reference already exists|failed to update ref"
    rb"|cannot lock ref|incorrect old value)|cannot lock ref"
)
_OURS = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CONFIG_HOME",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

CONFIGURATION = """\
[core]
\trepositoryformatversion = 0
\tbare = true
\thooksPath = /dev/null
\tattributesFile = /dev/null
\tfsmonitor = false
\tsymlinks = false
\tlogAllRefUpdates = false
\tbigFileThreshold = 1m
\teditor = false
\taskPass =
[transfer]
\tfsckObjects = true
[fetch]
\tunpackLimit = 1
\trecurseSubmodules = no
\twriteCommitGraph = false
[push]
\trecurseSubmodules = no
\tgpgSign = false
\tfollowTags = false
[credential]
\tinteractive = never
[gc]
\tauto = 0
[maintenance]
\tauto = false
[protocol "ext"]
\tallow = never
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a git ended, and what it printed."""

    status: int
    out: bytes
    complaint: bytes


class Repository:
    """One branch of a repository elsewhere, seen through a bare repository of ours. One process at a time (the caller's lock)."""

    def __init__(self, folder: Path, remote: Remote, branch: str, seconds: float = SECONDS) -> None:
        self._folder = folder
        self._remote = remote
        self._ref = f"refs/heads/{branch}"
        self._seconds = seconds

    async def read(self, path: str) -> bytes | None:
        """The file as it is there now; None when there is none, or no such branch. Raises Unavailable, Refused."""
        tip = await self._fetched()
        if tip is None:
            return None
        listed = (await self._git("ls-tree", "-z", tip, "--", path)).out.partition(b"\0")[0]
        if not listed:
            return None
        found = re.fullmatch(rb"(\d{6}) (\w+) ([0-9a-f]{40,64})\t(.*)", listed, re.DOTALL)
        if not found or found[1] != PLAIN or found[2] != b"blob" or found[4] != os.fsencode(path):
            raise Refused(f"{path} of the repository is no plain file", "look who put it there")
        name = found[3].decode()
        size = int((await self._git("cat-file", "-s", name)).out)
        if size > SEALED_BYTES:
            raise Refused(f"{path} of the repository has {size:,} bytes", f"credentials have at most {SEALED_BYTES:,}")
        return (await self._git("cat-file", "blob", name)).out

    async def write(self, files: Mapping[str, bytes], message: str) -> str:
        """Put the files there beside what others put, as one commit. Returns it. Raises Unavailable, Refused, Conflict."""
        for _ in range(TRIES):
            tip = await self._fetched()
            commit = await self._committed(tip, files, message)
            words = ("push", "--quiet", "--porcelain", "--no-verify", "--no-signed", "--", self._remote.url)
            said = await self._git(*words, f"{commit}:{self._ref}", fine=None)
            if said.status == 0:
                return commit
            if not _OVERTAKEN.search(said.out + said.complaint):
                raise self._failed(said, "does not take the credentials")
        raise Conflict("others push to the repository without a pause", "try again")

    async def _committed(self, tip: str | None, files: Mapping[str, bytes], message: str) -> str:
        """A commit on top of `tip`, or the first one. Only the folders on the way are read: the rest may be endless."""
        tree = await self._with(f"{tip}^{{tree}}" if tip else None, {tuple(p.split("/")): c for p, c in files.items()})
        parents = ("-p", tip) if tip else ()
        said = await self._git("commit-tree", "--no-gpg-sign", *parents, tree, sent=message.encode())
        return said.out.decode().strip()

    async def _with(self, tree: str | None, files: Mapping[tuple[str, ...], bytes]) -> str:
        """The tree with these files in it, each named by its way from there. Raises Refused when something lies in the way."""
        listed = (await self._git("ls-tree", "-z", tree)).out if tree else b""
        rows = {row.partition(b"\t")[2]: row for row in listed.split(b"\0") if row}
        for name in {way[0] for way in files}:
            there = rows.get(name.encode(), b"")
            below = {way[1:]: content for way, content in files.items() if way[0] == name}
            if () in below:
                fine, mode, kind = there.split(b" ")[1:2] in ([], [b"blob"]), PLAIN.decode(), "blob"
                made = (await self._git("hash-object", "-w", "--stdin", sent=below[()])).out.decode().strip()
            else:
                fine, mode, kind = there.split(b" ")[1:2] in ([], [b"tree"]), "040000", "tree"
                made = (
                    await self._with(there.split(b" ")[2].partition(b"\t")[0].decode() if there else None, below)
                    if fine
                    else ""
                )
            if not fine:
                raise Refused(f"{name} has no place in the repository", "something else of that name lies in its way")
            rows[name.encode()] = f"{mode} {kind} {made}\t{name}".encode()
        return (
            (await self._git("mktree", "-z", sent=b"".join(row + b"\0" for row in rows.values()))).out.decode().strip()
        )

    async def _fetched(self) -> str | None:
        """The newest commit of the branch, there to be read; None without such a branch. History may have been rewritten."""
        await self._ready()
        tip = await self._tip()
        if tip is None:
            return None
        if (await self._git("rev-parse", "--verify", "--quiet", TIP, fine=(0, 1))).out.decode().strip() != tip:
            words = ("fetch", "--quiet", "--no-tags", "--depth=1", "--no-recurse-submodules", "--no-auto-gc")
            said = await self._git(
                *words, "--no-write-fetch-head", "--", self._remote.url, f"+{self._ref}:{TIP}", fine=None
            )
            if said.status:
                if self._swept() >= PACK_BYTES:
                    most = f"{PACK_BYTES >> 20} MiB"
                    raise Refused(
                        f"the newest tree of the repository is larger than {most}", "use one for credentials alone"
                    )
                raise self._failed(said, "cannot be fetched")
        return (await self._git("rev-parse", "--verify", TIP)).out.decode().strip()

    async def _tip(self) -> str | None:
        """What the branch is over there. Raises Unavailable."""
        said = await self._git("ls-remote", "--quiet", "--", self._remote.url, self._ref, fine=None)
        if said.status:
            raise self._failed(said, "cannot be reached")
        for line in said.out.splitlines():
            name, _, ref = line.partition(b"\t")
            if ref == self._ref.encode() and _OBJECT.fullmatch(name):
                return name.decode()
        return None

    async def _ready(self) -> None:
        """The local repository, made whole or not at all; anew when it has grown or was left locked. Raises Unavailable."""
        draft = self._folder.with_name(self._folder.name + ".new")
        try:
            shutil.rmtree(draft, ignore_errors=True)
            if self._spent():
                # out of the way in one step: a half of it would be in the way for ever
                self._folder.rename(draft)
                shutil.rmtree(draft)
            if self._folder.is_dir():
                return
            draft.mkdir(mode=0o700, parents=True)
            await self._git(
                "-c", "core.hooksPath=/dev/null", "init", "--quiet", "--bare", "--template=", str(draft), at=draft
            )
            (draft / "config").write_text(CONFIGURATION, "ascii")
            draft.rename(self._folder)
        except OSError as error:
            raise Unavailable(
                f"{self._folder} cannot be made: {(error.strerror or '').lower()}", "mab doctor"
            ) from error

    def _spent(self) -> bool:
        """Whether it has grown, or a git that was killed in it left a lock, which every later one would meet."""
        locks = [*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock")]
        return bool(locks) or len(list(self._folder.glob("objects/pack/*.pack"))) > PACKS

    def _swept(self) -> int:
        """Remove what a fetch that failed left half done. Returns the bytes of the largest of it."""
        largest = 0
        for left in self._folder.glob("objects/pack/tmp_*"):
            largest = max(largest, left.stat().st_size)
            left.unlink(missing_ok=True)
        return largest

    async def _git(
        self,
        *words: str,
        sent: bytes = b"",
        fine: Sequence[int] | None = (0,),
        at: Path | None = None,
    ) -> Said:
        """Run git in a session of its own, so that it has no terminal to ask at. Raises Unavailable unless `fine` (None: any)."""
        where = () if at else (f"--git-dir={self._folder}",)
        try:
            child = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", LIMITED.format(PACK_BYTES // 512), "git", *where, "--literal-pathspecs", *words,
                cwd=at or self._folder,
                env=environment(self._remote),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                umask=0o077,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(
                f"git cannot be run: {(error.strerror or '').lower()}", "install git 2.29 or later"
            ) from error
        said = await self._ended(child, sent)
        if said.status == 127:
            raise Unavailable("there is no git here", "install git 2.29 or later")
        if fine is not None and said.status not in fine:
            raise self._failed(said, "cannot be used")
        return said

    async def _ended(self, child: asyncio.subprocess.Process, sent: bytes) -> Said:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            async with asyncio.timeout(self._seconds):
                child.stdin.write(sent)
                child.stdin.close()
                out, complaint = await asyncio.gather(_read(child.stdout), _read(child.stderr))
                return Said(await child.wait(), out, complaint)
        except TimeoutError as error:
            where = self._remote.shown
            raise Unavailable(f"{where} does not answer within {self._seconds:g} s", "is it reachable?") from error
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()

    def _failed(self, said: Said, what: str) -> Unavailable:
        """Why, in the words of git itself: what the other side printed is not repeated."""
        lines = [
            *said.out.decode("utf-8", "replace").splitlines(),
            *said.complaint.decode("utf-8", "replace").splitlines(),
        ]
        ours = [line for line in lines if line.startswith(("!", "fatal:", "error:"))]
        # before it is cut: a half of a name is still a half of a token
        reason = (
            self._remote.without(" ".join(ours[0].split()))[:200] if ours else f"git ended with status {said.status}"
        )
        for lead in ("fatal: ", "error: "):
            reason = reason.removeprefix(lead)
        hint = f"try it by hand: git ls-remote {self._remote.shown}"
        return Unavailable(f"{self._remote.shown} {what}: {reason}", hint)


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All of it. Raises Refused when it is more than anything here should say."""
    said = bytearray()
    while more := await stream.read(65_536):
        said += more
        if len(said) > SAID_BYTES:
            raise Refused("the repository says more than any should", "look who runs it")
    return bytes(said)


def environment(remote: Remote) -> dict[str, str]:
    """What git gets of ours: enough for the user's own ssh keys and credential helpers, nothing that asks a person."""
    kept = {name: value for name, value in os.environ.items() if name in _OURS or name.lower() in _PROXIES}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("GIT_SSL_", "LC_"))}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        # empty and not missing: git then asks no other program either
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "GIT_ALLOW_PROTOCOL": remote.protocols,
        "GIT_PROTOCOL_FROM_USER": "1",
        "GIT_EDITOR": "false",
        "GIT_PAGER": "cat",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_AUTHOR_NAME": "mab",
        "GIT_AUTHOR_EMAIL": "mab@localhost",
        "GIT_COMMITTER_NAME": "mab",
        "GIT_COMMITTER_EMAIL": "mab@localhost",
        "TZ": "UTC",
        "LC_ALL": "C",
    }
