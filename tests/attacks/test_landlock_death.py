"""Everything that a command started under Landlock is dead when its run is, whoever of its keepers is killed first."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.landlock_room import SUPERVISOR
from multiagent_bridge.adapters.sandbox.memory import tree
from multiagent_bridge.model.sandboxes import TIMEOUT, Bounds, Outcome
from tests.attacks.landlock_yard import Yard, yard

pytestmark = pytest.mark.anyio

SECONDS = 60
DAEMON = "setsid setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > part; mv part daemon; exec sleep 300' & "
"""Leaves parent, group and session, and ignores what can be ignored; the file `daemon` says its number."""

HUB = """
import asyncio, sys
from pathlib import Path
from multiagent_bridge.adapters.sandbox.landlock import LandlockSandbox
from multiagent_bridge.testing.sandboxes import Site
asyncio.run(Site(LandlockSandbox(Path(sys.argv[1])), Path(sys.argv[2])).shell(sys.argv[3]))
"""


@pytest.fixture
def place() -> Iterator[Yard]:
    with yard() as made:
        yield made


@pytest.fixture
def temporary(place: Yard, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders for temporary files are made, in this process and in those it starts."""
    made = place.top / "temporary"
    made.mkdir()
    made.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    monkeypatch.setenv("TMPDIR", str(made))
    return made


async def daemon(place: Yard) -> int:
    """A handle of the daemon, once it is there."""
    said = place.site.folder / "daemon"
    async with asyncio.timeout(SECONDS):
        while not said.exists():
            await asyncio.sleep(0.01)
    return os.pidfd_open(int(said.read_text()))


def dead(handle: int) -> bool:
    """Whether the process ends soon."""
    ended = bool(select.select([handle], [], [], SECONDS)[0])
    os.close(handle)
    return ended


def keepers() -> tuple[int, int]:
    """Leader and warden of the one run of this process."""
    (leader,) = [pid for pid in tree(os.getpid()) if parent(pid) == os.getpid() and str(SUPERVISOR) in words(pid)]
    (warden,) = [pid for pid in tree(leader) if parent(pid) == leader]
    return leader, warden


def parent(pid: int) -> int:
    """0 for one that has ended meanwhile, as the programs of the daemon's shell do."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


@pytest.mark.parametrize("which", [0, 1], ids=["leader", "warden"])
async def test_when_a_keeper_is_killed_the_other_ends_the_tree_and_the_run(place: Yard, which: int) -> None:
    run = asyncio.ensure_future(place.site.shell(DAEMON + "sleep 300"))
    handle = await daemon(place)
    os.kill(keepers()[which], signal.SIGKILL)
    outcome: Outcome = await asyncio.wait_for(run, SECONDS)
    assert select.select([handle], [], [], 0)[0], "it was dead before the run let go"
    assert dead(handle)
    assert outcome.exit_code == 137


async def test_when_the_hub_is_killed_its_commands_die(place: Yard, temporary: Path) -> None:
    words = (str(place.top / "state"), str(place.site.folder), DAEMON + "sleep 300")
    with subprocess.Popen([sys.executable, "-c", HUB, *words]) as hub:
        handle = await daemon(place)
        hub.kill()
    assert dead(handle)


async def test_what_a_killed_hub_left_lying_is_removed_by_the_next_run(place: Yard, temporary: Path) -> None:
    words = (str(place.top / "state"), str(place.site.folder), DAEMON + "echo kept > $HOME/kept; sleep 300")
    with subprocess.Popen([sys.executable, "-c", HUB, *words]) as hub:
        handle = await daemon(place)
        hub.kill()
    assert dead(handle)
    (left,) = temporary.iterdir()
    outcome = await place.site.shell("echo $HOME")
    assert not outcome.stdout.head.startswith(bytes(left))
    assert list(temporary.iterdir()) == []


async def test_a_folder_for_temporary_files_that_is_in_use_is_left_alone(place: Yard, temporary: Path) -> None:
    run = asyncio.ensure_future(
        place.site.shell("echo mine > $HOME/x; : > up; while [ -e up ]; do :; done; cat $HOME/x")
    )
    async with asyncio.timeout(SECONDS):
        while not (place.site.folder / "up").exists():
            await asyncio.sleep(0.01)
    await place.site.shell("rm up")
    assert (await run).stdout.head == b"mine\n"


async def test_temporary_files_are_removed_however_deep_and_closed_they_are(place: Yard, temporary: Path) -> None:
    deep = "import os\nfor n in range(1500):\n os.mkdir('d')\n os.chdir('d')\n"
    line = (
        f'cd $HOME; python3 -c "{deep}" && mkdir closed && : > closed/file && chmod 0 closed && ln -s / root'
        " && mkdir $TMPDIR/other && chmod 0 $TMPDIR/other"
    )
    outcome = await place.site.shell(line)
    assert outcome.exit_code == 0, outcome.stderr.head
    assert list(temporary.iterdir()) == []


async def test_a_fork_storm_is_bounded_and_dies_at_the_time_limit(place: Yard) -> None:
    storm = "import os\nwhile True:\n try: os.fork()\n except OSError: pass\n"
    # the storm leaves no room for a daemon that is not there yet
    line = f"{DAEMON} while [ ! -e daemon ]; do :; done; exec python3 -c '{storm}'"
    outcome = await place.site.shell(line, bounds=Bounds(seconds=6, processes=40))
    assert outcome.ended == TIMEOUT
    assert outcome.microseconds < 60_000_000
    with pytest.raises(ProcessLookupError):
        await daemon(place)


async def test_a_stopped_command_is_killed(place: Yard) -> None:
    outcome = await place.site.shell("kill -STOP $$", bounds=Bounds(seconds=1))
    assert outcome.ended == TIMEOUT


async def test_what_a_command_says_is_not_taken_for_the_word_of_its_supervisor(place: Yard) -> None:
    outcome = await place.site.shell("echo '-restricting files: no' >&2; exit 125")
    assert (outcome.exit_code, outcome.ended) == (125, "")
