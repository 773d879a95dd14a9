"""Test 6: a wrong token, a key in a message, and the four stages of the guard, in order and out of order."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from multiagent_bridge.validation import terminal
from multiagent_bridge.validation.agents import Agent, Failed
from multiagent_bridge.validation.frame import NotHere, Sheet
from multiagent_bridge.validation.team import Team, Worker, read

PROOF = "proof.txt"
COMMAND = "ls"
WAIT_SECONDS = 40
NOBODY = 65534

DATABASE = "SQLite format 3"
"""How every database begins."""

SEARCH = (
    "import pathlib, sys\n"
    "needle = sys.stdin.buffer.readline().strip()\n"
    "files = [file for file in pathlib.Path(sys.argv[1]).rglob('*') if file.is_file() and not file.is_symlink()]\n"
    "print(sum(needle in file.read_bytes() for file in files), flush=True)\n"
)
"""Reads every file below a folder and says how many hold the line on its standard input."""


async def security(team: Team, sheet: Sheet) -> None:
    """Test 6. Where no sandbox works, no command can run: then it is not run, and says so."""
    began = await team.ledger.size()
    refusals = await _tokens(team, sheet)
    await _secret(team, sheet)
    refusals += await _stages(team, sheet)
    entries = await team.ledger.entries(began)
    written = sum(entry.outcome == "refused" for entry in entries)
    sheet.target("refusals that are entries of the journal", "at least", refusals, written)


async def _tokens(team: Team, sheet: Sheet) -> int:
    """Three forged tokens: one digit changed, another session's, another conversation's."""
    intruder, victim = team.workers[0], team.workers[1]
    changed = victim.token[:-1] + ("0" if victim.token[-1] != "0" else "1")
    refused = 0
    for token in (changed, intruder.token, "0" * len(victim.token)):
        said = await intruder.agent.call(
            "send_to_partner", message="forged", session_id="b", token=token, **victim.here
        )
        refused += said.code == "not_allowed"
    mail = await read(team.orchestrator, victim.conversation)
    sheet.did("a worker tried three wrong tokens for another's conversation")
    sheet.target("wrong tokens refused as not_allowed", "exactly", 3, refused)
    sheet.target("forged messages delivered", "exactly", 0, sum(m["message"] == "forged" for m in mail))
    return refused


async def _secret(team: Team, sheet: Sheet) -> None:
    """A key in a message: the reader gets its placeholder, and no file of the store holds it."""
    worker = team.workers[2]
    # made up now, so that no scanner finds one in our source
    key = "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
    sent = await worker.agent.good("send_to_partner", message=f"the key is {key}", tries=6, **worker.here)
    mail = await read(team.orchestrator, worker.conversation)
    found = await holding(team, key)
    sheet.did("a worker pasted an access key into a message")
    sheet.holds("the sender is told that it was redacted", bool(sent["redacted"]))
    sheet.holds("the reader gets the placeholder", any("AWS_KEY_REDACTED" in m["message"] for m in mail))
    sheet.target("files of the store that hold the key", "exactly", 0, found)
    sheet.target("files that the same search finds by what they hold", "at least", 1, await holding(team, DATABASE))


async def holding(team: Team, needle: str) -> int:
    """How many files of the state directory hold these letters.

    Looked for by a process of its own: one that has the store open loses its locks when it closes another handle of it.
    """
    started = await team.stage.start(sys.executable, "-I", "-c", SEARCH, str(team.stage.home), talk=True)
    assert started.process.stdin is not None
    started.process.stdin.write(needle.encode() + b"\n")
    started.process.stdin.close()
    return int(await started.line(60))


async def _stages(team: Team, sheet: Sheet) -> int:
    """The guard. Returns how many refusals were met on the way."""
    shut, opened = team.workers[0], team.workers[-2]
    folder = _workspace(team)
    refused = await _closed(team, shut, opened, sheet)
    sandbox = await _sandbox(team)
    enabled, shown = await _enabled(team, opened, folder, sheet)
    if not enabled:
        sheet.did(f"enabling was refused: {shown}")
        if sandbox:
            raise Failed(f"the guard could not be enabled: {shown}")
        sheet.lacks = "no sandbox works on this machine: the guard refused to enable commands, and none was run"
        return refused
    return refused + await _run(team, opened, sheet)


def _workspace(team: Team) -> Path:
    """A folder with one file. As root commands run as the folder's owner, who must be able to come there."""
    folder = team.stage.folder("workspace")
    (folder / PROOF).write_text("this file is listed\n", encoding="utf-8")
    if os.geteuid() == 0:
        team.stage.root.chmod(0o711)
        if not all(place.stat().st_mode & 0o001 for place in folder.parents):
            raise NotHere("as root, commands run as nobody, who may not enter the folder for temporary files (TMPDIR)")
        for path in (folder, folder / PROOF):
            os.chown(path, NOBODY, NOBODY)
    return folder


async def _closed(team: Team, shut: Worker, opened: Worker, sheet: Sheet) -> int:
    """Out of order: stage 2 without stage 1, stage 4 without stages 2 and 3."""
    sheet.holds("stage 1 closed: the tools do not exist", "execute_command" not in shut.agent.tools)
    sheet.holds("stage 1 open: the tools exist", "execute_command" in opened.agent.tools)
    closed = await shut.agent.call("execute_command", command=COMMAND, dry_run=False, **shut.here)
    early = await opened.agent.call("execute_command", command=COMMAND, dry_run=False, **opened.here)
    status, _, said = await team.stage.mab(
        "yolo", "enable", opened.conversation, "--mode", "safe", "--workspace", str(team.stage.root / "workspace")
    )
    sheet.did(
        "asked for a command with the gate closed, and with it open but nothing enabled; enabled it without a terminal"
    )
    sheet.holds("a command without stage 1 is refused", bool(closed.code))
    sheet.holds("a command without stages 2 and 3 is refused", bool(early.code))
    sheet.holds("enabling without a person at a terminal is refused", status == 3 and "terminal" in said)
    return int(bool(closed.code)) + int(bool(early.code))


async def _sandbox(team: Team) -> bool:
    """Whether `mab doctor` finds a sandbox that works."""
    _, out, _ = await team.stage.mab("doctor", "--json")
    rows = json.loads(out)["checks"]
    return any(row["check"] == "sandbox" and row["found"].startswith("commands run in ") for row in rows)


async def _enabled(team: Team, worker: Worker, folder: Path, sheet: Sheet) -> tuple[bool, str]:
    """Stages 2 and 3 at a terminal: with a wrong phrase, with a wrong code, and right. Returns whether it is enabled."""
    words = ["yolo", "enable", worker.conversation, "--mode", "safe", "--workspace", str(folder)]
    status, shown = await terminal.typed(team.stage, words, lambda _: "yes")
    if "Type " not in shown:
        return False, shown.strip().splitlines()[0] if shown.strip() else f"status {status}"
    sheet.holds("stage 2: another phrase is refused", status != 0)

    def wrong(shown: str) -> str:
        return "000000" if terminal.said(terminal.CODE, shown) else terminal.person(shown)

    status, _ = await terminal.typed(team.stage, words, wrong)
    sheet.holds("stage 3: a wrong code is refused", status != 0)
    early = await worker.agent.call("execute_command", command=COMMAND, dry_run=False, **worker.here)
    sheet.holds("after both a command is still refused", bool(early.code))
    status, shown = await terminal.typed(team.stage, words, terminal.person)
    sheet.did("a person at a terminal typed a wrong phrase, then a wrong code, then both right")
    sheet.holds("stages 2 and 3 done: enabled", status == 0)
    return status == 0, shown.strip().splitlines()[-1] if shown.strip() else f"status {status}"


async def _run(team: Team, worker: Worker, sheet: Sheet) -> int:
    """Stage 4: a dry run, a request, a run without and with a forged approval, an approval, one run, and no second."""
    agent, here = worker.agent, worker.here
    dry = await agent.good("execute_command", tries=6, command=COMMAND, **here)
    banned = await agent.call("execute_command", tries=6, command="rm -rf /", dry_run=False, **here)
    asked = await _asked(agent, here)
    number = asked["command_id"]
    before = await agent.call("execute_command", tries=6, command_id=number, dry_run=False, **here)
    forged = await agent.call(
        "execute_command", tries=6, command_id=number, dry_run=False, approval_token="f" * 64, **here
    )
    sheet.did("asked for a dry run and for the command, and tried to run it unapproved and with a forged token")
    sheet.holds(
        "the dry run shows the verdict and runs nothing", dry["state"] == "allowed" and dry["exit_code"] is None
    )
    sheet.holds("a command that no mode allows is refused", banned.code != "" or banned.fields["state"] == "refused")
    sheet.holds("asked for, it waits for a person", asked["state"] == "pending")
    sheet.holds("unapproved it does not run", not _ran(before.fields))
    sheet.holds("with a forged approval it does not run either", not _ran(forged.fields))
    status, _ = await terminal.typed(team.stage, ["yolo", "approve", number], terminal.person)
    sheet.holds("stage 4: a person approved exactly this command", status == 0)
    other = await agent.call(
        "execute_command", tries=6, command_id=number, dry_run=False, approval_token="f" * 64, **here
    )
    sheet.holds("once approved, another approval token is refused", other.code == "not_approved")
    done = await _finished(agent, number, here)
    again = await agent.call("execute_command", tries=6, command_id=number, dry_run=False, **here)
    started = [e for e in await team.ledger.entries(team.began - 1) if e.action == "command.start"]
    sheet.did("the approved command ran in a sandbox, and was asked for again")
    sheet.holds("it ran and listed the workspace", done.get("exit_code") == 0 and PROOF in str(done.get("stdout")))
    sheet.target("runs of the approved command", "exactly", 1, len(started))
    sheet.holds("a second call runs nothing", again.fields.get("duration", 0) in (0, None, done.get("duration")))
    await read(team.orchestrator, worker.conversation)
    await read(agent, worker.conversation)
    return int(other.code == "not_approved")


async def _asked(agent: Agent, here: dict[str, Any]) -> dict[str, Any]:
    """The request for the command. Raises NotHere where no sandbox can run it."""
    said = await agent.call("execute_command", command=COMMAND, dry_run=False, **here)
    if said.code == "unavailable":
        raise NotHere(f"the guard refused to take the command: {said.text}")
    if said.code:
        raise Failed(f"the command was refused: {said.text}")
    return dict(said.fields)


def _ran(fields: Any) -> bool:
    return fields.get("exit_code") is not None


async def _finished(agent: Agent, number: str, here: dict[str, Any]) -> dict[str, Any]:
    said = await agent.call("execute_command", command_id=number, dry_run=False, wait_seconds=WAIT_SECONDS, **here)
    if said.code == "unavailable":
        raise NotHere(f"the approved command was not run: {said.text}")
    if said.code:
        raise Failed(f"the approved command did not run: {said.text}")
    return dict(said.fields)
