"""Lines both ways between a client's standard streams and the hub's socket."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time

from . import answers
from .hub import CHUNK, Failed, HubProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MUTE_SECONDS = 20.0
"""After so long without a word from the hub, while a call is in flight, it is asked whether it is still there."""

FINISH_SECONDS = 1.0
"""How long the last calls of a client that closed its end may take to be answered."""

LEAVE_SECONDS = 3.0

HANDSHAKE = ("initialize", "server/discover")
"""Requests without effect that a client cannot repeat by itself: the next hub is asked instead."""

_REPLAYED = json.dumps(answers.REPLAY)[:-1]


class Pump:
    """Lines both ways. One thread reads the client, the calling thread reads the hub."""

    def __init__(self, hub: HubProcess) -> None:
        self._hub = hub
        self._connection: socket.socket | None = None
        self._lock = threading.Condition()
        self._in_flight: dict[str, dict[str, Any]] = {}
        self._handing: str | None = None
        self._initialize: dict[str, Any] | None = None
        self._initialized = b""
        self._subscribed: dict[str, dict[str, Any]] = {}
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
        held = bytearray()
        try:
            while chunk := os.read(0, CHUNK):
                *complete, rest = chunk.split(b"\n")
                for part in complete:
                    held += part
                    if held.strip():
                        self._hand_over(bytes(held) + b"\n")
                    held.clear()
                held += rest
        except OSError:
            pass
        with self._lock:
            self._lock.wait_for(lambda: not self._awaited() or self._connection is None, FINISH_SECONDS)
            self._ended = True
            if self._connection is not None:
                _shut(self._connection, socket.SHUT_WR)
                self._lock.wait_for(lambda: self._connection is None, LEAVE_SECONDS)
        os._exit(0)

    def _hand_over(self, line: bytes) -> None:
        request = _parsed(line)
        key = None
        with self._lock:
            if request is not None and "id" in request and "method" in request:
                key = json.dumps(request["id"])
                self._in_flight[key] = request
                if request["method"] == "initialize":
                    self._initialize = request
            elif request is not None and request.get("method") == "notifications/initialized":
                self._initialized = line
            elif (
                request is not None
                and request.get("method") == "notifications/cancelled"
                and self._in_flight.pop(_cancelled(request), None) is None
            ):
                # its answer was passed on before: some clients cancel every call they are done with
                return
            # from here on it is this thread's to hand over, and nobody else's
            self._handing = key
            while True:
                while self._connection is None:
                    self._lock.wait()
                connection, self._handing = self._connection, key
                self._lock.release()
                try:
                    connection.sendall(line)
                    whole = True
                except OSError:
                    # the kernel did not take the whole line, so the hub cannot have acted on it
                    whole = False
                finally:
                    self._lock.acquire()
                if whole:
                    self._handing = None
                    break
                if self._connection is connection:
                    self._connection = None
            if key is not None and self._connection is not connection:
                # the hub went away with the line; if it had answered, the answer was passed on before
                self._interrupt(key)

    def _awaited(self) -> bool:
        """Whether the client waits for an answer."""
        return any(request["method"] != answers.LISTEN for request in tuple(self._in_flight.values()))

    def _resume(self, connection: socket.socket) -> None:
        """Bring a new connection to where the old one was: handshake and subscriptions are said again for the client."""
        with self._lock:
            again = [r for key, r in self._in_flight.items() if r["method"] in HANDSHAKE and key != self._handing]
            if self._initialize is not None and json.dumps(self._initialize["id"]) not in self._in_flight:
                again.append(self._initialize | {"id": answers.REPLAY})
            said = b"".join(json.dumps(request).encode() + b"\n" for request in again)
            said += self._initialized if again else b""
            for uri, request in self._subscribed.items():
                said += json.dumps(request | {"id": answers.REPLAY + uri}).encode() + b"\n"
            try:  # noqa: SIM105 (contextlib costs a millisecond of start)
                connection.sendall(said)
            except OSError:
                # gone already: reading from it says so
                pass
            self._connection = connection
            self._lock.notify_all()

    def _down(self, connection: socket.socket) -> None:
        """Hub to client until the hub closes or no longer answers. Only whole lines are passed on."""
        held = b""
        while True:
            if not select.select([connection], [], [], MUTE_SECONDS)[0]:
                if self._awaited() and not self._hub.answers():
                    return
                continue
            try:
                chunk = connection.recv(CHUNK)
            except OSError:
                return
            if not chunk:
                return
            *complete, held = (held + chunk).split(b"\n")
            answered = [(line, answers.identity(line)) for line in complete]
            with self._lock:
                for line, identity in answered:
                    self._answered(self._in_flight.pop(identity, None), line, identity)
                self._lock.notify_all()
            out = b"".join(_passed_on(line, identity) for line, identity in answered)
            try:
                _write(out)
            except BrokenPipeError:
                self._unread(connection, [identity for _, identity in answered if identity])
                raise

    def _answered(self, request: dict[str, Any] | None, line: bytes, identity: str) -> None:
        """Keep in mind what the client is subscribed to: the next hub must hear of it. Called under the lock."""
        if uri := _said_again(identity):
            if not answers.succeeded(line):
                self._subscribed.pop(uri, None)
        elif request is not None and request["method"] in (answers.SUBSCRIBE, answers.UNSUBSCRIBE):
            if not answers.succeeded(line):
                return
            if request["method"] == answers.SUBSCRIBE:
                self._subscribed[answers.resource(request)] = request
            else:
                self._subscribed.pop(answers.resource(request), None)

    def _unread(self, connection: socket.socket, identities: list[str]) -> None:
        """The client is gone and never read these answers: what they carried must not count as read."""
        notice = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}\n'
        try:
            connection.settimeout(LEAVE_SECONDS)
            connection.sendall("".join(notice % identity for identity in identities).encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(CHUNK):
                pass
        except OSError:
            pass

    def _lost(self, connection: socket.socket) -> None:
        """The hub went away: answer what was in flight, so that nobody waits for it."""
        with self._lock:
            _shut(connection, socket.SHUT_RDWR)
            connection.close()
            if self._connection is connection:
                self._connection = None
            for key, request in tuple(self._in_flight.items()):
                if key != self._handing and request["method"] not in HANDSHAKE:
                    self._interrupt(key)
            self._lock.notify_all()

    def _interrupt(self, key: str) -> None:
        """Answer a request whose hub went away, if nobody has yet. Called under the lock."""
        request = self._in_flight.pop(key, None)
        if request is not None and not self._ended:
            _write(
                answers.refusal(request, f"unavailable: the hub stopped during this call ({answers.advice(request)})")
            )

    def _give_up(self, failed: Failed) -> None:
        """Tell the client in its own protocol why there is no hub; a client that has not asked yet gets a second to."""
        until = time.monotonic() + 1.0
        while not self._in_flight and not self._ended and time.monotonic() < until:
            time.sleep(0.02)
        with self._lock:
            for request in self._in_flight.values():
                _write(answers.refusal(request, str(failed)))


def _said_again(identity: str) -> str:
    """The resource whose subscription the shim said again under that id; empty for any other id."""
    return json.loads(identity).removeprefix(answers.REPLAY) if identity.startswith(_REPLAYED) else ""


def _passed_on(line: bytes, identity: str) -> bytes:
    """What the client sees of a line from the hub. The answer to what the shim said again is for nobody; but whoever follows
    a resource must look at it then, since it may have moved between two hubs, or be theirs no longer.
    """
    if not identity.startswith(_REPLAYED):
        return line + b"\n"
    uri = _said_again(identity)
    return answers.updated(uri) if uri else b""


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None


def _shut(connection: socket.socket, how: int) -> None:
    try:  # noqa: SIM105
        connection.shutdown(how)
    except OSError:
        pass


def _cancelled(notice: dict[str, Any]) -> str:
    params = notice.get("params")
    return json.dumps(params.get("requestId")) if isinstance(params, dict) else ""


_out = threading.Lock()


def _write(content: bytes) -> None:
    with _out:
        while content:
            content = content[os.write(1, content) :]
