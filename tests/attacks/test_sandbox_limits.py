"""From inside a sandbox: taking what there is of programs, memory, disk, time and output, and staying when told to go."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.adapters.sandbox.running import MEMORY
from multiagent_bridge.model.sandboxes import FLOOD, TIMEOUT, Bounds
from multiagent_bridge.testing.sandboxes import Site, sh
from tests.attacks.confined import NOBODY, USERS, Ground, ground

pytestmark = pytest.mark.parametrize("user", USERS)


def left(workspace: Path) -> list[int]:
    """Programs that run, or wait, in this workspace."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "cwd").readlink()).startswith(str(workspace)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], object], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_fork_bomb_stays_within_its_limit_and_dies(user: str) -> None:
    script = r"""
count = 0
try:
    while count < 500:
        if os.fork() == 0:
            time.sleep(300)
        count += 1
except BlockingIOError:
    print('most', count)
"""
    bomb = "import itertools\nfor _ in itertools.count():\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    with ground(user) as here:
        outcome = here.inside(script, bounds=Bounds(seconds=30, processes=32))
        assert outcome.stdout.head.startswith(b"most 3"), outcome
        assert 28 <= int(outcome.stdout.head.split()[1]) <= 31
        outcome = here.inside(bomb, bounds=Bounds(seconds=2, processes=32))
        assert outcome.ended == TIMEOUT
        assert left(here.workspace) == []


def test_the_limit_counts_only_what_runs_inside(user: str) -> None:
    """Set outside it would count every program of the user, and the sandbox could not even start."""
    become = {} if user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    with ExitStack() as others:
        for _ in range(12):
            other = subprocess.Popen(["sleep", "300"], **become)  # type: ignore[call-overload]
            others.callback(other.wait)
            others.callback(other.kill)
        with ground(user) as here:
            outcome = here.inside("print(shell('echo inside').stdout)", bounds=Bounds(seconds=30, processes=8))
            assert outcome.stdout.head.startswith(b"b'inside\\n'")


TAKES = {
    "one program": r"""
taken = bytearray(400 << 20)
for place in range(0, len(taken), 4096):
    taken[place] = 1
time.sleep(300)
""",
    "many programs": r"""
for _ in range(8):
    if os.fork() == 0:
        taken = b'x' * (60 << 20)
        time.sleep(300)
time.sleep(300)
""",
    "a shared mapping": r"""
import mmap
taken = mmap.mmap(-1, 500 << 20)
for _ in range(500):
    taken.write(b'x' * (1 << 20))
time.sleep(300)
""",
    "a thread's child": r"""
import threading
line = 'taken = "x" * (400 << 20); import time; time.sleep(300)'
threading.Thread(target=subprocess.run, args=(['python3', '-c', line],)).start()
time.sleep(300)
""",
    "file systems in memory": r"""
write('/tmp/big', b'x' * (240 << 20), 'wb')
write('/dev/shm/big', b'x' * (60 << 20), 'wb')
time.sleep(300)
""",
}


@pytest.mark.parametrize("taken", TAKES)
def test_taking_more_memory_than_the_limit_ends_the_run(user: str, taken: str) -> None:
    with ground(user) as here:
        outcome = here.inside(TAKES[taken], bounds=Bounds(seconds=120, memory=256 << 20))
        assert (outcome.exit_code, outcome.ended) == (137, MEMORY)
        assert left(here.workspace) == []


def test_what_no_program_maps_ends_the_sandbox_before_anything_else_of_the_machine(user: str) -> None:
    """Files without name, pipes, messages: no program is charged for them, so that the kernel must choose well whom to end."""
    script = r"""
print(*(read(f'/proc/{number}/oom_score_adj').decode().strip() for number in (1, os.getpid())))
attempt('spare me', lambda: write('/proc/self/oom_score_adj', '0'))
attempt('lock', lambda: libc.mlockall(3) == 0 or False)
"""
    with ground(user) as here:
        assert here.gained(script) == ["1000 1000"]


def test_pages_that_are_shared_count_once(user: str) -> None:
    script = r"""
taken = b'x' * (90 << 20)
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        time.sleep(1)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
    with ground(user) as here:
        assert here.gained(script) == []
        outcome = here.inside(script, bounds=Bounds(seconds=30, memory=256 << 20))
        assert (outcome.exit_code, outcome.ended) == (0, "")


def test_a_program_cannot_reserve_without_end(user: str) -> None:
    script = r"""
import mmap
attempt('reserve', lambda: mmap.mmap(-1, 70 << 30))
attempt('raise it', lambda: shell('ulimit -v unlimited').returncode == 0 or False)
"""
    with ground(user) as here:
        assert here.gained(script) == []


def test_file_systems_in_memory_have_an_end(user: str) -> None:
    script = r"""
def fill(folder):
    size = 0
    for number in range(20):
        try:
            with open(f'{folder}/{number}', 'wb', buffering=0) as file:
                for _ in range(100):
                    size += file.write(b'x' * (1 << 20))
        except OSError as error:
            return size >> 20
    return size >> 20
for folder in ('/tmp', '/dev/shm', os.environ['HOME']):
    print(folder, fill(folder))
attempt('devices', lambda: fill('/dev') or False)
attempt('root', lambda: fill('/') or False)
"""
    with ground(user) as here:
        outcome = here.inside(script, bounds=Bounds(seconds=120, memory=2 << 30))
        said = outcome.stdout.head.decode().splitlines()
        sizes = [int(line.split()[1]) for line in said[:-1]]
        assert len(sizes) == 3, said
        assert sizes[0] <= 256
        assert max(sizes[1:]) <= 64


def test_a_file_cannot_grow_without_end_and_no_core_is_left(user: str) -> None:
    script = r"""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
attempt('big', lambda: os.truncate(os.open('big', os.O_CREAT | os.O_RDWR), (256 << 20) + 1))
attempt('far', lambda: os.pwrite(os.open('far', os.O_CREAT | os.O_RDWR), b'x', 300 << 20))
if os.fork() == 0:
    os.abort()
os.wait()
attempt('core', lambda: [name for name in os.listdir('.') if 'core' in name] or False)
"""
    with ground(user) as here:
        assert here.gained(script) == []


@pytest.mark.parametrize("end", ["leave", "time", "kill"])
def test_whatever_hides_dies_with_the_run(user: str, end: str) -> None:
    """Sessions of its own, ignored signals, double forks, a stopped parent: the namespace dies, and all in it."""
    script = r"""
for number in range(6):
    if os.fork() == 0:
        os.setsid()
        for name in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(name, signal.SIG_IGN)
        if os.fork() == 0:
            os.closerange(0, 50)
            write(f'up{number}')
            while True:
                time.sleep(300)
        if number % 2:
            os._exit(0)
        os.kill(os.getpid(), signal.SIGSTOP)
while len([name for name in os.listdir('.') if name.startswith('up')]) < 6:
    time.sleep(0.01)
if end == 'time':
    time.sleep(300)
if end == 'kill':
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with ground(user) as here:
        outcome = here.inside(script, bounds=Bounds(seconds=3 if end == "time" else 120), end=end)
        assert (outcome.exit_code, outcome.ended) == {"leave": (0, ""), "time": (137, TIMEOUT), "kill": (137, "")}[end]
        assert left(here.workspace) == []


def test_everything_dies_when_the_bridge_is_killed(user: str) -> None:
    with ground(user) as here:
        child = os.fork()
        if child == 0:
            try:
                here.inside("if os.fork() == 0:\n    os.setsid()\nwrite(f'up{os.getpid()}')\ntime.sleep(300)")
            finally:
                os._exit(1)
        until(lambda: len(os.listdir(here.workspace)) == 2)
        assert left(here.workspace)
        os.kill(int(Path(f"/proc/{child}/task/{child}/children").read_text()), signal.SIGKILL)
        os.waitpid(child, 0)
        until(lambda: not left(here.workspace))


def test_a_flood_of_300_megabytes_holds_no_more_than_its_ends(user: str) -> None:
    def peak(here: Ground, bounds: Bounds) -> tuple[int, int, str]:
        """Bytes that the bridge grew by, bytes of output, and how it ended."""

        async def run() -> tuple[int, int, str]:
            site = Site(BubblewrapSandbox(here.state, home=here.home), here.workspace)
            await site.run(sh("head -c 1000000 /dev/zero"), bounds=bounds)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            outcome = await site.run(sh("head -c 300M /dev/zero"), bounds=bounds)
            return (
                (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10,
                outcome.stdout.total,
                outcome.ended,
            )

        return here.bridge(run)

    with ground(user) as here:
        grown, total, ended = peak(here, Bounds(seconds=120, flood=400 << 20))
        assert (total, ended) == (300 << 20, "")
        assert grown < 1 << 20
        grown, total, ended = peak(here, Bounds(seconds=120))
        assert ended == FLOOD
        assert total < (256 << 20) + (1 << 17)
        assert grown < 1 << 20


def test_output_after_the_end_of_the_program_is_not_waited_for(user: str) -> None:
    script = r"""
print('first', flush=True)
ours, theirs = os.pipe()
if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, b'more' * 1000)
        os.write(theirs, b'x')
os.read(ours, 1)
os._exit(5)
"""
    with ground(user) as here:
        outcome = here.inside(script)
        assert (outcome.exit_code, outcome.ended) == (5, "")
        assert b"first" in outcome.stdout.head
