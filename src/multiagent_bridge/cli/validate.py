"""`mab validate`: the tests of the S² protocol against real processes, and a signed report of what was measured."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.archives import write_private
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.validation.run import Ran

NUMBERED = 100
"""Folders of one second that are told apart by a number."""


def register(app: typer.Typer) -> None:
    app.command()(validate)


def validate(
    profile: Annotated[
        str,
        typer.Option(
            "--profile", metavar="quick|full", help="quick: a scaled clock, minutes; full: the protocol's own times."
        ),
    ] = "quick",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="N", help="This test (1 to 13, or S) and what it stands on; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the report; ./validation-DATE when left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the tests of the S² protocol against a hub and agents of its own, and write a signed report of every figure."""
    # all of it now: a run must not fail at its end because the program was replaced meanwhile
    from multiagent_bridge.validation import report, run
    from multiagent_bridge.validation.machine import here
    from multiagent_bridge.validation.profiles import Profile

    clock, tests = Profile.of(profile), run.chosen(only or [])
    folder = _folder(out)
    began = _now()
    tell = output.json_line if as_json else _Teller(len(tests)).tell
    status, ran = asyncio.run(_run(lambda: run.run(clock, tests, folder / "journal.jsonl", tell)))
    if ran is None:
        raise typer.Exit(status)
    lines = (folder / report.JOURNAL).read_bytes().count(b"\n")
    document = report.document(ran, here(), began, _now(), lines, _command(profile, only))
    write_private(folder / report.REPORT, report.written(document))
    write_private(folder / report.PAGE, report.markdown(document["report"]))
    passed = all(outcome.verdict == "passed" for outcome in ran.outcomes)
    if as_json:
        key = {"verifier_key": ran.verifier_key}
        output.json_line({"event": "report", "passed": passed, "report": str(folder / "report.json"), **key})
    else:
        output.say(f"signed by {ran.verifier_key}")
        output.say(f"the report is in {folder / 'report.md'}; mab report verify {folder / 'report.json'}")
        output.line("passed" if passed else "not passed")
    if not passed:
        raise typer.Exit(1)


async def _run(make: Callable[[], Any]) -> tuple[int, Ran | None]:
    """The run, cleared away however it ends. Returns the exit status of a signal, or what was run."""
    ended: list[int] = []
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _ender(task, ended, number))
    try:
        return 0, await make()
    except asyncio.CancelledError:
        if not ended:
            raise
        return 128 + ended[0], None


def _ender(task: asyncio.Task[object], ended: list[int], number: int) -> Callable[[], None]:
    def end() -> None:
        ended.append(number)
        task.cancel()

    return end


class _Teller:
    """One line as a test begins and one as it ends, on stderr."""

    def __init__(self, tests: int) -> None:
        self._tests = tests
        self._told = 0

    def tell(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "begin":
            self._told += 1
            output.say(f"[{self._told}/{self._tests}] {event['number']} {event['name']} ...")
            return
        met = sum(bool(target["met"]) for target in event["targets"])
        reason = f": {event['reason']}" if event["reason"] else ""
        output.say(
            f"        {event['verdict']} in {event['seconds']:.1f} s, {met} of {len(event['targets'])} targets met{reason}"
        )


def _folder(out: Path | None) -> Path:
    """A new folder, 0700. Raises Invalid when the one that was named is there and not empty, Unavailable."""
    named = out or Path(f"validation-{time.strftime('%Y-%m-%d-%H%M%S')}")
    try:
        for number in range(1, NUMBERED):
            place = named if number == 1 else named.with_name(f"{named.name}-{number}")
            try:
                place.mkdir(mode=0o700, parents=out is not None)
            except FileExistsError:
                if out is not None and place.is_dir() and not os.listdir(place):
                    return place.absolute()
                if out is not None:
                    raise Invalid(f"{out} exists and is not an empty folder", "name a new folder") from None
                continue
            return place.absolute()
    except OSError as error:
        raise Unavailable(f"{named} cannot be made: {(error.strerror or '').lower()}", "name another --out") from error
    raise Unavailable(f"{named} cannot be made: there are {NUMBERED} already", "name another --out")


def _command(profile: str, only: list[str] | None) -> str:
    """What makes another such run."""
    return " ".join(
        ["mab", "validate", "--profile", profile, *(word for one in only or [] for word in ("--only", one))]
    )


def _now() -> str:
    from multiagent_bridge.model.instants import microseconds_to_iso

    return microseconds_to_iso(time.time_ns() // 1000)
