"""Commands of credentials for workers elsewhere: keygen, push, pull, wake, hook; sync stands in a file of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.cli.credentials_sync import Branch, Publisher, Repo, Worker, sync
from multiagent_bridge.cli.files import unread
from multiagent_bridge.errors import Invalid

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.model.parcels import Address
    from multiagent_bridge.services.hub import Hub
    from multiagent_bridge.services.parcels import Pulled, Pushed

ABOUT = "Credentials for workers elsewhere: encrypted to each worker's key, carried by a git repository."
LIST_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=ABOUT, no_args_is_help=True)
    group.callback(help=ABOUT)(_group)
    for command in (keygen, push, pull, sync, wake, hook):
        group.command()(command)
    app.add_typer(group, name="credentials")


def _group() -> None:
    pass


def keygen(
    force: Annotated[
        bool, typer.Option("--force", help="Make a new identity; what was encrypted to the old one opens no more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make this machine's age identity, once, and print its public key, and the key that marks what this hub publishes."""
    from multiagent_bridge import config
    from multiagent_bridge.adapters.parcels import age

    home = config.load().home
    file = age.file_of(home)
    had = file.exists() and not force
    recipient = str(age.identity(home, make=True, again=force).to_public())

    async def named(hub: Hub, me: Caller) -> str:
        if not had:
            await hub.journal.note(me, "credentials.keygen", "age identity", {"recipient": recipient})
        return hub.parcels.publisher

    publisher = owner.run(named)
    if as_json:
        output.data({"recipient": recipient, "publisher": publisher, "file": str(file), "made": not had})
    else:
        output.facts({"recipient": recipient, "publisher": publisher})


def push(
    repo: Repo,
    conversation: Annotated[str | None, typer.Argument(metavar="CONV", help="Conversation id.")] = None,
    session: Annotated[str | None, typer.Argument(metavar="SESSION", help="Session id.")] = None,
    worker: Annotated[str | None, typer.Option("--worker", metavar="NAME", help="Who is to have the session.")] = None,
    key: Annotated[str | None, typer.Option("--key", metavar="age1...", help="The worker's age recipient.")] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="File that holds the age recipient.")
    ] = None,
    workers: Annotated[
        Path | None,
        typer.Option(
            "--workers", metavar="FILE",
            help="Several at once: TOML or JSON, a list worker of name, key, conversation (CONV) and session.",
        ),
    ] = None,
    branch: Branch = "main",
    hub: Annotated[
        str, typer.Option("--hub", metavar="URL", help="Where workers on other machines reach the hub, over HTTPS.")
    ] = "",
    hub_key_file: Annotated[
        Path | None, typer.Option("--hub-key-file", metavar="FILE", help="File with the API key that workers show there.")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Send a session's credentials to its worker: signed, encrypted to the worker's key, pushed. Again after every rotation."""
    from multiagent_bridge import config
    from multiagent_bridge.adapters.parcels import carriers
    from multiagent_bridge.model.parcels import Address

    home = config.load().home
    if workers is not None:
        addresses = _listed(workers, conversation)
    elif conversation and session and worker and (key or key_file):
        addresses = [Address(worker, key or _recipient(key_file), conversation, session)]
    else:
        raise Invalid(
            "it is not said whose credentials go to whom",
            "mab credentials push CONV SESSION --worker NAME --key age1... --repo URL, or --workers FILE",
        )
    hub_key = _text(hub_key_file).strip() if hub_key_file else ""
    post = carriers.GitPost(carriers.repository(home, repo, branch, "push"))

    async def sent(opened: Hub, me: Caller) -> Pushed:
        # an older file must not overtake a newer one
        async with carriers.alone(home, "push"):
            return await opened.parcels.push(me, addresses, hub, post, hub_key)

    pushed = owner.run(sent)
    if as_json:
        output.data(pushed.fields())
        return
    rows = [(p.worker, p.conversation_id, p.session_id, f"number {p.sequence}") for p in pushed.parcels]
    output.table(["worker", "conversation", "session", "number"], rows)


def pull(
    worker: Worker,
    repo: Repo,
    branch: Branch = "main",
    publisher: Publisher = None,
    as_json: Json = False,
) -> None:
    """Look once for this worker's credentials: fetch, decrypt, verify, keep."""
    from multiagent_bridge import config
    from multiagent_bridge.cli.credentials_sync import Looking

    looking = Looking(config.load().home, worker, repo, branch, publisher)
    found: Pulled = asyncio.run(looking.look())
    from multiagent_bridge.services.parcels import fields

    state = "new" if found.fresh else "unchanged"
    if as_json:
        output.data({"state": state} | fields(found.parcel) | {"file": str(looking.file)})
    else:
        seat = f"{found.parcel.conversation_id} session {found.parcel.session_id}"
        output.line(f"{state}: {worker} is {seat} ({found.parcel.role}), number {found.parcel.sequence}")


def wake() -> None:
    """Have every sync of this state directory look at once: for hooks, and whatever else learns of a push."""
    from multiagent_bridge import config
    from multiagent_bridge.cli.credentials_wake import ring

    asyncio.run(ring(config.load().home))


def hook(
    repo: Annotated[str, typer.Option("--repo", metavar="PATH", help="A bare repository on this machine.")],
    as_json: Json = False,
) -> None:
    """Install a post-receive hook in a bare repository on this machine: each push then wakes the workers here."""
    from multiagent_bridge import config
    from multiagent_bridge.adapters.parcels import hooks
    from multiagent_bridge.adapters.state import prepared

    path, written = hooks.installed(Path(repo), prepared(config.load().home))
    if as_json:
        output.data({"file": str(path), "written": written})
    else:
        output.line(str(path))


def _recipient(file: Path | None) -> str:
    """The one recipient of a file; lines that begin with # do not count. Raises NotFound, Invalid."""
    lines = [line.strip() for line in _text(file).splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise Invalid("the key file does not hold exactly one recipient", "one line: age1...")
    return lines[0]


def _listed(file: Path, conversation: str | None) -> Sequence[Address]:
    """The workers of a list. Raises NotFound, Invalid naming the row that is wrong."""
    import json
    import tomllib

    from multiagent_bridge.model.parcels import Address

    text = _text(file)
    try:
        said: Any = (
            json.loads(text) if text.lstrip().startswith(("{", "[")) and file.suffix != ".toml" else tomllib.loads(text)
        )
    except (ValueError, RecursionError) as error:
        raise Invalid(
            "the list of workers is neither TOML nor JSON", "[[worker]] name, key, conversation, session"
        ) from error
    rows = said.get("worker") if isinstance(said, dict) else said
    if not isinstance(rows, list):
        raise Invalid("the list of workers holds no list", "[[worker]] name, key, conversation, session")
    found = []
    for number, row in enumerate(rows, 1):
        words = {"conversation": conversation} | row if isinstance(row, dict) else {}
        parts = [words.get(name) for name in ("name", "key", "conversation", "session")]
        if not all(isinstance(part, str) for part in parts) or len(words) != len(parts):
            raise Invalid(f"row {number} of the list is wrong", "name, key, conversation and session, as text")
        found.append(Address(*parts))  # type: ignore[arg-type]
    return found


def _text(file: Path | None) -> str:
    assert file is not None
    try:
        with file.open("rb") as opened:
            return opened.read(LIST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise unread(file, error, "a list", "name one that is there") from error
