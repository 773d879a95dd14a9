"""Every block of README.md and docs/ that is marked to run is run: in an empty HOME, in order, one shell a page.

A line of expected output may hold `...`, which stands for anything.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.docs.pages import ROOT, SHELLS, Block, blocks, pages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LIMIT = 240
RUNNABLE = {
    page: found for page in pages() if (found := [b for b in blocks(page) if b.language in SHELLS and b.mark == "run"])
}


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with nothing of the caller's in it; what is still alive in it afterwards is ended."""
    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    (folder / "dev").symlink_to(ROOT / "dev")
    mark = uuid4().hex
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "SSL_CERT_FILE", "TMPDIR")}
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    yield kept | {"HOME": str(home), "PATH": path, "PWD": str(folder), "NO_COLOR": "1", "DOCS_RUN": mark}
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"DOCS_RUN={mark}".encode() in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)


def script(found: list[Block]) -> str:
    """One shell script that prints a record separator around what each command prints, and its exit status."""
    lines = []
    for block in found:
        for command, _ in block.commands():
            lines += [command, "printf '\\036%d\\036' $?"]
    return "\n".join(lines) + "\n"


def matches(expected: str, printed: str) -> bool:
    """Whether `printed` is `expected`, line by line, `...` standing for anything."""
    pattern = ".*".join(map(re.escape, expected.split("...")))
    return (
        re.fullmatch(pattern, "\n".join(line.rstrip() for line in printed.strip().splitlines()), re.DOTALL) is not None
    )


def test_there_is_something_to_run_in_the_readme() -> None:
    assert ROOT / "README.md" in RUNNABLE


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in RUNNABLE])
def test_the_blocks_of_a_page_do_what_the_page_says(page: Path, surroundings: dict[str, str]) -> None:
    found = RUNNABLE[page]
    shell = subprocess.Popen(
        ["bash", "-c", script(found)],
        cwd=surroundings["PWD"],
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        talk, _ = shell.communicate(timeout=LIMIT)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait(timeout=60)
    pieces = talk.split("\036")
    answers = list(zip(pieces[0::2], pieces[1::2], strict=False))
    asked = [(block, *pair) for block in found for pair in block.commands()]
    for (block, command, expected), (printed, status) in zip(asked, answers, strict=False):
        where = f"{page.name}:{block.line}: {command}\n{printed}"
        assert int(status) == block.status, where
        assert not expected or matches(expected, printed), where
    assert len(answers) == len(asked), talk
