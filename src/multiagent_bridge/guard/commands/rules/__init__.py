"""The built-in rules of the command policy: TOML files that are part of the package, as its modules are."""

from __future__ import annotations

from importlib import resources


def texts() -> dict[str, str]:
    """The text of every built-in rule file by its name, in the order of the names."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml"))
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)}
