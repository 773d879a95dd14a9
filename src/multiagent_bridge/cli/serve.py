"""Commands of the hub itself: serve, mcp, status."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.exits import INTERRUPTED
from multiagent_bridge.errors import BridgeError, Invalid, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.adapters.metrics import Metrics
    from multiagent_bridge.config import Settings
    from multiagent_bridge.mcp.socket import SocketFace
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.hub import Hub

TIDY_SECONDS = 3600.0
"""How often what only takes room is removed."""

SWEEP_SECONDS = 60.0
"""How often requests, approvals and runs whose time is over are ended, so that everybody hears of it."""

GARBAGE_THRESHOLD = 10_000
"""Objects made and not yet freed before the youngest are looked at; Python's 700 are those of two or three calls."""

log = logging.getLogger(__name__)

OWNER = "hub"
"""The one hub of a state directory claims mail under this name."""

HANDOVER_LOOKS = 100
HANDOVER_PAUSE = 0.05


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(mcp)


def serve(
    detached: Annotated[bool, typer.Option(hidden=True)] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the hub that runs now.")] = False,
    store: Annotated[str | None, typer.Option(help="Store URL, such as sqlite:///PATH.")] = None,
    no_yolo: Annotated[
        bool,
        typer.Option("--no-yolo", help="No agent of this hub may ask for commands, whatever its environment says."),
    ] = False,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="Serve agents elsewhere, too: /mcp over HTTP. Or: systemd."),
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="TLS certificate and its chain, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Key of the TLS certificate, PEM.")] = None,
    tls_client_ca: Annotated[str | None, typer.Option(help="Ask for client certificates of these authorities.")] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A TLS proxy there is the only one that may ask. May be repeated."),
    ] = None,
) -> None:
    """Run the hub of this state directory. `mab mcp` starts one by itself when none answers."""
    from multiagent_bridge import config

    given = {
        "listen": http,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "proxies": tuple(behind_proxy) if behind_proxy else None,
    }
    network = {name: value for name, value in given.items() if value is not None}
    settings = config.load(store=store, http=network or None)
    if stop:
        _stop(settings)
        return
    raise typer.Exit(asyncio.run(_serve(settings, detached, gate=settings.yolo.gate and not no_yolo)))


def mcp(
    name: Annotated[str | None, typer.Option("--as", help="Keep this agent's conversations over restarts.")] = None,
    standalone: Annotated[bool, typer.Option("--standalone", help="Serve in this process, without a hub.")] = False,
    connect: Annotated[
        str | None, typer.Option("--connect", metavar="URL", help="Be an agent of the hub there: https://HOST:PORT.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="File (0600) with the key for that hub; else MAB_API_KEY.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="Certificates of the authorities that vouch for that hub, PEM.")
    ] = None,
    client_cert: Annotated[
        Path | None, typer.Option(help="Certificate and key to show to that hub, PEM in one file.")
    ] = None,
) -> None:
    """Serve MCP over standard input and output: the command that an MCP client starts."""
    if connect is None:
        if key_file or ca or client_cert:
            raise Invalid("--key-file, --ca and --client-cert belong to --connect", "mab mcp --connect URL")
        raise typer.Exit(asyncio.run(_standalone(name)))
    if standalone:
        raise Invalid("--standalone has no hub, --connect has one elsewhere", "say one of them")
    from multiagent_bridge.cli import connect as remote

    raise typer.Exit(asyncio.run(remote.serve(connect, name, key_file, ca, client_cert)))


def _both(*events: asyncio.Event) -> None:
    for event in events:
        event.set()


async def _serve(settings: Settings, detached: bool, gate: bool) -> int:
    from multiagent_bridge.adapters.state import opened, prepared

    home = prepared(settings.home)
    lock = await _only_hub(home, detached)
    if lock is None:
        return 0
    from multiagent_bridge import telemetry, wiring
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.health import SAMPLE_SECONDS

    leave, interrupted = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.callback(os.close, lock)
        hub = await wiring.open_hub(settings, stack, OWNER)
        # a second of imports, which a hub without a store has no use for
        from multiagent_bridge.mcp.server import build
        from multiagent_bridge.mcp.socket import SocketFace

        if detached:
            # refuses a link in the log's place
            os.close(opened(home / "hub.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        telemetry.start(home / "hub.log" if detached else None, settings.hub.log_level, hub.redaction.text)
        telemetry.trace(os.environ)
        metrics = _metrics(settings)
        itself = Caller(agent="", name=OWNER, peer=f"uid:{os.geteuid()}", operator=True)
        # its own alone: another hub of the same database has a name of its own
        name = wiring.owner_of(settings, OWNER)
        await hub.messages.recover(itself, name)
        await hub.lapses.recover(itself, name)
        stack.callback(asyncio.create_task(_every(TIDY_SECONDS, lambda: hub.conversations.tidy(itself))).cancel)
        stack.callback(asyncio.create_task(_every(SWEEP_SECONDS, lambda: hub.lapses.sweep(itself))).cancel)
        stack.callback(asyncio.create_task(_every(SWEEP_SECONDS, lambda: _resealed(hub, itself))).cancel)
        if metrics is not None:
            hub.health.count(metrics.counts)
            stack.callback(asyncio.create_task(_every(SAMPLE_SECONDS, hub.health.sample)).cancel)
        if settings.watchdog.inside:
            from multiagent_bridge.cli import watchdog

            watching = asyncio.create_task(watchdog.inside(hub, itself, settings.watchdog, log.warning))
            stack.push_async_callback(ended, watching)
        if settings.backup.folder:
            copying = _every(SWEEP_SECONDS, lambda: _backed_up(hub, itself, settings, metrics))
            stack.callback(asyncio.create_task(copying).cancel)
        if grace := settings.retention.grace_seconds:
            retaining = _every(min(SWEEP_SECONDS, grace), lambda: _retained(hub, itself, grace))
            stack.callback(asyncio.create_task(retaining).cancel)
        face = SocketFace(build(hub, gate and _gate_is_open(), metrics), hub, leave.set, gate)
        _write_pid(opened(home / "hub.pid", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        stack.callback((home / "hub.pid").unlink, missing_ok=True)
        _settle_memory()
        await face.open(home / "hub.sock")
        stack.push_async_callback(face.close)
        # nobody may find a socket that nobody answers; the lock is still ours
        stack.callback((home / "hub.sock").unlink, missing_ok=True)
        url = await _http(settings, hub, stack, gate and _gate_is_open(), metrics) if metrics else ""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, leave.set)
        loop.add_signal_handler(signal.SIGINT, _both, interrupted, leave)
        if detached:
            _let_go()
        else:
            output.say(f"hub listens at {home / 'hub.sock'}" + (f"\nhub serves {url}/mcp" if url else ""))
        # who comes by HTTP may come again at any time
        await _until(leave, face, settings.hub.idle_seconds if detached and not url else None)
        await hub.journal.checkpoint()
    return INTERRUPTED if interrupted.is_set() else 0


def _metrics(settings: Settings) -> Metrics | None:
    """What counts the calls of a hub that serves HTTP: of another nobody can ask for the counts."""
    if not settings.http.listen:
        return None
    from multiagent_bridge import __version__
    from multiagent_bridge.adapters.metrics import Metrics
    from multiagent_bridge.mcp.server import TOOLS

    return Metrics([tool.name for tool in TOOLS], __version__)


async def _http(settings: Settings, hub: Hub, stack: AsyncExitStack, gate: bool, metrics: Metrics) -> str:
    """Serve `/mcp` and `/metrics` where the settings say, until `stack` unwinds. Returns the URL."""
    # Starlette and uvicorn are for hubs that use them
    from multiagent_bridge.adapters.system import SystemClock
    from multiagent_bridge.cli import places
    from multiagent_bridge.mcp.http import Endpoint
    from multiagent_bridge.mcp.server import build
    from multiagent_bridge.web.dashboard import Dashboard
    from multiagent_bridge.web.face import HttpFace, Place
    from multiagent_bridge.web.metrics import route

    endpoint = Endpoint(build(hub, gate, metrics), hub, hub.identities.still, gate)
    place = Place(**dict(settings.http))
    more = [route(hub.gauges, metrics.rendered)]
    window = Dashboard(hub, SystemClock().now)
    face = HttpFace(place, endpoint, hub.identities, hub.journal.refused, hub.journal.head, more, window)
    metrics.connections = lambda: face.listener.connections
    await stack.enter_async_context(endpoint.serving())
    await face.open(stack, endpoint.leave)
    places.announce(stack, settings.home / places.HUB, face, window.proof)
    return face.url


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel it and wait: what it still has to say goes out while the hub is there."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    """Do it now and every so many seconds."""
    while True:
        try:
            await act()
        except Unavailable as error:
            # nobody asked for it and nothing depends on it: the next time tries again
            log.warning("tidying was put off: %s", error)
        await asyncio.sleep(seconds)


async def _backed_up(hub: Hub, itself: Caller, settings: Settings, metrics: Metrics | None) -> None:
    """Make a backup when one is due. What went wrong stands in the journal, and in the log; the next time tries again."""
    kept = settings.backup
    current = False
    try:
        await hub.backups.due(itself, kept.folder, kept.every_seconds, kept.keep, kept.recipients)
        current = True
    except BridgeError as error:
        log.warning("no backup was made: %s", error)
    if metrics is not None:
        metrics.backed_up = current


async def _retained(hub: Hub, itself: Caller, grace: int) -> None:
    """Erase what expired long enough ago. What went wrong stands in the log; the next time tries again."""
    try:
        gone = await hub.retention.sweep(itself, grace)
    except BridgeError as error:
        log.warning("what has expired was not erased: %s", error)
    else:
        if gone:
            log.info("erased %d conversations that expired %d seconds ago or longer", len(gone), grace)


async def _resealed(hub: Hub, itself: Caller) -> None:
    """Seal anew while older data keys are being replaced. What went wrong stands in the log; the next time tries again."""
    from multiagent_bridge.cli import resealing

    try:
        if await resealing.driven(hub, itself):
            log.info("everything is sealed under the newest data keys")
    except BridgeError as error:
        log.warning("not everything was sealed anew: %s", error)


def _settle_memory() -> None:
    """Leave what was loaded out of every later collection: one that walks it all stops the hub for some 50 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


def _write_pid(handle: int) -> None:
    try:
        os.write(handle, f"{os.getpid()}\n".encode())
    finally:
        os.close(handle)


async def _only_hub(home: Path, detached: bool) -> int | None:
    """The lock of the one hub of `home`; None when another serves. One that is on its way out is waited for."""
    from multiagent_bridge.adapters.state import try_lock

    for _ in range(HANDOVER_LOOKS):
        lock = try_lock(home / "hub.lock")
        if lock is not None:
            return lock
        if not detached:
            raise Unavailable("a hub runs here already", "mab status shows it, mab serve --stop ends it")
        # a hub that leaves takes its socket away before it gives up the lock
        if (home / "hub.sock").exists():
            return None
        await asyncio.sleep(HANDOVER_PAUSE)
    return None


async def _until(leave: asyncio.Event, face: SocketFace, idle_seconds: int | None) -> None:
    """Until asked to leave, or until nobody was connected for `idle_seconds`."""
    while not leave.is_set():
        left = None if idle_seconds is None else idle_seconds - face.idle_seconds
        if left is not None and left <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await leave.wait()


async def _standalone(name: str | None) -> int:
    """One client, served by this process over its standard streams."""
    import secrets

    from multiagent_bridge import config, telemetry, wiring
    from multiagent_bridge.cli.standard import standard_streams
    from multiagent_bridge.mcp.server import build
    from multiagent_bridge.mcp.socket import identity
    from multiagent_bridge.mcp.stream import Stream, refuse

    async with AsyncExitStack() as stack:
        reader, writer = await standard_streams()
        try:
            settings = config.load()
            caller = identity(secrets.token_hex(16), name, os.geteuid(), settings.yolo.gate and _gate_is_open())
            hub = await wiring.open_hub(settings, stack)
        except BridgeError as failed:
            await refuse(reader, writer, failed)
            raise
        telemetry.start(None, settings.hub.log_level, hub.redaction.text)
        await Stream(build(hub), hub, caller, reader, writer, relayed=False).serve()
    return 0


def _gate_is_open() -> bool:
    """Whether this process's own environment opens the gate of commands (SPEC section 5): exactly 1 does."""
    return os.environ.get("YOLO_MODE") == "1"


def _let_go() -> None:
    """Let go of the shim that started us: its end of our standard error closes when it leaves."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    sys.stderr.flush()
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _stop(settings: Settings) -> None:
    """Ask the running hub to leave and wait until its lock is free."""
    from multiagent_bridge.adapters.state import locked, prepared, try_lock

    home = prepared(settings.home)
    free = try_lock(home / "hub.lock")
    if free is not None:
        os.close(free)
        output.say("no hub runs here")
        return
    process = serving_process(home) or hub_process(home)
    if process is None or process <= 1:
        raise Unavailable("the hub's process is not known", "mab doctor")
    os.kill(process, signal.SIGTERM)
    with locked(home / "hub.lock"):
        output.say("the hub has left")


def serving_process(home: Path) -> int | None:
    """The process that listens at the hub's socket, as the kernel knows it; None where it cannot say."""
    import socket
    import struct

    if not hasattr(socket, "SO_PEERCRED"):
        return None
    directory = os.open(home, os.O_RDONLY)
    try:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as looking:
            looking.settimeout(2.0)
            looking.connect(f"/proc/self/fd/{directory}/hub.sock")
            process, _, _ = struct.unpack("3i", looking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return int(process)
        return None
    finally:
        os.close(directory)


def hub_process(home: Path) -> int | None:
    """The process id that the running hub wrote down."""
    with suppress(OSError, ValueError):
        return int((home / "hub.pid").read_text())
    return None
