"""The steps of the demo. Each asserts what it shows, and raises Failed where the bridge does otherwise."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multiagent_bridge.cli.demo_stage import Failed, Stage, invented_key, refusal, tool

if TYPE_CHECKING:
    from mcp import Client

    from multiagent_bridge.cli.demo_teller import Teller

STEP_SECONDS = 30.0
WAIT_SECONDS = 20
POLL_SECONDS = 0.02


@dataclass(slots=True)
class Cast:
    """Who plays, and what they came to know."""

    teller: Teller
    stage: Stage
    backend: Client
    frontend: Client
    conversation: str = ""
    backend_token: str = ""
    accepted: int = 0


Step = Callable[[Cast], Awaitable[None]]


async def tell(teller: Teller, stage: Stage) -> None:
    """Every step in order, each within its time."""
    async with asyncio.timeout(STEP_SECONDS):
        backend = await stage.client("backend", "auto")
        frontend = await stage.client("frontend", "legacy")
    _ensure(backend.protocol_version != frontend.protocol_version, "both clients speak the same revision of MCP")
    teller.title(
        f"two MCP clients ({backend.protocol_version} and {frontend.protocol_version}), "
        f"one hub (process {stage.hub_process}), all in {stage.home}"
    )
    cast = Cast(teller, stage, backend, frontend)
    for step, title in STEPS:
        await teller.begin(title)
        async with asyncio.timeout(STEP_SECONDS):
            await step(cast)


async def message(cast: Cast) -> None:
    made = await tool(cast.backend, "create_conversation", my_role="backend", partner_role="frontend")
    cast.conversation, cast.backend_token = made["conversation_id"], made["session_a_token"]
    invite = made["sessions"][1]["invite"]
    joined = await tool(cast.frontend, "join_conversation", invite=invite)
    _ensure(joined["session_id"] == "b", "the invite did not open session b")
    _ensure(await refusal(cast.frontend, "join_conversation", invite=invite) is not None, "an invite worked twice")
    said = "POST /login answers 401 once the token has expired. Which header do you send?"
    await tool(cast.backend, "send_to_partner", message=said, action_type="question")
    cast.accepted += 1
    heard = (await tool(cast.frontend, "check_messages"))["messages"]
    again = (await tool(cast.frontend, "check_messages"))["messages"]
    _ensure([m["message"] for m in heard] == [said], "the message did not arrive as it was sent")
    _ensure(not again, "the message arrived twice")
    cast.teller.says("backend", said)
    cast.teller.says("frontend", heard[0]["message"], to=False)
    cast.teller.checked(f"joined by the one-time code {invite}; delivered once")


async def secret(cast: Cast) -> None:
    key = invented_key()
    said = f"Authorization. I sign with {key}, in case that matters."
    sent = await tool(cast.frontend, "send_to_partner", message=said)
    cast.accepted += 1
    (heard,) = (await tool(cast.backend, "check_messages"))["messages"]
    _ensure(sent["redacted"] and "AWS_KEY" in " ".join(sent["redactions"]), "the sender was not told of the redaction")
    _ensure(heard["message"] == said.replace(key, "AWS_KEY_REDACTED"), "the key was not replaced by its placeholder")
    found = await asyncio.to_thread(_files_holding, cast.stage.home, key.encode())
    _ensure(not found, f"the key stands in {', '.join(found)}")
    cast.teller.says("frontend", said)
    cast.teller.says("backend", heard["message"], to=False)
    cast.teller.checked("no file of the hub holds the key: it was replaced before anything was stored")


async def forgery(cast: Cast) -> None:
    token = cast.backend_token
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    said = await refusal(
        cast.frontend,
        "send_to_partner",
        message="this is the backend speaking",
        conversation_id=cast.conversation,
        session_id="a",
        token=forged,
    )
    _ensure(said is not None and said.startswith("not_allowed: "), f"a forged token was answered with: {said}")
    _ensure(not (await tool(cast.backend, "check_messages"))["messages"], "a forged message was delivered")
    cast.teller.refused("frontend", str(said).split(" (")[0])
    cast.teller.checked("one digit of session a's token was changed; nothing was delivered")


async def wake(cast: Cast) -> None:
    before = await _heartbeat(cast)
    waiting = asyncio.create_task(tool(cast.frontend, "check_messages", wait_seconds=WAIT_SECONDS))
    try:
        # no event of another process can be waited for here: that is what is about to be shown
        while await _heartbeat(cast) == before:
            await asyncio.sleep(POLL_SECONDS)
        _ensure(not waiting.done(), "a client that waits for mail returned without any")
        cast.teller.says("frontend", f"check_messages(wait_seconds={WAIT_SECONDS})", to=True)
        began = time.perf_counter()
        await tool(cast.backend, "send_to_partner", message="Thanks: it was the clock. Fixed.", action_type="complete")
        cast.accepted += 1
        (heard,) = (await waiting)["messages"]
        milliseconds = (time.perf_counter() - began) * 1000
    finally:
        waiting.cancel()
    _ensure(heard["message"].endswith("Fixed."), "the waiting client was handed another message")
    cast.teller.says("backend", heard["message"])
    cast.teller.checked(f"the waiting client had it {milliseconds:.0f} ms after the call to send it began")


async def limit(cast: Cast) -> None:
    accepted, said = 0, None
    while said is None:
        said = await refusal(cast.backend, "send_to_partner", message=f"and another thing ({accepted + 1})")
        accepted += said is None
        _ensure(accepted <= 12, "more than ten messages a minute went through")
    wait = re.search(r"try again in (\d+) s", said)
    _ensure(said.startswith("too_fast: ") and wait is not None and int(wait[1]) >= 1, f"the refusal says: {said}")
    cast.teller.says("backend", f"{accepted} messages at once")
    cast.teller.refused("backend", said)
    cast.accepted += accepted
    cast.teller.checked("ten a minute from one session, and the refusal says when to try again")


async def verified(cast: Cast) -> None:
    (status, said), (_, listed) = await asyncio.gather(
        cast.stage.mab("audit", "--verify"), cast.stage.mab("audit", "--json", "-", "1000")
    )
    entries = json.loads(listed)
    _ensure(status == 0 and said.startswith("verified: "), f"mab audit --verify said: {said}")
    sent = sum(e["action"] == "message.send" and e["outcome"] == "done" for e in entries)
    _ensure(sent == cast.accepted, f"{cast.accepted} messages were sent, and the journal knows of {sent}")
    refusals = [e["code"] for e in entries if e["outcome"] == "refused"]
    _ensure(refusals == ["not_allowed", "not_allowed", "too_fast"], f"the journal knows of these refusals: {refusals}")
    cast.teller.runs("mab audit --verify", said)
    cast.teller.checked(f"all {sent} messages and all {len(refusals)} refusals above are entries")


async def tampered(cast: Cast) -> None:
    copy = cast.stage.home / "copy"
    sequence, change = await _forged_copy(cast.stage.home, copy)
    status, said = await cast.stage.mab("audit", "--verify", home=copy)
    sentence = said.splitlines()[0] if said else ""
    _ensure(status == 10, f"mab audit --verify left with status {status}: {sentence}")
    _ensure(
        re.search(rf"\bentry {sequence}\b", sentence) is not None, f"the changed entry is {sequence}, but: {sentence}"
    )
    cast.teller.runs("mab audit --verify", sentence)
    cast.teller.checked(f"in a copy of the database one byte of entry {sequence} was changed ({change})")


STEPS: tuple[tuple[Step, str], ...] = (
    (message, "A message, between clients of two protocol generations"),
    (secret, "A key that was pasted by accident"),
    (forgery, "A forged token"),
    (wake, "A client that waits is woken"),
    (limit, "A rate limit"),
    (verified, "The journal verifies"),
    (tampered, "One byte is changed, and found"),
)


def _ensure(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


async def _heartbeat(cast: Cast) -> object:
    """When the frontend was last heard, as the backend sees it: it moves once the waiting call was admitted."""
    return (await tool(cast.backend, "check_partner_status"))["last_heartbeat"]


def _files_holding(directory: Path, needle: bytes) -> list[str]:
    """Names of the files under `directory` that hold these bytes."""
    places = (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)
    return [path.name for path in places if path.is_file() and needle in path.read_bytes()]


async def _forged_copy(home: Path, copy: Path) -> tuple[int, str]:
    """A copy of the state directory in which one byte of one entry differs. Returns its number and what was changed."""
    from multiagent_bridge.adapters.sqlite.store import SqliteStore

    database = copy / "bridge.db"
    await asyncio.to_thread(_copied, home, copy)
    async with SqliteStore(database) as store:
        entries = await store.read(lambda tx: tx.journal.newest(1000))
    sent = next(entry for entry in entries if entry.action == "message.send" and entry.outcome == "done")
    content = bytearray(database.read_bytes())
    marked = f'"digest":"{sent.digest}'.encode()
    at = content.find(marked)
    while at >= 0:
        last = at + len(marked) - 1
        before, content[last] = content[last], ord("0" if content[last] != ord("0") else "1")
        database.write_bytes(content)
        async with SqliteStore(database) as store:
            ((_, line),) = await store.read(lambda tx: tx.journal.lines(sent.seq - 1, 1))
        if line != sent.line:
            return sent.seq, f"its digest ends in {chr(content[last])} instead of {chr(before)}"
        # a page that was split keeps old bytes that nobody reads: this was one of those
        content[last] = before
        at = content.find(marked, last)
    raise Failed("the entry to change was not found in the copy")


def _copied(home: Path, copy: Path) -> None:
    """The key, and the database in use as it is at one instant, in a new directory."""
    import apsw

    copy.mkdir(mode=0o700)
    key, database = copy / "master.key", copy / "bridge.db"
    key.touch(mode=0o600)
    key.write_bytes((home / "master.key").read_bytes())
    connection = apsw.Connection(str(home / "bridge.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        connection.execute("VACUUM INTO ?", (str(database),))
    finally:
        connection.close()
    database.chmod(0o600)
