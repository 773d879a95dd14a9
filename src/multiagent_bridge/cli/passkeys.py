"""Commands of passkeys: passkey add, list, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.cli.conversations import Json

if TYPE_CHECKING:
    from multiagent_bridge.model.passkeys import Passkey


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Passkeys that approve commands on the dashboard.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(add)
    group.command("list")(list_all)
    group.command()(remove)
    app.add_typer(group, name="passkey")


def _group() -> None:
    """Passkeys that approve commands on the dashboard."""


def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose: the name that the dashboard shows; operator when left out.")
    ] = "",
) -> None:
    """Show the one-time code with which a browser registers a passkey, on the page /approvals/passkeys."""
    person.required("adding a passkey")
    made = owner.run(lambda hub, me: hub.passkeys.invite(me, name or me.name))
    output.line(f"Type the code {made.code} on the dashboard, under Approvals, Passkeys.", "bold")
    output.say(f"it registers one passkey for {made.name}, within five minutes; keep it to yourself")


def list_all(as_json: Json = False) -> None:
    """Show every passkey: whose it is, for which host, and when it was last used."""
    found = owner.run(lambda hub, me: hub.passkeys.list(me))
    if as_json:
        output.data([fields(one) for one in found])
        return
    rows = [(one.id, one.name, one.rp, *(str(fields(one)[name] or "never") for name in INSTANTS)) for one in found]
    output.table(["passkey", "name", "host", "added", "last used"], rows)
    if not rows:
        output.say("no passkey is registered")


def remove(
    passkey: Annotated[str, typer.Argument(metavar="ID", help="An id that mab passkey list shows.")],
) -> None:
    """Remove a passkey: it approves nothing any more."""
    owner.run(lambda hub, me: hub.passkeys.remove(me, passkey))
    output.say(f"{passkey} is removed")


INSTANTS = ("added_at", "used_at")


def fields(passkey: Passkey) -> dict[str, object]:
    """A passkey as `--json` shows it."""
    from multiagent_bridge.model.instants import microseconds_to_iso

    return {
        "passkey_id": passkey.id,
        "name": passkey.name,
        "host": passkey.rp,
        "added_at": microseconds_to_iso(passkey.added_at),
        "used_at": None if passkey.used_at is None else microseconds_to_iso(passkey.used_at),
    }
