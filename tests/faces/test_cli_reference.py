"""The pages of reference say what the program does, all of it, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from multiagent_bridge import config, errors
from multiagent_bridge.cli.app import app
from tests.faces.terminal import Terminal

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def program(name: str) -> ModuleType:
    specification = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def settings(model: type[BaseModel] = config.Settings, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, one in getattr(command, "commands", {}).items():
        yield f"{path} {name}", one
        yield from commands(one, f"{path} {name}")


def test_the_page_of_commands_is_current() -> None:
    told = program("make_cli_reference").page()
    assert (REFERENCE / "cli.md").read_text("utf-8") == told, "run: python tools/make_cli_reference.py"


@pytest.mark.parametrize("name", ["errors.md", "config.md"])
def test_the_pages_of_errors_and_settings_are_current(name: str) -> None:
    told = program("make_reference_tables").PAGES[name]()
    assert (REFERENCE / name).read_text("utf-8") == told, "run: python tools/make_reference_tables.py"


def test_every_command_and_option_stands_on_its_page() -> None:
    page = (REFERENCE / "cli.md").read_text("utf-8")
    for path, command in commands(get_command(app), "mab"):
        section = re.search(rf"^#+ `{re.escape(path)}`$(.*?)(?=^#+ `mab|\Z)", page, re.M | re.S)
        assert section is not None, path
        for parameter in command.params:
            if not parameter.hidden and parameter.param_type_name == "option":
                assert all(word in section[1] for word in parameter.opts), (path, parameter.opts)


def test_every_error_stands_on_its_page_with_its_statuses() -> None:
    page = (REFERENCE / "errors.md").read_text("utf-8")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BridgeError)]
    assert len(kinds) == 10
    for kind in kinds:
        assert f"| `{kind.code}` | {kind.exit_status} | {kind.http_status} |" in page


def test_every_setting_has_a_heading_its_variable_and_a_description() -> None:
    page = (REFERENCE / "config.md").read_text("utf-8")
    names = set(settings())
    assert set(re.findall(r"^### `(.+)`$", page, re.M)) == names
    for name in names:
        section = page.split(f"### `{name}`\n")[1].split("\n#")[0]
        assert f"`MAB_{name.upper().replace('.', '__')}`" in section
        assert section.strip().splitlines()[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limits.conversation_seconds", "77"), ("limits.message_characters", "77"), ("limits.files", "7"),
        ("limits.writes", "[[7, 60]]"), ("limits.reads", "[[7, 60]]"), ("limits.failures", "[[7, 60]]"),
        ("limits.invites", "[[7, 60]]"), ("limits.creations", "[[7, 60]]"), ("limits.conversation_messages", "77"),
        ("limits.conversation_bytes", "77"), ("limits.invite_seconds", "77"), ("limits.alive_seconds", "77"),
        ("hub.idle_seconds", "77"), ("hub.log_level", "error"), ("store", "sqlite:////x/y.db"),
    ],
)  # fmt: skip
def test_a_variable_on_the_page_sets_its_setting(terminal: Terminal, name: str, value: str) -> None:
    shown: Any = terminal.mab("config", "show", "--json", **{f"MAB_{name.upper().replace('.', '__')}": value}).json
    for part in name.split("."):
        shown = shown[part]
    assert str(shown) == value


def test_the_example_of_the_page_is_a_valid_file(terminal: Terminal) -> None:
    page = (REFERENCE / "config.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    (terminal.project / "bridge.toml").write_text(example)
    assert terminal.mab("config", "validate", "--json").json["valid"] is True
