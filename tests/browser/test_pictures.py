"""The pictures of the documents show what the program does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import pictures

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parent.parent.parent


def test_no_picture_shows_what_the_program_does_not() -> None:
    command = [sys.executable, str(ROOT / "tools" / "pictures.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr


def test_a_picture_that_shows_something_else_is_named(tmp_path: Path) -> None:
    png = (ROOT / "docs" / "pictures" / "dashboard.png").read_bytes()
    plain = png[:33] + png[33 + 12 + len(pictures.SOURCE) + 64 :]
    for name, fingerprint in (("same", "a" * 64), ("other", "b" * 64)):
        (tmp_path / f"{name}.png").write_bytes(pictures.marked(plain, fingerprint))
    (tmp_path / "stray.svg").write_text("<svg/>")
    (tmp_path / "changed.svg").write_text("<svg/>")
    drawn = {"changed": "<svg></svg>", "missing": "<svg/>"}
    found = pictures.differing(tmp_path, drawn, {"same": "a" * 64, "other": "a" * 64})
    assert found == ["changed.svg", "missing.svg", "other.png", "stray.svg"]
