"""The master key from a command: run without a shell, for a bounded time, and nothing of it is shown that could be the key."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from multiagent_bridge.adapters.key_command import OUTPUT_BYTES, printed
from multiagent_bridge.adapters.state import master_keys
from multiagent_bridge.errors import Invalid, Unavailable

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    return home


def program(folder: Path, source: str) -> str:
    """A line that runs this Python source, with a space in the path of its file."""
    path = folder / "key program.py"
    path.write_text(source)
    return f"{sys.executable} '{path}'"


def test_a_command_gives_the_key_or_a_ring_of_them(home: Path, tmp_path: Path) -> None:
    assert master_keys(home, f"command:{program(tmp_path, f'print({KEY!r})')}") == (bytes.fromhex(KEY),)
    ring = f"command:{program(tmp_path, f'print({OTHER!r}); print({KEY!r})')}"
    assert master_keys(home, ring) == (bytes.fromhex(OTHER), bytes.fromhex(KEY))
    assert not (home / "master.key").exists()


def test_no_shell_reads_the_line(home: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    touch = f"touch {planted}"
    line = f"{program(tmp_path, 'import sys; print(sys.argv[1:])')} ; {touch} $({touch}) `{touch}` > {planted}"
    out = printed(line).decode()
    assert "$(touch" in out
    assert "'>'" in out
    assert not planted.exists()


def test_a_command_that_fails_is_told_of_with_what_it_said_and_without_a_key(home: Path, tmp_path: Path) -> None:
    source = f"import sys; print({KEY!r}); print('vault is sealed\\x1b[2J', {OTHER!r}, file=sys.stderr); sys.exit(3)"
    with pytest.raises(Unavailable) as failed:
        master_keys(home, f"command:{program(tmp_path, source)}")
    told = f"{failed.value.sentence} {failed.value.hint}"
    assert "status 3: vault is sealed" in told
    assert KEY not in told
    assert OTHER not in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    "source", ["", "print('ab' * 31)", "print('not a key')", "print('zz' * 32)", f"print('{KEY} {KEY}')"]
)
def test_what_is_no_ring_of_keys_is_refused_without_repeating_it(home: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(Unavailable) as refused:
        master_keys(home, f"command:{program(tmp_path, source)}")
    assert "abab" not in f"{refused.value.sentence} {refused.value.hint}"


@pytest.mark.parametrize("line", ["", "  ", "'open", "./here", "bin/key"])
def test_a_line_that_is_no_command_is_invalid(line: str) -> None:
    with pytest.raises(Invalid):
        printed(line)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not start"):
        printed(str(tmp_path / "nowhere"))


def test_a_command_that_never_ends_is_killed_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    source = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(mark)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    # its time is up once both run, however busy the machine is
    with pytest.raises(Unavailable, match="longer than 1 s"):
        printed(program(tmp_path, source), 1, lambda: 2.0 if mark.exists() and mark.read_text() else 0.0)
    grandchild, end = int(mark.read_text()), time.monotonic() + 90
    while _alive(grandchild):
        assert time.monotonic() < end


def test_a_command_whose_child_holds_its_output_open_is_not_waited_for(tmp_path: Path) -> None:
    source = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print({KEY!r})"
    with pytest.raises(Unavailable, match="longer than 2 s"):
        printed(program(tmp_path, source), seconds=2)


def test_output_without_end_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"more than {OUTPUT_BYTES}"):
        printed(program(tmp_path, "import sys\nwhile True: sys.stdout.write('ab' * 4096)"))


def test_an_endless_complaint_is_kept_short(tmp_path: Path) -> None:
    source = "import sys; sys.stderr.write('no ' * 1_000_000); sys.exit(1)"
    with pytest.raises(Unavailable) as failed:
        printed(program(tmp_path, source))
    assert len(failed.value.sentence) < 300


def test_it_has_no_input_no_terminal_and_no_place_of_ours(tmp_path: Path) -> None:
    source = "import os, sys; print(sys.stdin.read(), os.getcwd(), os.getsid(0) == os.getpid())"
    assert printed(program(tmp_path, source)).split() == [b"/", b"True"]


def _alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
