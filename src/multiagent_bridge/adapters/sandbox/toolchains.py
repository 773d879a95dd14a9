"""Tools that people keep in their home: shown read-only, since the home itself is hidden (notes/guard section 5, trap 10)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")
"""Where programs are looked for first: nothing in a home can take the name of one of these."""


@dataclass(frozen=True, slots=True)
class Toolchains:
    """`shown` are folders to mount read-only where they are; `path` are those of them that hold programs; `variables` tell the
    tools where their files lie. `caches` are folders to mount read-only below the home inside: (place below it, folder).
    """

    shown: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    caches: tuple[tuple[str, str], ...] = ()

    def without(self, workspace: str) -> Toolchains:
        """Those that neither lie in the workspace nor contain it."""

        def apart(folder: str) -> bool:
            one, other = Path(folder), Path(workspace)
            return not (one == other or one in other.parents or other in one.parents)

        return Toolchains(
            tuple(filter(apart, self.shown)),
            tuple(filter(apart, self.path)),
            {name: place for name, place in self.variables.items() if apart(place)},
            tuple((place, folder) for place, folder in self.caches if apart(folder)),
        )


_KNOWN: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (".cargo/bin", (".cargo/bin",), ""),
    (".rustup", (), "RUSTUP_HOME"),
    (".pyenv", (".pyenv/shims", ".pyenv/bin"), "PYENV_ROOT"),
    (".nvm", (), "NVM_DIR"),
    (".volta", (".volta/bin",), "VOLTA_HOME"),
    (".asdf", (".asdf/shims", ".asdf/bin"), "ASDF_DATA_DIR"),
    (".bun/bin", (".bun/bin",), ""),
    (".deno/bin", (".deno/bin",), ""),
    (".local/bin", (".local/bin",), ""),
    (".local/lib", (), ""),
    (".local/share/pipx/venvs", (), ""),
    (".local/share/uv/tools", (), ""),
    (".local/share/uv/python", (), ""),
)
"""Folder below the home, its folders of programs, and the variable that names it. Never a folder that also holds credentials
(~/.cargo, ~/.config, ~/.local/share as a whole).
"""
_CACHES = (".cargo/registry", ".cargo/git", ".m2/repository", "go/pkg/mod")
"""What package tools have fetched before, so that builds work without network."""


def found(home: Path | None) -> Toolchains:
    """The toolchains below `home`; none without one. Links are shown as what they lead to."""
    if home is None:
        return Toolchains()
    shown: list[str] = []
    path: list[str] = []
    variables: dict[str, str] = {}
    for folder, programs, variable in _KNOWN:
        if _is_folder(home / folder):
            shown.append(str(home / folder))
            path += [str(home / one) for one in programs if _is_folder(home / one)]
            if variable:
                variables[variable] = str(home / folder)
    path += _node(home / ".nvm")
    if _is_folder(home / ".local/lib"):
        variables["PYTHONUSERBASE"] = str(home / ".local")
    caches = tuple((place, str(home / place)) for place in _CACHES if _is_folder(home / place))
    return Toolchains(tuple(shown), tuple(path), variables, caches)


def _node(nvm: Path) -> Sequence[str]:
    """The programs of nvm's default version of node, else of its newest."""
    try:
        versions = sorted(
            (nvm / "versions/node").iterdir(), key=lambda one: [int(n) for n in re.findall(r"\d+", one.name)]
        )
        wanted = (nvm / "alias/default").read_text().strip().lstrip("v") if (nvm / "alias/default").is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ()
    chosen = [one for one in versions if wanted and f"{one.name.lstrip('v')}.".startswith(f"{wanted}.")] or versions
    return [str(chosen[-1] / "bin")] if chosen and _is_folder(chosen[-1] / "bin") else ()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
