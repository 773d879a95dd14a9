"""The hub as the shim sees it: where it is, how to greet it, start it, and have an older one make way."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

VERSION = "0.1.0"
GREETING = 1
START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
RETIRE_SECONDS = 15.0
CHUNK = 65_536
UNAVAILABLE = 9


class Failed(Exception):
    """No hub can be had. The text is the sentence for the person, `status` the exit status."""

    def __init__(self, sentence: str, status: int = UNAVAILABLE) -> None:
        super().__init__(sentence)
        self.status = status


def home() -> str:
    """The state directory, as multiagent_bridge.config finds it."""
    if given := os.environ.get("MAB_HOME"):
        return os.path.abspath(os.path.expanduser(given))
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    if base.startswith("~"):
        raise Failed("invalid: the home directory is unknown (set MAB_HOME to a directory of your own)", 2)
    return os.path.join(base, "multiagent-bridge")


def release(version: str) -> tuple[int, ...]:
    """`1.2.3` as numbers, for comparison."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


class HubProcess:
    """The hub at the state directory: connect to it, start it, have an old one make way."""

    def __init__(self, name: str | None) -> None:
        self._directory = ""
        self._turn = -1
        self._folder = -1
        self._started: Popen[bytes] | None = None
        self._hello = {
            "mab": GREETING,
            "version": VERSION,
            "key": os.urandom(16).hex(),
            "as": name,
            "pid": os.getpid(),
            "yolo": os.environ.get("YOLO_MODE") == "1",
        }

    def connect(self) -> socket.socket:
        """A connection that was greeted. Raises Failed with one sentence when there is no hub to be had."""
        self._directory = self._directory or home()
        deadline = time.monotonic() + START_SECONDS
        pause = 0.01
        try:
            while True:
                try:
                    connection, version = self._greeted({})
                except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as error:
                    missing = f"no hub answers: {error} (mab doctor)"
                    self._start()
                except OSError as error:
                    raise Failed(f"unavailable: the hub cannot be reached: {error} (mab doctor)") from error
                else:
                    if release(version) >= release(VERSION):
                        return connection
                    connection.close()
                    missing = f"a hub of version {version} does not make way (end it: mab serve --stop)"
                    if self._my_turn():
                        self._retire()
                if time.monotonic() > deadline:
                    raise Failed(f"unavailable: {missing}")
                time.sleep(pause)
                pause = min(pause * 1.5, 0.2)
        finally:
            self._let_go()

    def answers(self) -> bool:
        """Whether the hub still greets: it may be stopped, or stuck."""
        try:
            connection, _ = self._greeted({"verb": "ping"})
        except (OSError, Failed):
            return False
        connection.close()
        return True

    def _retire(self) -> None:
        """Ask an older hub to leave, and wait until it has heard."""
        try:
            connection, _ = self._greeted({"verb": "retire"})
        except (OSError, Failed):
            return
        connection.settimeout(RETIRE_SECONDS)
        try:
            while connection.recv(CHUNK):
                pass
        except OSError:
            pass
        finally:
            connection.close()

    def _greeted(self, more: dict[str, object]) -> tuple[socket.socket, str]:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(self._address())
            if hasattr(socket, "SO_PEERCRED"):
                _, owner, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                if owner not in (os.geteuid(), 0):
                    raise Failed("not_allowed: that hub is another user's (set MAB_HOME to a directory of your own)", 4)
            connection.sendall(json.dumps(self._hello | more).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                byte = connection.recv(1)
                if not byte or len(line) > CHUNK:
                    raise ConnectionResetError("it closed the connection")
                line += byte
            answer = json.loads(line)
            if not answer.get("ok"):
                sentence = str(answer.get("error", "unavailable: the hub refused"))
                raise Failed(sentence, int(answer.get("exit", UNAVAILABLE)))
            connection.settimeout(None)
            return connection, str(answer.get("version", ""))
        except TimeoutError as error:
            connection.close()
            raise Failed("unavailable: the hub is there but does not answer (mab doctor names its process)") from error
        except (ValueError, AttributeError, TypeError) as error:
            connection.close()
            raise Failed("unavailable: what answers at hub.sock is no hub (mab doctor)") from error
        except BaseException:
            connection.close()
            raise

    def _address(self) -> str:
        path = os.path.join(self._directory, "hub.sock")
        if len(os.fsencode(path)) <= 100:
            return path
        if self._folder < 0:
            self._folder = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/hub.sock"

    def _my_turn(self) -> bool:
        """Whether of all shims it is this one that starts or retires a hub; the others wait for what comes of it."""
        if self._turn < 0:
            try:
                os.makedirs(self._directory, mode=0o700, exist_ok=True)
                path = os.path.join(self._directory, "start.lock")
                turn = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise Failed(f"unavailable: the state directory cannot be used: {error} (check MAB_HOME)") from error
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(turn)
                return False
            self._turn = turn
        return True

    def _start(self) -> None:
        """Start a hub unless one is coming up; one that found another at work leaves with status 0."""
        if not self._my_turn():
            return
        if self._started is not None:
            status = self._started.poll()
            if status is None:
                return
            said = self._said()
            if status:
                said = said or "unavailable: the hub ended as it started (mab serve shows why)"
                raise Failed(said, max(status, 0) or UNAVAILABLE)
        import subprocess

        try:
            self._started = subprocess.Popen(
                [sys.executable, "-I", "-m", "multiagent_bridge", "serve", "--detached"],
                cwd=self._directory,
                env=_environment() | {"MAB_HOME": self._directory},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"unavailable: the hub cannot be started: {error} (check MAB_HOME)") from error

    def _said(self) -> str:
        """The sentence a hub left with, its hint in parentheses."""
        if self._started is None or self._started.stderr is None:
            return ""
        with self._started.stderr as errors:
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
        hint = said.pop().removeprefix("mab: hint: ") if len(said) > 1 and said[-1].startswith("mab: hint:") else ""
        return said[-1].removeprefix("mab: error: ") + (f" ({hint})" if hint else "") if said else ""

    def _let_go(self) -> None:
        if self._started is not None and self._started.stderr is not None:
            self._started.stderr.close()
        self._started = None
        if self._turn >= 0:
            os.close(self._turn)
            self._turn = -1


def _environment() -> dict[str, str]:
    """What a hub needs of this process's environment: no tokens of the client, no gate of this agent."""
    kept = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "XDG_", "LC_", "MAB_", "SSL_CERT_")
    return {name: value for name, value in os.environ.items() if name.startswith(kept) and name != "MAB_TOKEN"}
