"""What continuous integration tries once more: a few tests that failed, each named; and never what is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
from pathlib import Path
import pytest

def test_fine(): pass

def test_once():
    tried = Path("tried")
    before = tried.exists()
    tried.touch()
    assert before

@pytest.mark.parametrize("n", range({broken}))
def test_broken(n): assert False, "broken"
"""


def staged(place: Path, broken: int) -> subprocess.CompletedProcess[str]:
    """A stage's tests in a folder of their own, by the function that runs them all."""
    (place / "tools").symlink_to(ROOT / "tools")
    (place / "test_it.py").write_text(TESTS.format(broken=broken), "utf-8")
    dev = place / "dev"
    dev.write_text(
        f'#!/bin/sh\nwhat=$1; shift; [ "$1" != --all ] || shift\n'
        f'[ "$what" = python ] || set -- -m pytest -p no:xdist -c /dev/null --rootdir . "$@"\nexec "{sys.executable}" "$@"\n'
    )
    dev.chmod(0o755)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'. "{ROOT}/.ci/stages.sh"; tested'],
        cwd=place,
        env={"PATH": os.defpath, "TMPDIR": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_one_that_passes_the_second_time_is_named_and_the_stage_passes(tmp_path: Path) -> None:
    done = staged(tmp_path, broken=0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "UNSTEADY, once more: test_it.py::test_once\n" in done.stdout
    # it was tried alone
    assert done.stdout.rstrip().splitlines()[-1].startswith("1 passed")


@pytest.mark.parametrize(("broken", "tried"), [(2, 3), (3, 0)])
def test_one_that_fails_twice_fails_the_stage_and_many_are_not_tried_again(
    tmp_path: Path, broken: int, tried: int
) -> None:
    done = staged(tmp_path, broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("UNSTEADY") == tried
