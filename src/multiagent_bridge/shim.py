"""`mab mcp`: what an MCP client starts. Pumps lines between standard streams and the hub's Unix socket.

Standard library only, nothing of the package, so that it answers in milliseconds. It starts the hub when none answers, has an
older hub make way, and after a crash of the hub reconnects, says of every call in flight whether to repeat it, and goes on.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from typing import Any

VERSION = "0.1.0"
GREETING = 1
START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
RETIRE_SECONDS = 15.0
CHUNK = 65_536
REPLAY = "mab:replay"
UNAVAILABLE = 9

REPEATABLE = ("check_messages", "list_conversations", "update_my_status", "check_partner_status", "list_tasks")
_ANSWER = b'{"jsonrpc":"2.0","id":'
_decoder = json.JSONDecoder()


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
    """The hub at one state directory: connect to it, start it, have an old one make way."""

    def __init__(self, directory: str, name: str | None) -> None:
        self.directory = directory
        self.hello = {
            "mab": GREETING,
            "version": VERSION,
            "key": os.urandom(16).hex(),
            "as": name,
            "pid": os.getpid(),
            "yolo": os.environ.get("YOLO_MODE") == "1",
        }

    def connect(self) -> socket.socket:
        """A connection that was greeted. Raises Failed with one sentence when there is no hub to be had."""
        deadline = time.monotonic() + START_SECONDS
        started: Any = None
        retired = False
        pause = 0.01
        while True:
            try:
                connection, version = self._greeted({})
            except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as error:
                started = self._restarted(started)
                if time.monotonic() > deadline:
                    raise Failed(f"unavailable: no hub answers: {error} (mab doctor)") from error
                time.sleep(pause)
                pause = min(pause * 1.5, 0.2)
                continue
            except OSError as error:
                raise Failed(f"unavailable: the hub cannot be reached: {error} (mab doctor)") from error
            if started is not None:
                started.stderr.close()
            if release(version) >= release(VERSION):
                return connection
            connection.close()
            if retired and time.monotonic() > deadline:
                raise Failed(f"unavailable: a hub of version {version} does not make way (end it: mab serve --stop)")
            retired = True
            self._retire()

    def _retire(self) -> None:
        """Ask an older hub to leave, and wait until its socket is closed."""
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
            connection.sendall(json.dumps(self.hello | more).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                byte = connection.recv(1)
                if not byte:
                    raise ConnectionResetError("it closed the connection")
                line += byte
            answer = json.loads(line)
            if not answer.get("ok"):
                raise Failed(
                    str(answer.get("error", "unavailable: the hub refused")), int(answer.get("exit", UNAVAILABLE))
                )
            connection.settimeout(None)
            return connection, str(answer.get("version", ""))
        except TimeoutError as error:
            connection.close()
            raise Failed("unavailable: the hub is there but does not answer (mab doctor names its process)") from error
        except BaseException:
            connection.close()
            raise

    def _address(self) -> str:
        path = os.path.join(self.directory, "hub.sock")
        if len(os.fsencode(path)) <= 100:
            return path
        self._open = os.open(self.directory, os.O_RDONLY)
        return f"/proc/self/fd/{self._open}/hub.sock"

    def _restarted(self, started: Any) -> Any:
        """Start a hub unless ours is still coming up; one that loses the race to another leaves with status 0."""
        if started is not None:
            status = started.poll()
            if status is None:
                return started
            said = started.stderr.read().decode("utf-8", "replace").strip().splitlines() if started.stderr else []
            if status:
                line = (
                    said[-2]
                    if len(said) > 1 and said[-1].startswith("mab: hint:")
                    else (said or ["no reason given"])[-1]
                )
                hint = (
                    said[-1].removeprefix("mab: hint: ") if len(said) > 1 and said[-1].startswith("mab: hint:") else ""
                )
                sentence = line.removeprefix("mab: error: ") + (f" ({hint})" if hint else "")
                raise Failed(sentence, status if status > 0 else UNAVAILABLE)
            if os.path.exists(os.path.join(self.directory, "hub.sock")):
                return started
        import subprocess

        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            return subprocess.Popen(
                [sys.executable, "-I", "-m", "multiagent_bridge", "serve", "--detached"],
                cwd=self.directory,
                env=_environment() | {"MAB_HOME": self.directory},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"unavailable: the hub cannot be started: {error} (check MAB_HOME)") from error


def _environment() -> dict[str, str]:
    """What a hub needs of this process's environment: no tokens of the client, no gate of this agent."""
    kept = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "XDG_", "LC_", "MAB_", "SSL_CERT_")
    return {name: value for name, value in os.environ.items() if name.startswith(kept)}


class Pump:
    """Lines both ways. One thread reads the client, the calling thread reads the hub."""

    def __init__(self, hub: HubProcess) -> None:
        self._hub = hub
        self._connection: socket.socket | None = None
        self._lock = threading.Condition()
        self._in_flight: dict[str, dict[str, Any]] = {}
        self._initialize: dict[str, Any] | None = None
        self._initialized: bytes | None = None
        self._ended = False

    def run(self) -> int:
        """Until the client closes its end. Returns the exit status."""
        threading.Thread(target=self._up, daemon=True).start()
        try:
            while not self._ended:
                connection = self._hub.connect()
                self._resume(connection)
                self._down(connection)
                self._lost(connection)
        except Failed as failed:
            self._give_up(failed)
            print(f"mab: error: {failed}", file=sys.stderr)
            return failed.status
        except BrokenPipeError:
            pass
        return 0

    def _up(self) -> None:
        """Client to hub. A line that could not be handed over whole waits for the next connection."""
        held = b""
        while chunk := os.read(0, CHUNK):
            *complete, held = (held + chunk).split(b"\n")
            for line in complete:
                if line.strip():
                    self._hand_over(line + b"\n")
        with self._lock:
            self._ended = True
            if self._connection is not None:
                try:
                    self._connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            self._lock.notify_all()
        if self._connection is None:
            os._exit(0)

    def _hand_over(self, line: bytes) -> None:
        request = _parsed(line)
        with self._lock:
            if request is not None and "id" in request and "method" in request:
                self._in_flight[json.dumps(request["id"])] = request
                if request["method"] == "initialize":
                    self._initialize = request
            if request is not None and request.get("method") == "notifications/initialized":
                self._initialized = line
            while True:
                while self._connection is None and not self._ended:
                    self._lock.wait()
                connection = self._connection
                if connection is None:
                    return
                self._lock.release()
                try:
                    connection.sendall(line)
                    return
                except OSError:
                    # the kernel did not take the whole line, so the hub cannot have acted on it
                    pass
                finally:
                    self._lock.acquire()
                if self._connection is connection:
                    self._connection = None
                if request is not None and "id" in request and "method" in request:
                    self._in_flight[json.dumps(request["id"])] = request

    def _resume(self, connection: socket.socket) -> None:
        """Bring a new connection to where the old one was: the legacy handshake is said again for the client."""
        with self._lock:
            if self._initialize is not None and json.dumps(self._initialize["id"]) not in self._in_flight:
                again = self._initialize | {"id": REPLAY}
                connection.sendall(json.dumps(again).encode() + b"\n" + (self._initialized or b""))
            self._connection = connection
            self._lock.notify_all()

    def _down(self, connection: socket.socket) -> None:
        """Hub to client until the hub closes. Only whole lines are passed on."""
        held = b""
        while True:
            try:
                chunk = connection.recv(CHUNK)
            except OSError:
                return
            if not chunk:
                return
            *complete, held = (held + chunk).split(b"\n")
            out = [line for line in complete if self._answered(line)]
            if out:
                _write(b"\n".join(out) + b"\n")

    def _answered(self, line: bytes) -> bool:
        """Whether the line is for the client; takes the request it answers out of flight."""
        if not line.startswith(_ANSWER):
            return True
        try:
            identity, _ = _decoder.raw_decode(line[len(_ANSWER) : len(_ANSWER) + 512].decode("utf-8", "replace"))
        except ValueError:
            return True
        with self._lock:
            self._in_flight.pop(json.dumps(identity), None)
        return bool(identity != REPLAY)

    def _lost(self, connection: socket.socket) -> None:
        """The hub went away: answer what was in flight, so that nobody waits for it."""
        with self._lock:
            connection.close()
            self._connection = None
            lost, self._in_flight = self._in_flight, {}
            for request in lost.values():
                if not self._ended:
                    _write(json.dumps(_interrupted(request)).encode() + b"\n")

    def _give_up(self, failed: Failed) -> None:
        """Tell the client in its own protocol why there is no hub; a client that has not asked yet gets a second to."""
        until = time.monotonic() + 1.0
        while not self._in_flight and not self._ended and time.monotonic() < until:
            time.sleep(0.02)
        with self._lock:
            for request in self._in_flight.values():
                error = {"code": -32000, "message": str(failed)}
                _write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode() + b"\n")


def _interrupted(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request whose hub went away: whether to repeat it, as the tool's own error where it is a tool call."""
    given = request.get("params")
    params: dict[str, Any] = given if isinstance(given, dict) else {}
    if request["method"] != "tools/call":
        error = {"code": -32000, "message": "unavailable: the hub stopped during this request (repeat it)"}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}
    name, arguments = params.get("name"), params.get("arguments") or {}
    if name in REPEATABLE:
        advice = "repeat the call: nothing was lost"
    elif name == "send_to_partner" and isinstance(arguments, dict) and arguments.get("idempotency_key"):
        advice = "repeat the call with the same idempotency_key: it is stored once"
    elif name == "send_to_partner":
        advice = (
            "do not repeat it blindly: it may have been stored; check_partner_status shows what your partner has not read, "
            "and with an idempotency_key a repeat is safe"
        )
    else:
        advice = "do not repeat it blindly: it may have taken effect; list_conversations shows where you are"
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": f"unavailable: the hub stopped during this call ({advice})"}],
        "isError": True,
    }
    meta = params.get("_meta")
    if isinstance(meta, dict) and "io.modelcontextprotocol/protocolVersion" in meta:
        result["resultType"] = "complete"
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None


def _write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]


def main(arguments: list[str]) -> int:
    """Run the shim with what follows `mab mcp` on the command line. Returns the exit status."""
    name = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--as" and rest:
            name = rest.pop(0)
        elif word.startswith("--as="):
            name = word[5:]
        else:
            print(
                f"mab: error: mab mcp does not know {word!r}\nmab: hint: mab mcp [--as NAME] [--standalone]",
                file=sys.stderr,
            )
            return 2
    try:
        return Pump(HubProcess(home(), name)).run()
    except Failed as failed:
        print(f"mab: error: {failed}", file=sys.stderr)
        return failed.status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
