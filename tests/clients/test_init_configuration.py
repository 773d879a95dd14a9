"""What `mab init` writes is what the programs read: each starts the bridge from it, and no longer after `--undo`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.bridge import Bridge, end, left_behind
from tests.clients.programs import AGENTS, Installed
from tests.clients.stub_model import ScriptedModel
from tests.clients.wires import ToolCall, structure

pytestmark = [pytest.mark.clients, pytest.mark.timeout(200)]

TURNS = 3
"""A listing gives a server a few seconds to answer; on a busy machine the hub that it starts is there at the next one."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def home(program: Path, tmp_path: Path) -> Iterator[Path]:
    """A home with nothing in it but a trusted working folder. A hub that was started below it is ended."""
    place = tmp_path / "home"
    work = place / "work"
    work.mkdir(parents=True)
    trusted = place / ".gemini" / "trustedFolders.json"
    trusted.parent.mkdir()
    trusted.write_text(json.dumps({str(work): "TRUST_FOLDER"}), "utf-8")
    yield place
    folder = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    Bridge(program, place / folder / "multiagent-bridge").stop()
    stayed = left_behind(place, 30)
    end(stayed)
    assert not stayed, f"processes were left behind: {stayed}"


def run(installed: Installed, home: Path, *words: str | Path) -> str:
    """Both outputs of a command that ends well, without colours."""
    finished = subprocess.run(
        words,
        env=installed.environment(home) | {"STUB_KEY": "x", "GEMINI_API_KEY": "x", "NO_COLOR": "1"},
        cwd=home / "work",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return COLOUR.sub("", finished.stdout + finished.stderr)


@pytest.mark.parametrize(
    ("name", "connected"),
    [("claude-code", "✔ Connected"), ("gemini-cli", "- Connected"), ("opencode", "✓ mab connected")],
    ids=["claude-code", "gemini-cli", "opencode"],
)
def test_a_program_starts_the_bridge_from_what_init_wrote_until_it_is_undone(
    name: str, connected: str, installed: Installed, program: Path, home: Path
) -> None:
    client = installed.program(AGENTS[name].program)
    run(installed, home, program, "init", "--client", name, "--yes")
    for _ in range(TURNS):
        lines = [line for line in run(installed, home, client, "mcp", "list").splitlines() if "mab" in line]
        if any(connected in line for line in lines):
            break
    assert any(connected in line for line in lines), lines
    run(installed, home, program, "init", "--client", name, "--undo", "--yes")
    assert "mcp --as" not in run(installed, home, client, "mcp", "list")


def test_codex_makes_a_turn_from_what_init_wrote_until_it_is_undone(
    installed: Installed, program: Path, home: Path
) -> None:
    codex = installed.program("codex")
    run(installed, home, program, "init", "--client", "codex", "--yes")
    with ScriptedModel(AGENTS["codex"].wire(), [ToolCall("list_conversations", {})]) as model:
        provider = f'{{name="stub", base_url="{model.url}/v1", wire_api="responses", env_key="STUB_KEY"}}'
        options = [
            'model="stub"',
            'model_provider="stub"',
            'approval_policy="never"',
            f"model_providers.stub={provider}",
            "features.enable_request_compression=false",
        ]
        settings = [word for option in options for word in ("-c", option)]
        run(installed, home, codex, "exec", "--skip-git-repo-check", *settings, "list them")
    assert model.failures == []
    assert structure(model.shown[0]) == {"agent": "codex", "conversations": []}
    run(installed, home, program, "init", "--client", "codex", "--undo", "--yes")
    assert "mab" not in run(installed, home, codex, "mcp", "list")
