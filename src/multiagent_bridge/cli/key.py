"""Commands of the hub's keys: key create, key list, key revoke."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid

if TYPE_CHECKING:
    from multiagent_bridge.model.identities import ApiKey

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
NEVER = "never"

_SPAN = re.compile(r"([0-9]{1,9})([smhd])")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Keys with which agents and people come from other machines.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(create)
    group.command("list")(list_all)
    group.command()(revoke)
    app.add_typer(group, name="key")


def _group() -> None:
    """Keys with which agents and people come from other machines."""


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it, such as the machine it is for.")],
    role: Annotated[list[str], typer.Option("--role", help="agent, operator, auditor or admin; may be given again.")],
    conversation: Annotated[
        list[str] | None,
        typer.Option("--conversation", metavar="CONV", help="Confine it to this one; may be given again."),
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="Its life, such as 12h or 30d; or never.")
    ] = "90d",
    as_json: Json = False,
) -> None:
    """Make a key and print it: the only time that it is shown."""
    seconds = span(expires)
    made = owner.run(lambda hub, me: hub.identities.create(me, name, role, conversation or None, seconds))
    if as_json:
        output.data({"key": made.secret} | fields(made.key))
        return
    output.line(made.secret)
    until = fields(made.key)["expires_at"] or NEVER
    output.say(f"{made.key.id} for {made.key.name}, expires {until}: keep it now, it is not shown again")


def list_all(as_json: Json = False) -> None:
    """Show every key: whose it is, what it may do, when it ends and when it was last used; never the key."""
    from multiagent_bridge.adapters.system import SystemClock

    found = owner.run(lambda hub, me: hub.identities.list(me))
    if as_json:
        output.data([fields(key) for key in found])
        return
    now = SystemClock().now()
    columns = ["key", "name", "roles", "conversations", "state", "expires", "last used"]
    rows = []
    for key in found:
        shown = fields(key)
        state = "revoked" if key.revoked_at is not None else "expired" if key.ended(now) else "valid"
        confined = "all" if key.conversations is None else " ".join(key.conversations) or "none"
        times = (shown["expires_at"] or NEVER, shown["used_at"] or NEVER)
        rows.append((key.id, key.name, " ".join(key.roles), confined, state, *times))
    output.table(columns, rows)
    if not rows:
        output.say("no keys; mab key create NAME --role agent makes one")


def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as mab key list shows it.")],
) -> None:
    """End a key for good, with every connection that it holds open."""
    ended = owner.run(lambda hub, me: hub.identities.revoke(me, key))
    output.say(f"{ended.id} ({ended.name}) opens nothing any more")


def span(given: str) -> int | None:
    """A length of time in seconds, None for never. Raises Invalid."""
    if given == NEVER:
        return None
    found = _SPAN.fullmatch(given)
    if found is None:
        raise Invalid("that is no length of time", "such as 45m, 12h, 30d or never")
    return int(found[1]) * UNITS[found[2]]


def fields(key: ApiKey) -> dict[str, object]:
    """A key as `--json` shows it: without what could open anything."""
    from multiagent_bridge.model.journal import microseconds_to_iso

    instants = {"created_at": key.created_at, "expires_at": key.expires_at}
    instants |= {"revoked_at": key.revoked_at, "used_at": key.used_at}
    return {
        "key_id": key.id,
        "name": key.name,
        "roles": list(key.roles),
        "conversations": None if key.conversations is None else list(key.conversations),
        **{name: None if at is None else microseconds_to_iso(at) for name, at in instants.items()},
    }
