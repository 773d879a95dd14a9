"""What a command can reach under Landlock: nothing of other files and programs but what is written down as reached."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from multiagent_bridge.model.commands import Step
from tests.attacks.landlock_yard import FILES, KERNELS, Yard, as_commands, script, yard

pytestmark = pytest.mark.anyio

SEEN = {"size"}
"""Landlock knows no right to see that a file is there."""
METADATA = {"permissions", "times", "owner"}
"""Nor one to change these; the filter refuses them to who only reads."""
JUDGED_LATER = {"a signal when something is ready"}
"""From version 6 on the kernel takes the order and refuses the signal."""
PRIVILEGED = {"become root", "other groups", "a user namespace", "a mount", "another root", "trace"}
"""What no ordinary user, or not every container, is allowed anyway."""


async def reached(place: Yard, writable: bool) -> set[str]:
    step = Step(("python3", "-c", script("landlock_reach.py"), str(place.outside), str(place.victim.pid)))
    outcome = await place.site.run(step, writable=writable)
    assert outcome.exit_code == 0, outcome.stderr.head.decode()
    said: dict[str, Any] = json.loads(outcome.stdout.head)
    assert said["tried"] > 40
    return set(said["reached"])


@pytest.mark.parametrize("abi", KERNELS)
@pytest.mark.parametrize("writable", [False, True], ids=["reading", "writing"])
async def test_a_command_reaches_nothing_but_what_is_written_down(abi: int, writable: bool) -> None:
    with yard(abi) as place:
        found = await reached(place, writable)
        assert found - JUDGED_LATER == SEEN | (METADATA if writable else set())
        assert (JUDGED_LATER & found != set()) is (abi >= 6)
        assert place.victim.poll() is None
        with pytest.raises(BlockingIOError):
            place.socket.recv(1)
        assert {path.name: path.read_text() for path in place.outside.iterdir() if path.is_file()} == {
            name: name for name in FILES
        }


def test_without_a_sandbox_the_same_attempts_succeed() -> None:
    with yard() as place:
        python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
        argv = [str(python), "-c", script("landlock_reach.py"), str(place.outside), str(place.victim.pid)]
        done = subprocess.run(
            argv,
            cwd=place.site.folder,
            capture_output=True,
            timeout=90,
            check=True,
            start_new_session=True,
            **as_commands(),
        )
        missed = {"the terminal", "the one who started it"}
        said = json.loads(done.stdout)
        assert len(said["reached"]) >= said["tried"] - len(PRIVILEGED | missed)
        assert SEEN | METADATA | {"limits", "watch", "a datagram to a socket outside"} <= set(said["reached"])
        place.victim.wait(90)
        assert place.victim.returncode != 0
        assert place.socket.recv(1) == b"x"
