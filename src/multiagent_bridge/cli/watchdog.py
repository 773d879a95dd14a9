"""`mab watchdog`: finds silent sessions, says so, and gives their tasks to somebody who is there."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.errors import BridgeError, Conflict, Fact, Invalid, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.adapters.alerts.delivery import Delivery, Notice, Sink
    from multiagent_bridge.guard.liveness import Rules
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.silences import Silence
    from multiagent_bridge.services.hub import Hub

INTERVAL, THRESHOLD, CAPACITY = 60.0, 300.0, 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to look, by which rules, and where to say what was found."""

    interval: float
    rules: Rules
    sinks: Sequence[Sink]


def register(app: typer.Typer) -> None:
    app.command()(watchdog)


def watchdog(
    interval: Annotated[float | None, typer.Option(min=1, help="Seconds between two checks; 60.")] = None,
    threshold: Annotated[float | None, typer.Option(min=1, help="Seconds after which silence is one; 300.")] = None,
    capacity: Annotated[
        int | None, typer.Option(min=0, help="Unfinished tasks that one session may be given; 3.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One check, then leave.")] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Add a line of JSON for each alert; - prints it.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--exec", metavar="CMD", help="Run this for each alert, which is its standard input.")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Post each alert there, signed: HTTPS, or this machine.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--webhook-secret", envvar="MAB_WEBHOOK_SECRET", metavar="SECRET",
            help="What signs the posts; file:PATH reads it from a file.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Find silent sessions, say so, and give their tasks to a healthy session of the same conversation. Until Ctrl-C."""
    from multiagent_bridge import config

    wanted = config.load().watchdog
    flags = {
        "interval_seconds": interval,
        "threshold_seconds": threshold,
        "capacity": capacity,
        "json_file": json_file,
        "command": command,
        "webhook": webhook,
        "webhook_secret": secret,
    }
    plan = planned(wanted, flags)
    asyncio.run(_run(plan, once))


def planned(settings: Any, flags: dict[str, Any]) -> Plan:
    """The plan of `[watchdog]`, where no flag says otherwise. Raises Invalid, Unavailable for sinks that cannot work."""
    from multiagent_bridge.guard.liveness import Rules

    def of(name: str, default: Any) -> Any:
        given = flags.get(name)
        return getattr(settings, name, default) if given is None else given

    rules = Rules(of("threshold_seconds", THRESHOLD), of("capacity", CAPACITY))
    return Plan(of("interval_seconds", INTERVAL), rules, _sinks(of))


def _sinks(of: Callable[[str, Any], Any]) -> list[Sink]:
    from multiagent_bridge.adapters.alerts.command import Command
    from multiagent_bridge.adapters.alerts.lines import JsonLines, Printed

    sinks: list[Sink] = []
    if path := of("json_file", ""):
        sinks.append(Printed("json", output.json_line) if path == "-" else JsonLines(Path(path).absolute()))
    if command := of("command", ()):
        sinks.append(Command.of(command) if isinstance(command, str) else Command(command))
    if url := of("webhook", ""):
        # a library of its own, which nobody else waits for
        from multiagent_bridge.adapters.alerts.webhook import Webhook, secret_of

        secret = of("webhook_secret", None)
        if not secret:
            raise Invalid(
                "the webhook has no secret to sign with", "set MAB_WEBHOOK_SECRET, or --webhook-secret file:PATH"
            )
        text = secret if isinstance(secret, str) else secret.get_secret_value()
        sinks.append(Webhook(url, secret_of(text)))
    return sinks


async def _run(plan: Plan, once: bool) -> None:
    from multiagent_bridge.adapters.alerts.lines import Printed, sentence

    told = Printed("stderr", lambda notice: output.say(sentence(notice)))
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    async with owner.hub() as hub:
        await guard(hub, owner.owner(), plan, told, output.say, leave, once)


async def guard(
    hub: Hub, me: Caller, plan: Plan, told: Sink, say: Callable[[str], None], leave: asyncio.Event, once: bool = False
) -> None:
    """Check until `leave` is set. What a sink does not take is said by `say` and is an entry of the journal.

    With `once` a check that could not be made is raised; else the next one tries again, and nobody is blamed for the gap.
    """
    from multiagent_bridge.adapters.alerts.delivery import Delivery

    async def failed(name: str, notice: Notice, error: BridgeError) -> None:
        await not_delivered(hub, me, say, name, notice, error)

    async with Delivery([told, *plan.sinks], failed) as delivery:
        first, due = True, time.monotonic()
        while not leave.is_set():
            try:
                standing = await _checked(hub, me, plan, delivery)
                if first and standing:
                    say("silent still: " + ", ".join(f"{s.conversation_id} session {s.session_id}" for s in standing))
                first = False
            except (Unavailable, Conflict) as error:
                if once:
                    raise
                say(f"this check was not made: {error}")
            if once:
                return
            due = max(due + plan.interval, time.monotonic())
            await pause(leave, due - time.monotonic())


async def inside(hub: Hub, me: Caller, settings: Any, say: Callable[[str], None]) -> None:
    """The watchdog of `[watchdog]` within a hub that serves; until it is cancelled. `say` writes to the hub's log."""
    from multiagent_bridge.adapters.alerts.lines import Printed, sentence

    told = Printed("log", lambda notice: say(sentence(notice)))
    try:
        plan = planned(settings, {})
        await guard(hub, me, replace(plan, rules=replace(plan.rules, inside=True)), told, say, asyncio.Event())
    except BridgeError as error:
        # nobody waits for this task: the log is where its end is seen
        say(f"the watchdog has ended: {error}")


async def not_delivered(
    hub: Hub, me: Caller, say: Callable[[str], None], name: str, notice: Notice, error: BridgeError
) -> None:
    """Say that a sink did not take a notice, there and in the journal."""
    which = notice.get("id") or notice.get("seq") or 0
    say(f"{name}: notice {which} was not delivered: {error}")
    reason = hub.redaction.text(error.sentence).text
    facts: dict[str, Fact] = {"sink": name, "notice": which if isinstance(which, int) else 0, "reason": reason}
    conversation = str(notice.get("conversation_id") or "")
    try:
        await hub.journal.note(me, "alert.fail", name, facts, conversation)
    except BridgeError as unwritten:
        say(f"{name}: nor could that be written to the journal: {unwritten}")


async def _checked(hub: Hub, me: Caller, plan: Plan, delivery: Delivery) -> list[Silence]:
    """One check, its alerts handed on. Returns the silences that stood before it."""
    checked = await hub.watchdog.check(me, plan.rules)
    for alert in checked.alerts:
        delivery.hand(alert.fields())
    fresh = {(alert.conversation_id, alert.session_id) for alert in checked.alerts}
    return [s for s in checked.standing if (s.conversation_id, s.session_id) not in fresh]


async def pause(leave: asyncio.Event, seconds: float) -> None:
    """Until `leave` is set, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await leave.wait()
