"""The demo tells the truth, fails by name where it cannot, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.cli import demo, demo_stage, demo_story
from multiagent_bridge.cli.demo_teller import Teller
from multiagent_bridge.errors import BridgeError
from tests.faces.terminal import SECONDS, Terminal, at_a_terminal, ended

STEPS = [title for _, title in demo_story.STEPS]


def left_behind(place: Path) -> tuple[list[str], list[str]]:
    """Directories of a demo in `place`, and processes that name one of them."""
    directories = [path.name for path in place.glob("mab-demo-*")]
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.fsencode(place / "mab-demo-") in (entry / "environ").read_bytes():
                    processes.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return directories, processes


@pytest.fixture
def temporary(terminal: Terminal) -> Iterator[Path]:
    """Where this test's demo keeps its directory: short, since sockets lie in it."""
    made = Path(tempfile.mkdtemp(prefix="mab-"))
    known = terminal.variables() | {"TMPDIR": str(made)}
    terminal.variables = lambda: known  # type: ignore[method-assign]
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_whole_story_is_told_in_plain_text_off_a_terminal(terminal: Terminal, temporary: Path) -> None:
    done = terminal.process("demo")
    told = [line.split("  ", 1)[1] for line in done.out.splitlines() if re.match(r"\d  ", line)]
    assert told == STEPS
    assert done.out.isascii()
    assert "\x1b" not in done.out
    assert done.err == ""
    assert "2026-07-28" in done.out
    assert "2025-11-25" in done.out
    assert re.search(r"frontend -> .*AKIA\w{16}", done.out)
    assert re.search(r"backend  <- .*AWS_KEY_REDACTED", done.out)
    assert re.search(r"x not_allowed: ", done.out)
    assert re.search(r"had it \d+ ms after", done.out)
    assert re.search(r"x too_fast: .*try again in \d+ s", done.out)
    assert re.search(r"verified: \d+ entries", done.out)
    changed = re.search(r"one byte of entry (\d+) was changed", done.out)
    assert changed is not None
    assert re.search(rf"tampered: entry {changed[1]} ", done.out)
    assert done.out.splitlines()[-1].endswith(" init")
    assert left_behind(temporary) == ([], [])
    temporary.rmdir()


def test_on_a_terminal_the_story_is_in_colour_unless_it_is_to_be_plain(terminal: Terminal, temporary: Path) -> None:
    status, told = at_a_terminal(terminal, "demo", "--fast")
    assert status == 0
    assert "\x1b[32m✓ \x1b[0m" in told
    status, told = at_a_terminal(terminal, "demo", "--fast", "--plain")
    assert status == 0
    assert told.isascii()
    assert "\x1b" not in told
    assert left_behind(temporary) == ([], [])
    temporary.rmdir()


def test_a_reader_that_leaves_early_ends_the_demo_quietly_and_cleanly(terminal: Terminal, temporary: Path) -> None:
    telling = terminal.started("demo", "--fast")
    assert telling.stdout is not None
    assert telling.stderr is not None
    telling.stdout.readline()
    telling.stdout.close()
    try:
        assert telling.stderr.read() == ""
        assert telling.wait(SECONDS) == 1
    finally:
        telling.kill()
        telling.wait()
        telling.stderr.close()
    assert left_behind(temporary) == ([], [])
    temporary.rmdir()


def test_nothing_of_the_person_is_used_or_touched(terminal: Terminal, temporary: Path) -> None:
    (terminal.user / "bridge.toml").write_text("colour = 'red'\n")
    (terminal.project / "bridge.toml").write_text("[limits]\nwrites = [[1000000, 1]]\n")
    terminal.process(
        "demo", "--fast", MAB_LIMITS__WRITES="[[1000000,1]]", MAB_MASTER_KEY="broken", MAB_STORE="mysql://nowhere/x"
    )
    assert not terminal.home.exists()
    temporary.rmdir()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("after", [0, 1, 4], ids=lambda lines: f"line {lines}")
def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    terminal: Terminal, temporary: Path, number: int, status: int, after: int
) -> None:
    telling = terminal.started("demo", "--fast")
    assert telling.stdout is not None
    deadline = time.monotonic() + SECONDS
    while after == 0 and not list(temporary.glob("mab-demo-*/hub.lock")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(after):
        telling.stdout.readline()
    telling.send_signal(number)
    done = ended(telling)
    assert done.status == status, done.err
    assert "Traceback" not in done.err
    assert left_behind(temporary) == ([], [])
    temporary.rmdir()


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_step_that_fails_is_named_and_the_status_is_1(
    step: int, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def begun(stage: object) -> object:
        return stage

    async def cleared(*_: object) -> None:
        pass

    async def fails(cast: object) -> None:
        raise demo_stage.Failed("it was otherwise")

    async def holds(cast: object) -> None:
        pass

    async def client(stage: object, name: str, mode: str) -> Any:
        return type("Client", (), {"protocol_version": mode})

    steps = [(fails if at == step else holds, title) for at, title in enumerate(STEPS)]
    monkeypatch.setattr(demo_story, "STEPS", steps)
    monkeypatch.setattr(demo_stage.Stage, "__aenter__", begun)
    monkeypatch.setattr(demo_stage.Stage, "__aexit__", cleared)
    monkeypatch.setattr(demo_stage.Stage, "client", client)
    monkeypatch.setattr(demo_stage.Stage, "hub_process", 1)
    done = terminal.mab("demo", "--fast", status=1)
    assert f"step {step + 1} ({STEPS[step]})" in done.err
    assert "it was otherwise" in done.err
    assert "Nothing is left behind" not in done.out


def cast_of(monkeypatch: pytest.MonkeyPatch, answers: Sequence[Any]) -> demo_story.Cast:
    """A cast whose tools give these answers in turn: a refusal is a string, a result anything else."""
    left = list(answers)

    async def tool(client: object, name: str, **arguments: Any) -> Any:
        answer = left.pop(0)
        return answer(arguments) if callable(answer) else answer

    async def refusal(client: object, name: str, **arguments: Any) -> Any:
        return left.pop(0)

    monkeypatch.setattr(demo_story, "tool", tool)
    monkeypatch.setattr(demo_story, "refusal", refusal)
    stage = demo_stage.Stage()
    stage.home = Path("/nonexistent")
    nobody: Any = None
    return demo_story.Cast(Teller(False, 0), stage, nobody, nobody, "conv_x", "0" * 64)


CREATED = {"conversation_id": "c", "session_a_token": "0" * 64, "sessions": [{}, {"invite": "i"}]}


@pytest.mark.parametrize(
    ("step", "answers"),
    [
        (demo_story.message, [CREATED, {"session_id": "c"}]),
        (demo_story.message, [CREATED, {"session_id": "b"}, None]),
        (demo_story.message, [CREATED, {"session_id": "b"}, "no", {}, {"messages": []}, {"messages": []}]),
        (demo_story.secret, [{"redacted": False, "redactions": []}, {"messages": [{"message": "x"}]}]),
        (demo_story.secret, [{"redacted": True, "redactions": ["AWS_KEY"]}, {"messages": [{"message": "leak"}]}]),
        (demo_story.forgery, [None]),
        (demo_story.forgery, ["invalid: something else"]),
        (demo_story.forgery, ["not_allowed: x", {"messages": [{"message": "forged"}]}]),
        (demo_story.limit, [None] * 20),
        (demo_story.limit, [None, "too_fast: over it"]),
        (demo_story.limit, [None, "unavailable: something else (try again in 5 s)"]),
    ],
)
@pytest.mark.anyio
async def test_a_bridge_that_does_otherwise_fails_the_step(
    monkeypatch: pytest.MonkeyPatch, step: Any, answers: Sequence[Any]
) -> None:
    with pytest.raises(demo_stage.Failed):
        await step(cast_of(monkeypatch, answers))


@pytest.mark.parametrize(
    ("status", "said"),
    [(0, "verified: 9 entries"), (10, "mab: error: tampered: entry 5 was edited"), (10, ""), (1, "entry 4")],
)
@pytest.mark.anyio
async def test_tampering_that_is_not_found_at_its_place_fails_the_step(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    async def forged(home: Path, copy: Path) -> tuple[int, str]:
        return 4, "x"

    async def mab(stage: object, *words: str, home: Path) -> tuple[int, str]:
        return status, said

    monkeypatch.setattr(demo_story, "_forged_copy", forged)
    monkeypatch.setattr(demo_stage.Stage, "mab", mab)
    with pytest.raises(demo_stage.Failed):
        await demo_story.tampered(cast_of(monkeypatch, []))


def test_a_hub_that_does_not_start_is_said_in_its_own_words(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(demo_stage, "SETTINGS", {"MAB_STORE": "mysql://nowhere/x"})
    done = terminal.mab("demo", "--fast", status=1)
    assert "the demo stopped at the start" in done.err
    assert "invalid: the store" in done.err
    assert list(tmp_path.glob("mab-demo-*")) == []


def test_what_a_client_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(False, 0)
    teller.says("backend", "a\x1b[2Jb\nc")
    assert capsys.readouterr().out == "   backend  -> a\\x1b[2Jb\\x0ac\n"


def test_an_invented_key_is_another_each_time() -> None:
    keys = {demo_stage.invented_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(re.fullmatch("AKIA[A-Z2-7]{16}", key) for key in keys)


def test_a_failure_inside_a_group_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(False, 0, "A step", 3)
    demo._explain(teller, ExceptionGroup("many", [ExceptionGroup("more", [BridgeError("it broke")])]))
    assert capsys.readouterr().err.startswith(
        "mab: error: failed: the demo stopped at step 3 (A step): failed: it broke\n"
    )
    demo._explain(teller, TimeoutError())
    assert "it took too long" in capsys.readouterr().err


def test_the_sockets_of_a_demo_have_short_paths(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = terminal.root / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    made = demo_stage._directory()
    try:
        assert len(os.fsencode(made / "hub.sock")) <= 100
        assert made.stat().st_mode & 0o777 == 0o700
        assert list(deep.iterdir()) == []
    finally:
        made.rmdir()


def test_a_second_interrupt_does_not_stop_the_clearing(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = []

    async def interrupted() -> None:
        stage = demo_stage.Stage()
        began = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow() -> None:
            loop.call_soon_threadsafe(began.set)
            time.sleep(0.05)
            cleared.append(True)

        monkeypatch.setattr(stage, "_cleared", slow)
        leaving = asyncio.create_task(stage._clear())
        await began.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    asyncio.run(interrupted())
    assert cleared == [True]
