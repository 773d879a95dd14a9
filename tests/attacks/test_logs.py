"""Attacks by way of the log: what passes through the hub never lies in it, whatever the log's level."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge import telemetry
from multiagent_bridge.guard.redact import Redactor
from tests.faces.http_yard import ALICE, BOB, fields, yard

pytestmark = pytest.mark.anyio

WORDS = "the plan for thursday"


@pytest.fixture
def hub_log(tmp_path: Path) -> Iterator[Path]:
    """The hub's log at its lowest level, taken away again with all that it changed."""
    root = logging.getLogger()
    handlers, names = list(root.handlers), ("", "multiagent_bridge", *telemetry.REPEATING)
    levels = {name: logging.getLogger(name).level for name in names}
    path = tmp_path / "hub.log"
    telemetry.start(path, "debug", Redactor().redact)
    yield path
    logging.captureWarnings(False)
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_at_debug_level_no_message_token_invite_or_address_gets_into_the_log(hub_log: Path, era: str) -> None:
    async with yard() as here:
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as bob:
            made = await fields(alice, "create_conversation", my_role="backend", partner_role="frontend")
            await fields(bob, "join_conversation", invite=made["sessions"][1]["invite"])
            await fields(alice, "send_to_partner", message=WORDS)
            assert (await fields(bob, "check_messages"))["messages"][0]["message"] == WORDS
            assert (await bob.call_tool(WORDS, {})).is_error
        async with here.http() as http:
            await http.get(f"/{WORDS}", headers={"user-agent": WORDS, "referer": WORDS})
            await http.get("/metrics")
    logging.getLogger("multiagent_bridge").debug("this is the log")
    said = hub_log.read_text()
    assert "this is the log" in said
    secrets = (WORDS, ALICE, BOB, made["conversation_id"], *(one.get("token") for one in made["sessions"]))
    for secret in (*secrets, made["sessions"][1]["invite"], "GET /"):
        assert not secret or secret not in said


async def test_the_access_log_of_the_http_server_is_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with yard() as here, here.http() as http:
        await http.get("/healthz")
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []
