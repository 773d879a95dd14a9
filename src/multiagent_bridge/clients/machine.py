"""The machine as far as clients' configuration goes: platform, home, environment, project, and how `mab` is started."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from multiagent_bridge.errors import Invalid, Unavailable

Platform = Literal["linux", "macos", "windows"]
PROGRAM_NAMES = ("mab", "mcp-multiagent-bridge")
DISTRIBUTION = "mcp-multiagent-bridge"
# uv keeps the environments of `uvx` under these names; `uv cache clean` removes them.
_UV_CACHE = re.compile(r"(archive|environments|builds)-v\d+")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run of `mab init` happens. `project` is the directory `--scope project` speaks of."""

    platform: Platform
    home: Path
    project: Path
    environ: Mapping[str, str]

    @property
    def configuration(self) -> Path:
        """The directory of per-user application settings: Electron's appData, XDG on Linux."""
        if self.platform == "macos":
            return self.home / "Library" / "Application Support"
        if self.platform == "windows":
            return self.directory("APPDATA", self.home / "AppData" / "Roaming")
        return self.xdg

    @property
    def xdg(self) -> Path:
        return self.directory("XDG_CONFIG_HOME", self.home / ".config")

    def directory(self, variable: str, otherwise: Path) -> Path:
        """The directory an environment variable names, `otherwise` when it is unset or empty."""
        named = self.environ.get(variable, "")
        return self.project / Path(named) if named else otherwise

    def finds(self, program: str) -> bool:
        """Whether `program` is on PATH."""
        return shutil.which(program, path=self.environ.get("PATH", os.defpath)) is not None


def this_machine() -> Machine:
    """The machine this process runs on. Raises Unavailable when the user has no home directory."""
    platform: Platform = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")  # type: ignore[assignment]
    try:
        return Machine(platform, Path.home(), Path.cwd(), dict(os.environ))
    except (RuntimeError, FileNotFoundError):
        raise Unavailable("no home or working directory was found", "set HOME, and run it in a directory") from None


def launch_words(machine: Machine, argv0: str, executable: str) -> tuple[str, ...]:
    """The words that start this very program again, the first an absolute path wherever one is known.

    The running script wins; a version manager's launcher (`.../shims/mab`, 80 ms slower) gives way to the script beside
    the interpreter; out of uv's cache, which may be emptied any time, it is `uvx` that fetches it. Raises Unavailable.
    """
    if any(_UV_CACHE.fullmatch(part) for part in Path(executable).parts):
        uvx = shutil.which("uvx", path=machine.environ.get("PATH", os.defpath))
        return (str(Path(uvx).absolute()) if uvx else "uvx", DISTRIBUTION)
    suffix = ".exe" if machine.platform == "windows" else ""
    beside = [Path(executable).absolute().with_name(name + suffix) for name in PROGRAM_NAMES]
    running = machine.project / Path(argv0)
    candidates = [running] if running.stem in PROGRAM_NAMES and "shims" not in running.parts else []
    for script in [*candidates, *beside, *([running] if running.stem in PROGRAM_NAMES else [])]:
        if script.is_file() and os.access(script, os.X_OK):
            return (plain(os.path.normpath(script), "the path of mab"),)
    raise Unavailable("the mab command was not found", f"install it: uv tool install {DISTRIBUTION}")


def plain(text: str, what: str) -> str:
    """`text` if no client would read more into it than it says (`${X}`, `$X`, `{env:X}`). Raises Invalid."""
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]|\$|\{(env|file|input):", text):
        raise Invalid(f"{what} holds characters that clients expand", "use one without $, {env: and control characters")
    return text
