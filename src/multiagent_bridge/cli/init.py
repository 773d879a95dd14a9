"""`mab init`: put the bridge into the configuration of the MCP clients on this machine, and take it out again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import person
from multiagent_bridge.errors import BridgeError, Invalid, NotFound, Refused

if TYPE_CHECKING:
    from multiagent_bridge.clients.changes import Change
    from multiagent_bridge.clients.machine import Machine
    from multiagent_bridge.clients.programs import Client, Scope

_PAST = {
    "none": "already configured", "add": "configured", "update": "updated", "replace": "replaced", "remove": "removed",
    "restore": "restored", "delete": "deleted", "forget": "already gone",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Mount the command on `app`."""
    app.command("init")(init)


def init(
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", help="Only this client, installed or not (repeatable)."),
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="user|project", help="For you everywhere, or for this directory.")
    ] = None,
    as_name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="The agent's name [default: the client's].")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Show the difference and write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take out again what mab init wrote.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace another server that is called mab.")] = False,
    yolo: Annotated[
        bool, typer.Option("--yolo", help="Write YOLO_MODE=1: these agents may ask for commands, a person decides.")
    ] = False,
    hooks: Annotated[
        bool, typer.Option("--hooks", help="Write the hooks too, by which waiting mail sets an idle agent going.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Configure the MCP clients found here to use the bridge: shows the difference, asks, keeps a backup."""
    from multiagent_bridge import config
    from multiagent_bridge.cli import output
    from multiagent_bridge.clients.machine import this_machine

    try:
        machine, state = this_machine(), config.home()
        plan = _Plan()
        if undo:
            if as_name is not None or force or yolo or hooks:
                raise Invalid("--as, --force, --yolo and --hooks have no meaning with --undo", "leave them out")
            _plan_undo(plan, machine, state, _clients(client), _scope(scope))
        else:
            where = _scope(scope) or "user"
            if yolo and where == "project":
                raise Invalid(
                    "a project's file would open the gate for whoever clones it", "--yolo goes with --scope user"
                )
            if hooks and where == "project":
                raise Invalid(
                    "a project's file would run hooks for whoever clones it", "--hooks goes with --scope user"
                )
            _plan_entries(plan, machine, state, _clients(client), where, as_name, force=force, yolo=yolo)
            if hooks:
                _plan_hooks(plan, machine, state, as_name)
        ask = None if yes or show else _asker(undo=undo, as_json=as_json)
        _run(plan, state, show=show, as_json=as_json, ask=ask)
    except BridgeError as fault:
        if as_json:
            typer.echo(json.dumps({"error": _error(fault)}))
        output.error(fault)
        raise typer.Exit(fault.exit_status) from None
    if plan.faults:
        raise typer.Exit(plan.faults[0].error.exit_status)


@dataclass(frozen=True, slots=True)
class _Fault:
    client: str
    error: BridgeError


@dataclass(slots=True)
class _Plan:
    changes: list[Change] = field(default_factory=list)
    faults: list[_Fault] = field(default_factory=list)
    backups: dict[int, Path] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    def attempt(self, client: str, make: Callable[[], Change]) -> None:
        """One client's trouble does not stop the others."""
        try:
            self.changes.append(make())
        except BridgeError as error:
            self.faults.append(_Fault(client, error))


def _plan_entries(
    plan: _Plan,
    machine: Machine,
    state: Path,
    named: list[Client],
    scope: Scope,
    as_name: str | None,
    *,
    force: bool,
    yolo: bool,
) -> None:
    from multiagent_bridge.clients.changes import plan_entry
    from multiagent_bridge.clients.machine import launch_words, plain
    from multiagent_bridge.clients.programs import CLIENTS

    clients = named or [known for known in CLIENTS if known.present(machine) and (scope == "user" or known.project)]
    if not clients:
        raise NotFound("no MCP client was found", "--client NAME, one of " + ", ".join(known.name for known in CLIENTS))
    if as_name is not None and len(clients) > 1:
        raise Invalid("--as names one agent, and there are several clients", "add --client NAME")
    words = launch_words(machine, sys.argv[0], sys.executable)
    environment: dict[str, str] = {}
    if machine.environ.get("MAB_HOME"):
        environment["MAB_HOME"] = plain(os.path.normpath(state), "MAB_HOME")
    if yolo:
        environment["YOLO_MODE"] = "1"
    for one in clients:
        agent = _agent_name(as_name if as_name is not None else one.name)
        plan.attempt(
            one.name,
            lambda one=one, agent=agent: plan_entry(  # type: ignore[misc]
                one, scope, machine, words, agent, environment, state, force=force
            ),
        )


def _plan_hooks(plan: _Plan, machine: Machine, state: Path, as_name: str | None) -> None:
    from multiagent_bridge.clients.changes import plan_hooks, plan_plugin
    from multiagent_bridge.clients.hooks import HOOKS
    from multiagent_bridge.clients.machine import launch_words, plain
    from multiagent_bridge.clients.plugins import PLUGINS

    words = launch_words(machine, sys.argv[0], sys.executable)
    home = plain(os.path.normpath(state), "MAB_HOME") if machine.environ.get("MAB_HOME") else ""
    for change in list(plan.changes):
        agent = _agent_name(as_name if as_name is not None else change.client.name)
        if change.client.name in PLUGINS:
            plan.attempt(
                change.client.name,
                lambda change=change, agent=agent: plan_plugin(change, machine, words, agent, home, state),  # type: ignore[misc]
            )
            continue
        if change.client.name not in HOOKS:
            _say(f"{change.client.name}: no hooks, it has none that run a command")
            continue
        try:
            hooked = plan_hooks(change, machine, words, agent, home, state)
        except BridgeError as error:
            plan.faults.append(_Fault(change.client.name, error))
            continue
        if hooked.snapshot.target == change.snapshot.target:
            plan.changes[plan.changes.index(change)] = hooked
        else:
            plan.changes.append(hooked)


def _plan_undo(plan: _Plan, machine: Machine, state: Path, named: list[Client], scope: Scope | None) -> None:
    from multiagent_bridge.clients import records
    from multiagent_bridge.clients.changes import plan_undo

    names = {one.name for one in named}
    # what the server's file made, the folder both lie in, goes last
    for record in sorted(records.load_all(state), key=lambda record: record.server):
        if (names and record.client not in names) or scope not in (None, record.scope):
            continue
        if record.scope == "project" and not Path(record.path).is_relative_to(machine.project):
            _say(f"{record.client}: {_name(record.path)} is of another project; undo it there")
            continue
        plan.attempt(record.client, lambda record=record: plan_undo(record))  # type: ignore[misc]


def _run(plan: _Plan, state: Path, *, show: bool, as_json: bool, ask: Callable[[], None] | None) -> None:
    from multiagent_bridge.clients.changes import carry_out

    for fault in plan.faults:
        _say(f"{fault.client}: {fault.error}")
    if not plan.changes and not plan.faults:
        _say("nothing to undo")
    for change in plan.changes:
        if change.writes:
            _show(change.difference, to_stderr=as_json)
        elif change.action == "none":
            _say(f"{change.client.name}: already configured in {_name(change.path)}")
    if not show and any(change.writes for change in plan.changes) and ask is not None:
        ask()
    if not show:
        for at, change in enumerate(plan.changes):
            if change.action == "none":
                continue
            try:
                backup = carry_out(change, state)
            except BridgeError as error:
                plan.faults.append(_Fault(change.client.name, error))
                _say(f"{change.client.name}: {error}")
                continue
            plan.done.add(at)
            if backup is not None:
                plan.backups[at] = backup
            _say(_told(change, backup))
    if as_json:
        typer.echo(json.dumps(_answer(plan, show=show), indent=1))


def _asker(*, undo: bool, as_json: bool) -> Callable[[], None]:
    """Asks once for everything shown. Raises Refused where nobody can answer, or the answer is no."""

    def ask() -> None:
        if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Refused("nothing was written: nobody was there to agree", "add --yes, or --print to look only")
        question = "Take this out?" if undo else "Write this?"
        person.agreed(question, "nothing was written", "run it again when you want it")

    return ask


def _show(lines: list[str], *, to_stderr: bool) -> None:
    stream = sys.stderr if to_stderr else sys.stdout
    colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    paint = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        bold = line.startswith(("+++ ", "--- "))
        styled = typer.style(line, fg=None if bold else paint.get(line[:1]), bold=bold or None) if colour else line
        typer.echo(styled, err=to_stderr, color=colour)


def _told(change: Change, backup: Path | None) -> str:
    told = f"{change.client.name}: {_PAST[change.action]} in {_name(change.path)}"
    if backup is not None:
        told += f" (backup {_name(backup.name)})"
    if change.action in ("add", "update", "replace"):
        told += f"; next: {change.next_step}"
    return told


def _answer(plan: _Plan, *, show: bool) -> dict[str, object]:
    rows = [
        {
            "client": change.client.name,
            "scope": change.scope,
            "path": str(change.path),
            "action": change.action,
            "done": at in plan.done,
            "key": change.key or ".".join(change.client.path),
            "entry": change.entry if change.action in ("none", "add", "replace", "update") else None,
            "backup": str(plan.backups[at]) if at in plan.backups else None,
            "difference": change.difference,
        }
        for at, change in enumerate(plan.changes)
    ]
    faults = [{"client": fault.client, **_error(fault.error)} for fault in plan.faults]
    return {"print": show, "changes": rows, "errors": faults}


def _error(fault: BridgeError) -> dict[str, str]:
    return {"code": fault.code, "message": fault.sentence, "hint": fault.hint}


def _clients(names: list[str] | None) -> list[Client]:
    from multiagent_bridge.clients.programs import client_called

    return list(dict.fromkeys(client_called(name) for name in names or []))


def _scope(name: str | None) -> Scope | None:
    from multiagent_bridge.clients.programs import SCOPES

    for known in SCOPES:
        if name == known:
            return known
    if name is not None:
        raise Invalid("--scope is not one of its values", "use user, project")
    return None


def _agent_name(name: str) -> str:
    from multiagent_bridge.clients.machine import plain
    from multiagent_bridge.guard.text import line

    if name.startswith("-"):
        raise Invalid("the agent's name starts with a dash", "--as NAME, for example codex-2")
    return plain(line("the agent's name", name, 1, 100), "the agent's name")


def _name(path: Path | str) -> str:
    from multiagent_bridge.clients.files import shown

    return shown(path)


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
