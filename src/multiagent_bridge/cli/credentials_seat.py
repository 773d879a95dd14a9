"""A worker's seat: its session taken up through a real MCP connection, heartbeats for it, and the program that works there."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Refused, TooFast, Unavailable

if TYPE_CHECKING:
    from mcp import Client

    from multiagent_bridge.cli.credentials_told import Told
    from multiagent_bridge.model.parcels import Parcel

MAB = (sys.executable, "-I", "-m", "multiagent_bridge")
CALL_SECONDS = 30.0
END_SECONDS = 10.0
"""Longest that a program may take to end before it is killed."""

GROUP_SECONDS = 0.05
"""Between two looks whether anything of the program is left."""

_KINDS: dict[str, type[BridgeError]] = {kind.code: kind for kind in (NotAllowed, Refused)}
_SECRET = re.compile(r"MAB_.*(KEY|SECRET|TOKEN|PASSWORD)")
_RETRY = re.compile(r"try again in (\d+) s")


class Seat:
    """Joins as the worker by name and closes that connection again, so that the worker's own agent finds its conversation:
    a name is taken up by one connection at a time. Heartbeats go over a connection without a name.
    """

    def __init__(self, home: Path, worker: str, key_file: Path, ca: Path | None = None) -> None:
        """`key_file` and `ca` are for a hub elsewhere: the worker's key for it, and who vouches for its certificate."""
        self._home = home
        self._key_file = key_file
        self._ca = ca
        self._worker = worker
        self._line: Client | None = None
        self._hub = ("", "")
        self._stack = AsyncExitStack()
        self._known = False

    async def take(self, parcel: Parcel) -> Parcel:
        """Take up the session. Returns the parcel, its token renewed if the hub said so.

        Raises NotAllowed when the token opens nothing, Refused, TooFast, Unavailable.
        """
        refusal: BridgeError | None = None
        async with AsyncExitStack() as stack:
            client = await self._client(stack, parcel, "--as", self._worker)
            try:
                parcel = await self._joined(client, parcel)
            except BridgeError as error:
                # the library would wrap it in a group on its way out
                refusal = error
        if refusal is not None:
            raise refusal
        self._known = True
        if self._hub != (parcel.hub, parcel.hub_key):
            await self.leave()
        self._hub = (parcel.hub, parcel.hub_key)
        return parcel

    async def _joined(self, client: Client, parcel: Parcel) -> Parcel:
        parcel = _renewed(parcel, await _called(client, "join_conversation", **_credentials(parcel)))
        if not self._known:
            # an agent that works there already has a status of its own
            await _called(client, "update_my_status", status="working")
        return parcel

    async def beat(self, parcel: Parcel) -> Parcel:
        """A heartbeat that changes nothing else. Returns and raises as `take` does."""
        if self._line is None:
            self._line = await self._client(self._stack, parcel)
        try:
            return _renewed(parcel, await _called(self._line, "check_partner_status", **_credentials(parcel)))
        except Unavailable:
            await self.leave()
            raise

    async def leave(self) -> None:
        """Close the connection of the heartbeats."""
        stack, self._stack, self._line = self._stack, AsyncExitStack(), None
        # what is broken need not close well
        with suppress(Exception):
            await stack.aclose()

    async def _client(self, stack: AsyncExitStack, parcel: Parcel, *words: str) -> Client:
        from mcp import Client, StdioServerParameters

        kept = {name: value for name, value in os.environ.items() if name not in ("MAB_TOKEN", "YOLO_MODE")}
        parameters = StdioServerParameters(
            command=MAB[0],
            args=[*MAB[1:], "mcp", *words, *self._elsewhere(parcel)],
            env=kept | {"MAB_HOME": str(self._home)},
            cwd=self._home,
        )
        try:
            return await stack.enter_async_context(Client(parameters, read_timeout_seconds=CALL_SECONDS))
        except Exception as error:  # whatever the library raises, there is no connection
            raise Unavailable(f"the hub is not reached: {_first_line(error)}", "mab doctor") from error

    def _elsewhere(self, parcel: Parcel) -> list[str]:
        """What `mab mcp` is told of a hub on another machine; nothing that is secret."""
        if not parcel.hub:
            return []
        key = ["--key-file", str(self._key_file)] if parcel.hub_key else []
        return ["--connect", parcel.hub, *key, *(["--ca", str(self._ca)] if self._ca else [])]


def _credentials(parcel: Parcel) -> dict[str, str]:
    return {"conversation_id": parcel.conversation_id, "session_id": parcel.session_id, "token": parcel.token}


def _renewed(parcel: Parcel, fields: Mapping[str, Any]) -> Parcel:
    """The parcel with the token that the result of a call brought in place of its own, if it brought one."""
    token = fields.get("renewed_token")
    return replace(parcel, token=token, generation=parcel.generation + 1) if isinstance(token, str) else parcel


async def _called(client: Client, name: str, **arguments: Any) -> Mapping[str, Any]:
    """Call a tool that must succeed, and return its fields. Raises the error that the tool names, Unavailable for any other
    failure.
    """
    try:
        result = await client.call_tool(name, arguments)
    except Exception as error:  # whatever the library raises, there was no answer
        raise Unavailable(f"the hub does not answer: {_first_line(error)}", "mab doctor") from error
    if not result.is_error:
        return result.structured_content or {}
    said = " ".join(part.text for part in result.content if hasattr(part, "text"))
    code, _, sentence = said.partition(": ")
    if code == TooFast.code:
        found = _RETRY.search(sentence)
        raise TooFast(sentence, retry_after=float(found[1]) if found else END_SECONDS)
    raise _KINDS.get(code, Unavailable)(sentence or said)


def _first_line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).splitlines()[0][:200]


class Program:
    """What works in the session: started with ids in its environment and no secret, ended before the next one starts."""

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, line: str) -> Program:
        """The program and its words as a person writes them, quotes included; nothing in them is expanded. Raises Invalid."""
        try:
            argv = shlex.split(line)
        except ValueError as error:
            raise Invalid("the quotes of the program do not close", "quote it as for a shell") from error
        if not argv or "\0" in line or shutil.which(argv[0]) is None:
            raise Invalid("the program to start is not there", "give its whole path; it is run without a shell")
        return cls(argv)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, parcel: Parcel, told: Told) -> None:
        """Start it, after the one before has ended."""
        await self.end()
        told.over("failed")
        kept = {name: value for name, value in os.environ.items() if not _SECRET.match(name)}
        named = {
            "MAB_AGENT": parcel.worker,
            "MAB_CONVERSATION": parcel.conversation_id,
            "MAB_SESSION": parcel.session_id,
        } | ({"MAB_HUB_URL": parcel.hub} if parcel.hub else {})
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=kept | named, stdin=asyncio.subprocess.DEVNULL, stdout=2, start_new_session=True
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            told.trouble("failed", Unavailable(f"the program cannot be started: {reason}", "run it by hand"))
            return
        told.say("started", f"started: process {self._process.pid}", pid=self._process.pid)
        self._watch = asyncio.create_task(self._watched(self._process, told))

    async def end(self) -> None:
        """End it with all that it started: asked first, then killed."""
        process, self._process = self._process, None
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await process.wait()
                    while True:
                        # the group goes on without its leader
                        os.killpg(process.pid, 0)
                        await asyncio.sleep(GROUP_SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _watched(self, process: asyncio.subprocess.Process, told: Told) -> None:
        status = await process.wait()
        told.say(
            "ended", f"the program has ended with status {status}; no heartbeats until new credentials", status=status
        )
