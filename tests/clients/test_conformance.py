"""The MCP project's conformance suite, both requirement sets, over HTTP against our server with authentication on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client

from tests.clients.programs import Installed

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["conformance_app", "conformance_http"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server serves: behind the SDK's own mount, and behind the face of `mab serve --http`."""
    home = tmp_path_factory.mktemp("hub")
    with (home / "errors").open("w+") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", f"tests.clients.{request.param}", str(home / "state")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with server:
            assert server.stdout is not None
            try:
                line = server.stdout.readline().strip()
                assert line.startswith("http"), f"the server did not start: {(home / 'errors').read_text()}"
                yield line
            finally:
                server.terminate()
                server.wait(120)
    assert "Traceback" not in (home / "errors").read_text()


@pytest.mark.parametrize(
    ("requirements", "scored", "beyond"),
    [
        pytest.param("2025-11-25", 30, {"server-session-lifecycle"}, id="2025-11-25"),
        pytest.param("2026-07-28", 37, {"http-header-validation"}, id="2026-07-28"),
    ],
)
def test_every_scenario_that_a_revision_requires_of_a_server_passes(
    requirements: str, scored: int, beyond: set[str], installed: Installed, url: str, tmp_path: Path
) -> None:
    suite = subprocess.run(
        [
            installed.program("conformance"),
            "server",
            "--url",
            url,
            "--requirements",
            requirements,
            "-o",
            tmp_path / "out",
        ],
        env=installed.environment(tmp_path),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )

    summary, _, unscored = suite.stdout.partition("=== SUMMARY ===")[2].partition("Not scored for")
    results = re.findall(r"^(\S) (\S+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    left_out = set(re.findall(r"^ +\S (\S+) \(", unscored, re.MULTILINE))
    passed = {name for mark, name, good, failed in results if mark == "✓" and good != "0" and failed == "0"}
    required = {name for _, name, _, _ in results} - left_out
    assert required <= passed, f"failed: {required - passed}\n{suite.stdout[-6000:]}"
    assert len(required) == scored, suite.stdout[-3000:]
    assert beyond <= passed
    assert suite.returncode == 0, suite.stdout[-3000:] + suite.stderr[-3000:]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_under_test_there_are_the_bridges_own(mode: str, url: str) -> None:
    async def opened() -> tuple[dict[str, object], str]:
        with anyio.fail_after(120):
            async with Client(url, mode=mode) as client:
                made = await client.call_tool("create_conversation", {"my_role": "planner", "partner_role": "builder"})
                return dict(made.structured_content or {}), client.protocol_version

    conversation, version = anyio.run(opened)
    assert version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
    assert conversation["session_id"] == "a"
    assert len(str(conversation["session_b_token"])) == 64


def test_the_mount_lets_nobody_in_without_the_token_or_from_a_foreign_host(url: str) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {"accept": "application/json, text/event-stream"}
    wrong = httpx2.post(url, json=ping, headers=headers | {"authorization": "Bearer " + "0" * 64})
    foreign = httpx2.post(url, json=ping, headers=headers | {"host": "evil.example"})
    elsewhere = httpx2.post(url, json=ping, headers=headers | {"origin": "https://evil.example"})
    assert (wrong.status_code, elsewhere.status_code) == (401, 403)
    assert foreign.status_code in (400, 421)
