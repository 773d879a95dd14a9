"""`mab validate` end to end, as a person runs it: real processes, a report that verifies, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.validation.frame import NUMBERS
from multiagent_bridge.validation.profiles import Profile
from multiagent_bridge.validation.stage import Stage
from tests.machines.places import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MAB = (sys.executable, "-I", "-m", "multiagent_bridge")
SECONDS = 800


class Desk:
    """Where a person stands who validates: a home with a store of their own, and a place for temporary files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.temporary = root / "t"
        self.temporary.mkdir(mode=0o711)
        self.home = root / "own"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "TMPDIR": str(self.temporary),
            "MAB_HOME": str(self.home),
            "MAB_STORE": "sqlite:///must-not-be-opened.db",
            "MAB_LIMITS__MESSAGE_CHARACTERS": "5",
            "YOLO_MODE": "1",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*MAB, *words], env=self.environment, cwd=self.root, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def mab(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, said = process.communicate(timeout=SECONDS)
        return process.returncode, out, said

    def left(self) -> list[str]:
        """What is still there of any run: processes in a state directory of one, and temporary folders."""
        found = [path.name for path in self.temporary.iterdir()]
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and str(self.temporary).encode() in (entry / "environ").read_bytes():
                    words = (entry / "cmdline").read_bytes()
                    if b"MAB_HOME=" + os.fsencode(self.home) + b"\0" not in (entry / "environ").read_bytes() and words:
                        found.append(words.decode().replace("\0", " "))
        return found


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Where commands may run even when the tests run as root: their user must be able to come to the workspace."""
    root = Path(tempfile.mkdtemp(prefix="mab-desk-"))
    root.chmod(0o711)
    yield Desk(root)
    shutil.rmtree(root)


def test_a_quick_run_passes_every_test_and_its_report_verifies(desk: Desk) -> None:
    status, out, said = desk.mab("validate", "--profile", "quick", "--out", "report")
    assert status == 0, said
    assert out == "passed\n"
    report = json.loads((desk.root / "report" / "report.json").read_text())["report"]
    assert [test["number"] for test in report["tests"]] == list(NUMBERS)
    assert report["complete"]
    assert report["citation"]["confidence"] == "high: 14 of 14 tests passed"
    assert str(desk.root) not in (desk.root / "report" / "report.json").read_text()
    status, out, said = desk.mab("report", "verify", "report/report.json", "--key", report["verifier_key"])
    assert status == 0, said
    assert out.startswith("verified: 14 tests, 14 passed; ")
    assert not desk.home.exists()
    assert desk.left() == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_run_that_is_interrupted_leaves_no_process_and_no_folder(desk: Desk, times: int) -> None:
    process = desk.start("validate", "--only", "7", "--json", "--out", "report")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line) == {"event": "begin", "number": "7", "name": "failure recovery"}:
            break
    assert desk.left() != []
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    process.communicate(timeout=240)
    assert process.returncode in ((130,) if times == 1 else (130, -signal.SIGINT))
    until(lambda: not desk.left(), "everything of the run is gone")


def test_a_run_that_is_terminated_leaves_no_process_and_no_folder(desk: Desk) -> None:
    process = desk.start("validate", "--only", "9", "--json", "--out", "report")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["number"] == "9":
            break
    process.terminate()
    process.communicate(timeout=240)
    assert process.returncode == 128 + signal.SIGTERM
    until(lambda: not desk.left(), "everything of the run is gone")


def test_two_runs_at_once_do_not_meet(desk: Desk) -> None:
    runs = [desk.start("validate", "--only", "2") for _ in range(2)]
    said = [run.communicate(timeout=SECONDS) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    folders = sorted(desk.root.glob("validation-*"))
    assert len(folders) == 2
    keys = set()
    for folder in folders:
        status, _, talk = desk.mab("report", "verify", str(folder / "report.json"))
        assert status == 0, talk
        keys.add(json.loads((folder / "report.json").read_text())["report"]["verifier_key"])
    assert len(keys) == 2
    assert desk.left() == []


def test_a_test_that_cannot_be_done_here_is_not_run_and_the_whole_has_not_passed(desk: Desk) -> None:
    tools = desk.root / "bin"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    process = subprocess.run(
        [*MAB, "validate", "--only", "10", "--out", "report"], env=desk.environment | {"PATH": str(tools)},
        cwd=desk.root, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert process.returncode == 1, process.stderr
    assert process.stdout == "not passed\n"
    report = json.loads((desk.root / "report" / "report.json").read_text())["report"]
    last = report["tests"][-1]
    assert (last["number"], last["verdict"], last["reason"]) == ("10", "not run", "there is no git on this machine")
    assert report["passed"] is False
    assert desk.mab("report", "verify", "report/report.json")[0] == 0


@pytest.mark.anyio
async def test_a_hub_that_does_not_start_is_said_in_its_own_words_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Profile, "settings", lambda self: {"MAB_LIMITS__WRITES": "nonsense"})
    with pytest.raises(Unavailable, match="the hub does not start") as refused:
        async with Stage(Profile.of("quick")):
            pass
    assert "limits" in refused.value.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_what_a_process_of_the_run_started_itself_is_ended_and_a_strangers_in_its_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(tempfile.mkdtemp(prefix="mab-stage-"))
    monkeypatch.setattr("tempfile.tempdir", str(root))
    sleeping = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], start_new_session=True); input()"
    )
    try:
        async with Stage(Profile.of("quick")) as stage:
            started = await stage.start(sys.executable, "-c", sleeping, talk=True)
            until(lambda: len(stage._running()) >= 3, "the hub, the process and what it started run")
            stranger = subprocess.Popen(
                ["sleep", "60"], env={"PATH": os.environ["PATH"], "PWD": str(stage.root)}, cwd=stage.root
            )
            started.signalled(signal.SIGKILL)
        assert stage._running() == []
        assert stranger.poll() is None
        stranger.kill()
        stranger.wait(60)
        assert list(root.iterdir()) == []
    finally:
        shutil.rmtree(root)
