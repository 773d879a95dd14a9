"""`mab status --watch` as a person has it: on a terminal, drawn in place, over a store that goes away and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multiagent_bridge.cli.status.screen import BEGIN, END, LEAVE
from tests.machines import screens
from tests.machines.agents import SECONDS, environment
from tests.machines.places import UNLIMITED, Place, made, until
from tests.machines.screens import COLOURS, ESCAPES, Screen, screen
from tests.postgres_server import served

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
STAGE = ROOT / "tests" / "faces" / "status_stage.py"


@contextmanager
def staged(monkeypatch: pytest.MonkeyPatch, home: Path, *words: str, **env: str) -> Iterator[Screen]:
    """The program over a store in memory that obeys what is typed."""
    with monkeypatch.context() as patch:
        patch.setattr(screens, "MAB", sys.executable)
        seen = screen(home, str(STAGE), *words, PYTHONPATH=str(ROOT), **env)
        with seen as here:
            yield here


def frames(seen: Screen) -> list[list[str]]:
    """What was drawn at each time, whole, as lines without the sequences that place them."""
    drawn = [frame.partition(END)[0] for frame in seen.raw.split(BEGIN)[1:] if END in frame]
    return [[ESCAPES.sub("", line).strip("\r") for line in frame.split("\n")] for frame in drawn]


def gave_back(seen: Screen) -> None:
    """The terminal is in its own screen, shows its cursor, and is set as before."""
    assert seen.raw.endswith(LEAVE) or LEAVE in seen.raw
    assert seen.raw.rindex("\x1b[?25h") > seen.raw.rindex("\x1b[?25l")
    until(lambda: seen.settings == seen.before, "the terminal is set as before")


def test_a_store_that_fails_and_returns_is_told_of_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with staged(monkeypatch, tmp_path) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        seen.press("away\n")
        seen.until(lambda _: "the store is away since 2026-" in now(seen), "that it is away")
        assert "start it" in now(seen), "what to do"
        assert "backend" in now(seen), "what was seen last stays in sight"
        seen.press("back\n")
        seen.until(lambda _: "away" not in now(seen), "that it is back")
        seen.press("new\n")
        seen.until(lambda _: shown(seen) == 2, "the new conversation")
        seen.press("end\n")
        assert seen.ended() == 0
        gave_back(seen)
    assert "\x1b[2J" not in seen.raw, "nothing is wiped before it is drawn again"
    assert "away\r\n" not in seen.raw, "what is typed meanwhile is not shown"
    assert all(len(frame) <= 24 and all(len(line) < 80 for line in frame) for frame in frames(seen))


def test_the_keys_of_the_terminal_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with staged(monkeypatch, tmp_path) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        seen.press("\x03")
        assert seen.ended() == 130
        gave_back(seen)


def test_json_is_one_line_a_refresh_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with staged(monkeypatch, tmp_path, "--json") as seen:
        seen.until(lambda text: "\n" in text, "the first line")
        seen.press("away\n")
        seen.until(lambda text: text.count('"since"') == 1, "that it is away")
        seen.press("back\n")
        seen.until(lambda text: text.rindex('"store_away":null') > text.rindex('"since"'), "that it is back")
        seen.press("end\n")
        assert seen.ended() == 0
    lines = [line for line in seen.text.splitlines() if line.startswith("{")]
    assert [json.loads(line)["store_away"] is None for line in lines] == [True, False, True]
    assert "\x1b" not in seen.raw


def test_a_store_file_that_is_moved_away_and_back_is_read_again(fast: Place, tmp_path: Path) -> None:
    fast.mab("create", "backend", "frontend")
    store, elsewhere = fast.home / "bridge.db", tmp_path / "bridge.db"
    with screen(fast.home, "status", "--watch", **fast.env) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        store.rename(elsewhere)
        seen.until(lambda _: "the store is away since" in now(seen), "that it is away")
        assert not store.exists(), "looking makes no store"
        elsewhere.rename(store)
        seen.until(lambda _: "away" not in now(seen), "that it is back")
        fast.mab("create", "planner", "worker")
        seen.until(lambda _: "planner" in now(seen), "what happened then")
        interrupt(seen)
        assert seen.ended() == 130
        gave_back(seen)
    fast.verified()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_however_it_is_ended_the_terminal_is_as_it_was(fast: Place, number: int, status: int) -> None:
    fast.mab("create", "backend", "frontend")
    with screen(fast.home, "status", "--watch", **fast.env) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        os.kill(seen.process.pid, number)
        assert seen.ended() == status
        gave_back(seen)
    assert "Traceback" not in seen.text


def test_suspended_it_gives_the_terminal_back_and_takes_it_again(fast: Place) -> None:
    fast.mab("create", "backend", "frontend")
    with screen(fast.home, "status", "--watch", **fast.env) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        os.kill(seen.process.pid, signal.SIGTSTP)
        until(lambda: stopped(seen.process.pid), "it stopped")
        seen.until(lambda _: LEAVE in seen.raw, "the terminal's own screen")
        assert seen.settings == seen.before
        before = len(frames(seen))
        os.kill(seen.process.pid, signal.SIGCONT)
        seen.until(lambda _: len(frames(seen)) > before and "backend" in now(seen), "the conversation again")
        interrupt(seen)
        assert seen.ended() == 130
        gave_back(seen)


def test_a_terminal_that_shrinks_and_grows_is_filled_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with staged(monkeypatch, tmp_path) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        seen.press("new\n" * 11)
        seen.until(lambda _: "and 6 more: mab list" in now(seen), "as many as there are rows")
        assert shown(seen) == 6
        for lines, count in ((12, 2), (60, 12)):
            termios.tcsetwinsize(seen._theirs, (lines, 100))
            seen.until(lambda _, count=count: shown(seen) == count, f"{count} of them")  # type: ignore[misc]
            assert len(frames(seen)[-1]) <= lines
        seen.press("end\n")
        assert seen.ended() == 0


def test_without_colour_no_colour_is_sent(fast: Place) -> None:
    fast.mab("create", "backend", "frontend")
    with screen(fast.home, "status", "--watch", NO_COLOR="1", **fast.env) as seen:
        seen.until(lambda _: "backend" in now(seen), "the conversation")
        interrupt(seen)
        assert seen.ended() == 130
    assert not COLOURS.search(seen.raw)


def test_off_a_terminal_it_prints_plain_blocks(fast: Place) -> None:
    fast.mab("create", "backend", "frontend")
    watching = subprocess.Popen(
        [screens.MAB, "status", "--watch"], env=environment(fast.home, **fast.env), stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    try:
        read = [watching.stdout.readline() for _ in range(6)]
        fast.mab("create", "planner", "worker")
        while "planner" not in read[-1]:
            read.append(watching.stdout.readline())
            assert read[-1], "it goes on"
    finally:
        watching.send_signal(signal.SIGTERM)
        rest, _ = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 0
    text = "".join(read) + rest
    assert "\x1b" not in text
    blocks = text.split("\n\n")
    assert len(blocks) >= 2
    assert all(block.startswith("hub: ") for block in blocks)


def now(seen: Screen) -> str:
    """What stands on the screen."""
    drawn = frames(seen)
    return "\n".join(drawn[-1]) if drawn else ""


def shown(seen: Screen) -> int:
    """Conversations on the screen."""
    return sum(line.startswith("conv_") for line in now(seen).split("\n"))


def interrupt(seen: Screen) -> None:
    """What Ctrl-C does at a terminal that is the program's own."""
    os.kill(seen.process.pid, signal.SIGINT)


def stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.servers
def test_a_database_server_that_is_down_is_told_of_and_waited_for() -> None:
    with served() as server, made(**UNLIMITED, MAB_STORE=server.create_now()) as place:
        place.mab("create", "backend", "frontend")
        with screen(place.home, "status", "--watch", **place.env) as seen:
            seen.until(lambda _: "backend" in now(seen), "the conversation")
            server.stop()
            seen.until(lambda _: "the store is away since" in now(seen), "that it is away")
            assert "backend" in now(seen), "what was seen last stays in sight"
            server.start()
            seen.until(lambda _: "away" not in now(seen), "that it is back")
            place.mab("create", "planner", "worker")
            seen.until(lambda _: "planner" in now(seen), "what happened then")
            interrupt(seen)
            assert seen.ended() == 130
            gave_back(seen)
