"""One secret in every field of every tool, request and command that takes text; afterwards it must stand nowhere."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge import telemetry
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.mcp.server import TOOLS
from tests.faces.terminal import Terminal
from tests.machines.places import Place, until
from tests.services.forgeries import signed_anew

AWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@pytest.fixture
def secret() -> str:
    """The shape of a cloud's key id: short and plain enough for a role, a name, a key, an argument."""
    return "AKIA" + "".join(secrets.choice(AWS) for _ in range(16))


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


GOOD: dict[str, dict[str, Any]] = {
    "create_conversation": {"my_role": "one side", "partner_role": "other side"},
    "send_to_partner": {"message": "hello"},
    "update_my_status": {"status": "working"},
}


def calls(secret: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every tool with the secret in one of its arguments at a time: as a text, in a list, as a name."""
    for tool in TOOLS:
        least = GOOD.get(tool.name, {})
        for name in tool.schema["properties"]:
            for value in (secret, f"it is {secret} here", [secret], ["a.py", f"keys/{secret}.txt"], {secret: secret}):
                yield tool.name, least | {name: value}
        yield tool.name, least | {secret: 1}
        yield tool.name, least | {f"{secret}-{'x' * 60}": 1}
        yield tool.name, least | {"conversation_id": secret, "session_id": secret, "token": secret}
    yield secret, {}
    yield f"{secret}-{'x' * 60}", {}


def protocol(secret: str) -> Iterator[bytes]:
    """What no tool ever sees."""
    for line in (
        {"jsonrpc": "2.0", "method": secret},
        {"jsonrpc": "2.0", "id": 9_000_001, "method": "tools/call", "params": {"name": [secret]}},
        {"jsonrpc": "2.0", "id": 9_000_002, "method": "tools/call", "params": {"name": "x", "arguments": secret}},
        {"jsonrpc": "2.0", "id": 9_000_003, "method": "prompts/get", "params": {"name": secret}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": secret}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": secret, "progress": secret}},
        {"not": secret},
    ):
        yield json.dumps(line).encode() + b"\n"
    yield f'{{"jsonrpc": "2.0", {secret}\n'.encode()


def commands(secret: str, conversation: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Every command that takes text, with the secret in one place at a time."""
    there = f"see {secret} there"
    yield ("create", there, "other side")
    yield ("create", "one side", "other side", "--ttl", "999999999999")
    for command in ("invite", "rotate", "revoke"):
        yield (command, secret, "a")
        yield (command, conversation, secret)
    for command in ("show", "tokens", "extend", "report", "audit"):
        yield (command, secret)
    yield ("tail", secret, "--once")
    yield ("export", secret, str(folder / "never.json"))
    for option, value in (
        ("--to", there),
        ("--file", there),
        ("--key", there),
        ("--type", there),
        ("--session", secret),
    ):
        yield ("send", conversation, "hello", option, value)
        yield ("send", conversation, there, option, value, "--json")
    yield ("send", secret, "hello", "--token", secret)
    yield ("send", conversation, there)
    yield ("check", conversation, "--query", secret)
    yield ("check", conversation, "--session", secret)
    yield ("heartbeat", secret)
    yield ("heartbeat", conversation, "--session", secret)


def poisoned(archive: Any, secret: str) -> Any:
    """An archive as somebody else may have written and signed it."""
    archive["sessions"] = [row | {"role": f"role {secret}"} for row in archive["sessions"]]
    archive["messages"] = [
        row | {"message": f"it is {secret}", "files_involved": [f"{secret}.txt"]} for row in archive["messages"]
    ]
    archive["journal"] = [row | {"conversation": secret, "actor": f"agent {secret}"} for row in archive["journal"]]
    return signed_anew(archive | {"conversation_id": secret})


def nowhere(secret: str, said: list[str], *folders: Path) -> None:
    """The secret stands in no file under the folders, in no name of one, and in nothing that was said."""
    found = [path for folder in folders for path in folder.rglob("*")]
    stored = {path: path.read_bytes() for path in found if path.is_file()}
    assert any(path.name == "bridge.db" for path in stored)
    for path, content in stored.items():
        assert secret.encode() not in content, path.name
    assert not any(secret in path.name for path in found)
    for text in said:
        assert secret not in text
    assert "AWS_KEY_REDACTED" in "".join(said), "nothing came through at all"


def test_a_secret_in_any_field_of_a_tool_stands_nowhere_afterwards(fast: Place, secret: str, tmp_path: Path) -> None:
    alice, bob, conversation = fast.pair()
    named = fast.agent("--as", secret)
    third = fast.agent("--as", "carol")
    third.good("create_conversation", my_role=f"the {secret}", partner_role="somebody", more_roles=[f"or {secret}"])
    named.call("create_conversation", my_role="named one", partner_role="somebody")
    named.call("list_conversations")
    for number, (tool, words) in enumerate(calls(secret)):
        if number % 60 == 0:
            # a connection that is refused too often has to wait
            one, _, _ = fast.pair()
        one.call(tool, **words)
    for line in protocol(secret):
        bob.raw(line)
    alice.good("send_to_partner", message=f"the last one is {secret}", files_involved=[f"{secret}.py"])
    bob.good("check_messages", limit=100)
    bob.good("check_messages", history=True, limit=100)
    alice.good("update_my_status", status="blocked", note=f"I cannot log in with {secret}")
    bob.good("check_partner_status")
    fast.mab("audit", "--export", str(tmp_path / "journal.jsonl"))
    fast.mab("export", conversation, str(tmp_path / "clear.json"))
    # the hub still runs, so that the log ahead of the database is there, too
    assert (fast.home / "bridge.db-wal").stat().st_size
    nowhere(secret, [json.dumps(message) for agent in fast.agents for message in agent.said], fast.home, tmp_path)
    fast.verified()


def test_a_secret_in_any_word_of_a_command_stands_nowhere_afterwards(
    terminal: Terminal, secret: str, tmp_path: Path
) -> None:
    said: list[str] = []
    conversation = terminal.opened()
    for words in commands(secret, conversation, tmp_path):
        done = terminal.mab(*words, status=None)
        said += [done.out, done.err]
    out = tmp_path / "out"
    out.mkdir()
    terminal.mab("export", conversation, str(out / "clear.json"))
    theirs = tmp_path / "theirs"
    theirs.write_text(json.dumps(poisoned(json.loads((out / "clear.json").read_text()), secret)))
    said.append(terminal.mab("import", str(theirs), "--json").out)
    terminal.mab("audit", "--export", str(out / "journal.jsonl"))
    for words in (("list", "--json"), ("status", "--json"), ("show", conversation), ("report",), ("tail", "--once")):
        said.append(terminal.mab(*words).out)
    nowhere(secret, said, terminal.home, out)


def test_a_long_key_cut_by_an_error_text_is_not_half_stored(fast: Place) -> None:
    """A recogniser needs the whole of it: what is shortened first is shown in clear."""
    key = "sk-ant-" + "api03-" + secrets.token_urlsafe(70)[:93] + "AA"
    alice, _, _ = fast.pair()
    for tool, words in ((key, {}), ("list_conversations", {key: 1}), ("send_to_partner", {"message": "x", "to": key})):
        answer = alice.call(tool, **words)
        assert answer.failed
        assert key[7:30] not in answer.text
    until(lambda: len(fast.entries()) >= 5, "the refusals are entries")
    assert key[7:30] not in json.dumps(fast.entries())


def test_the_log_is_redacted_in_every_part_of_a_record_and_private_after_a_rotation(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    root = logging.getLogger()
    before, level = root.handlers, root.level
    log = tmp_path / "hub.log"
    monkeypatch.setattr(telemetry, "LOG_BYTES", 2000)
    telemetry.start(log, "info", Redactor().redact)
    try:
        logger = logging.getLogger("anybody")
        for number in range(20):
            logger.warning("a text %s and a thing %r", secret, {"key": [secret]}, extra={"more": {secret: number}})
            try:
                raise ValueError(f"bad {secret}")
            except ValueError:
                logger.exception("it failed")
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level = before, level
        logging.captureWarnings(False)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 1
    for path in files:
        assert secret.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0, path.name
