"""Where the dashboard of a state directory is served: who serves it says so in a file, and proves it to whoever asks.

The file is locked for as long as its writer lives: the kernel lets go of the lock of a process that was killed.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import ssl
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from multiagent_bridge.adapters.state import opened
from multiagent_bridge.cli import output
from multiagent_bridge.errors import Refused, Unavailable
from multiagent_bridge.guard import proofs

if TYPE_CHECKING:
    from multiagent_bridge.web.face import HttpFace
    from multiagent_bridge.web.proof import Proof

HUB, DASHBOARD = "hub.url", "dashboard.url"
"""Files of the hub, and of a `mab dashboard` that serves by itself."""

ASK_SECONDS = 15.0
"""A hub under load answers in time; whoever hangs does not."""
MOST_BYTES = 8_192
"""Of a file, and of an answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is served as `url`, by whom, and where to ask for the proof; `asked` is empty where only certificates may ask."""

    process: int
    url: str
    asked: str
    secret: bytes

    def text(self) -> bytes:
        fields = {"process": self.process, "url": self.url, "asked": self.asked, "secret": self.secret.hex()}
        return json.dumps(fields).encode() + b"\n"


def announce(stack: AsyncExitStack, path: Path, face: HttpFace, proof: Proof) -> None:
    """Say in the file at `path` that this process serves `face`, until `stack` unwinds. Raises Unavailable."""
    proof.url = reached(face.url)
    said = Said(os.getpid(), proof.url, reached(face.asked), proof.secret)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = opened(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    stack.callback(_withdraw, path, handle)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(handle, said.text())
    # whoever finds it finds it whole, and locked
    draft.rename(path)


async def place(home: Path) -> str | None:
    """The URL of a dashboard that is served from this state directory, proven now; None when there is none.

    Raises Refused when somebody else is at its address, Unavailable when nobody answers there.
    """
    for name in (HUB, DASHBOARD):
        said = _said(home / name)
        if said is not None:
            await _proven(said)
            return said.url
    return None


def reached(url: str) -> str:
    """The URL as this machine reaches it: who listens everywhere listens here."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _withdraw(path: Path, handle: int) -> None:
    if _is(path, handle):
        path.unlink(missing_ok=True)
    os.close(handle)


def _is(path: Path, handle: int) -> bool:
    """Whether the open file is still what lies there."""
    with suppress(OSError):
        return os.path.samestat(path.lstat(), os.fstat(handle))
    return False


def _said(path: Path) -> Said | None:
    """What a process that lives says in the file; what was left behind by one that was killed is removed."""
    if not os.path.lexists(path):
        return None
    handle = opened(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path, os.pread(handle, MOST_BYTES, 0))
    else:
        if _is(path, handle):
            path.unlink(missing_ok=True)
            output.say(f"{path.name} was left behind by a process that was killed; it is removed")
        return None
    finally:
        os.close(handle)


def _read(path: Path, content: bytes) -> Said:
    try:
        fields = json.loads(content)
        said = Said(int(fields["process"]), str(fields["url"]), str(fields["asked"]), bytes.fromhex(fields["secret"]))
        if len(said.secret) != proofs.SECRET_BYTES:
            raise ValueError(path.name)
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{path} cannot be read", "end the process that holds it: mab serve --stop") from error
    return said


async def _proven(said: Said) -> None:
    """Ask whoever listens there. Raises Refused, Unavailable."""
    if not said.asked:
        # nobody without a certificate may ask; that the lock is held says that the port is held as well
        return
    nonce = secrets.token_hex(proofs.NONCE_BYTES)
    hint = "open no link to it; mab serve --stop, and start the hub again"
    try:
        async with asyncio.timeout(ASK_SECONDS):
            answer, host, port = await _asked(said.asked, nonce)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"process {said.process} serves {said.asked} and does not answer there", hint) from error
    if not proofs.proves(answer, said.secret, said.url, host, port, nonce):
        raise Refused(f"what answers at {said.asked} is not process {said.process}, which is said to serve there", hint)


async def _asked(url: str, nonce: str) -> tuple[str, str, int]:
    """The answer, and the address that gave it. Raises OSError."""
    from multiagent_bridge.web.proof import PATH

    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, ssl=_any_certificate() if parts.scheme == "https" else None
    )
    try:
        peer = writer.get_extra_info("peername")
        if peer is None:
            raise ConnectionResetError("it hung up at once")
        host, port = peer[:2]
        lines = (f"GET {PATH}?nonce={nonce} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", "", "")
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        answer = b""
        while len(answer) < MOST_BYTES and (more := await reader.read(MOST_BYTES)):
            answer += more
    finally:
        writer.transport.abort()
    return answer.decode("latin-1").partition("\r\n\r\n")[2], host, port


def _any_certificate() -> ssl.SSLContext:
    """The proof says who it is; whether a browser believes the certificate is the browser's to say."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
