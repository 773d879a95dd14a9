"""Where clients keep their files on each platform, and which words start `mab` again."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from multiagent_bridge.clients.machine import Machine, Platform, launch_words
from multiagent_bridge.clients.programs import CLIENTS, client_called, is_ours
from multiagent_bridge.errors import Unavailable

HOME = Path("/h")


def machine(platform: Platform = "linux", **environ: str) -> Machine:
    return Machine(platform, HOME, Path("/p"), {"PATH": "", **environ})


@pytest.mark.parametrize(
    ("client", "linux", "macos", "windows"),
    [
        ("claude-code", ".claude.json", ".claude.json", ".claude.json"),
        ("codex", ".codex/config.toml", ".codex/config.toml", ".codex/config.toml"),
        ("gemini-cli", ".gemini/settings.json", ".gemini/settings.json", ".gemini/settings.json"),
        ("opencode", ".config/opencode/opencode.json", ".config/opencode/opencode.json",
         ".config/opencode/opencode.json"),
        ("cursor", ".cursor/mcp.json", ".cursor/mcp.json", ".cursor/mcp.json"),
        ("vscode", ".config/Code/User/mcp.json", "Library/Application Support/Code/User/mcp.json",
         "AppData/Roaming/Code/User/mcp.json"),
        ("windsurf", ".codeium/windsurf/mcp_config.json", ".codeium/windsurf/mcp_config.json",
         ".codeium/windsurf/mcp_config.json"),
        ("zed", ".config/zed/settings.json", ".config/zed/settings.json", "AppData/Roaming/Zed/settings.json"),
        ("claude-desktop", ".config/Claude/claude_desktop_config.json",
         "Library/Application Support/Claude/claude_desktop_config.json",
         "AppData/Roaming/Claude/claude_desktop_config.json"),
    ],
)  # fmt: skip
def test_each_platform_has_its_place(client: str, linux: str, macos: str, windows: str) -> None:
    places: dict[Platform, str] = {"linux": linux, "macos": macos, "windows": windows}
    for platform, place in places.items():
        assert client_called(client).file(machine(platform), "user") == HOME / place


def test_windows_and_xdg_variables_are_honoured() -> None:
    assert client_called("zed").file(machine("windows", APPDATA="/r"), "user") == Path("/r/Zed/settings.json")
    assert client_called("vscode").file(machine(XDG_CONFIG_HOME="/x"), "user") == Path("/x/Code/User/mcp.json")


def test_windsurf_uses_the_file_that_exists(tmp_path: Path) -> None:
    here = Machine("linux", tmp_path, tmp_path, {})
    windsurf = client_called("windsurf")
    (tmp_path / ".codeium").mkdir()
    newer = tmp_path / ".codeium" / "mcp_config.json"
    newer.write_text("{}")
    assert windsurf.file(here, "user") == newer
    (tmp_path / ".codeium" / "windsurf").mkdir()
    older = tmp_path / ".codeium" / "windsurf" / "mcp_config.json"
    older.write_text("{}")
    assert windsurf.file(here, "user") == older


def test_vs_code_insiders_is_used_where_it_alone_is_installed(tmp_path: Path) -> None:
    here = Machine("linux", tmp_path, tmp_path, {})
    (tmp_path / ".config" / "Code - Insiders").mkdir(parents=True)
    assert client_called("vscode").file(here, "user").parts[-3] == "Code - Insiders"
    (tmp_path / ".config" / "Code").mkdir()
    assert client_called("vscode").file(here, "user").parts[-3] == "Code"


def test_every_entry_is_known_as_ours_again() -> None:
    for client in CLIENTS:
        for words in (("/v/bin/mab",), ("/u/uvx", "mcp-multiagent-bridge"), ("C:\\v\\Scripts\\mab.exe",)):
            assert is_ours(client.entry(words, "x", {}).fixed)
    for foreign in ({"command": "mabel"}, {"command": ["npx", "mab"]}, {"url": "http://x"}, {"command": 1}, None, []):
        assert not is_ours(foreign)


def test_the_guide_shows_what_is_written() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "clients.md").read_text()
    for client in CLIENTS:
        section = guide.split(f"## {client.title}\n")[1].split("\n## ")[0]
        syntax, text = section.split("```")[1].split("\n", 1)
        shown = tomllib.loads(text) if syntax == "toml" else json.loads(text)
        wanted = client.entry(("/path/to/mab",), client.name, {})
        assert shown == {client.container: {"mab": wanted.fixed | wanted.defaults}}, client.name


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    return script(folder / "mab")


def script(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_running_script_is_started_again_by_its_absolute_path(venv: Path, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "mab"
    link.parent.mkdir()
    link.symlink_to(venv)
    here = Machine("linux", HOME, tmp_path, {})
    assert launch_words(here, "bin/mab", str(venv.with_name("python"))) == (str(link),)
    assert launch_words(here, str(venv), "/usr/bin/python3") == (str(venv),)


@pytest.mark.parametrize("argv0", ["-c", "/x/__main__.py", "/nowhere/mab"])
def test_the_script_beside_the_interpreter_is_used_when_none_is_running(argv0: str, venv: Path) -> None:
    assert launch_words(machine(), argv0, str(venv.with_name("python"))) == (str(venv),)


def test_a_version_managers_launcher_gives_way_to_the_script_itself(venv: Path, tmp_path: Path) -> None:
    shim = script(tmp_path / "shims" / "mab")
    assert launch_words(machine(), str(shim), str(venv.with_name("python"))) == (str(venv),)
    assert launch_words(machine(), str(shim), "/nowhere/python") == (str(shim),)


@pytest.mark.parametrize("cache", ["archive-v0/Xy", "environments-v2/mab-1"])
def test_out_of_uvs_cache_uvx_fetches_it(cache: str, tmp_path: Path) -> None:
    running = script(tmp_path / "uv" / cache / "bin" / "mab")
    python = str(running.with_name("python"))
    assert launch_words(machine(), str(running), python) == ("uvx", "mcp-multiagent-bridge")
    uvx = script(tmp_path / "local" / "uvx")
    with_uvx = machine(PATH=str(uvx.parent))
    assert launch_words(with_uvx, str(running), python) == (str(uvx), "mcp-multiagent-bridge")


def test_where_no_script_can_be_found_it_says_so() -> None:
    with pytest.raises(Unavailable):
        launch_words(machine(), "-c", "/nowhere/python")


def test_loading_the_command_loads_neither_tomlkit_nor_the_clients() -> None:
    code = "import sys, json, multiagent_bridge.cli.init; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code], timeout=120)))
    assert not {"tomlkit", "platformdirs", "multiagent_bridge.clients", "mcp"} & loaded
