"""`exercise_sandbox`: every law of `ports.Sandbox`, for whoever writes an adapter.

@asynccontextmanager
async def opened():
    yield Site(MySandbox(...), an_empty_folder)

await exercise_sandbox(opened)

Inside, the laws use `sh` with the tools of a base system, and `bash`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from multiagent_bridge.errors import Conflict, NotFound
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import FLOOD, TIMEOUT, Bounds, Captured, Confinement
from multiagent_bridge.testing.laws import Broken, agree, refused, together
from multiagent_bridge.testing.sandbox_confinement import CONFINEMENT_LAWS
from multiagent_bridge.testing.sandbox_site import PlainSandbox, Site, sh

__all__ = ["CONFINEMENT_LAWS", "FUNCTIONAL_LAWS", "PlainSandbox", "SandboxLaw", "Site", "exercise_sandbox", "sh"]

SandboxLaw = Callable[[Site], Awaitable[None]]

LINGERS = "mkfifo beat; {starts} sh -c 'exec 3<>beat; : > up; sleep 300' & while [ ! -e up ]; do :; done; "
"""Starts something that holds `beat` open, and goes on when it does."""


async def a_program_runs_in_the_workspace(site: Site) -> None:
    (site.folder / "there").write_text("here")
    outcome = await site.shell("pwd; cat there; echo wrong >&2; cat; : > made; exit 7")
    agree(outcome.exit_code, 7, "the exit status is the program's own")
    agree(outcome.stdout.head, f"{site.folder}\nhere".encode(), "it starts in the workspace; its input is empty")
    agree((outcome.stderr.head, outcome.ended), (b"wrong\n", ""), "standard error is kept apart")
    agree((site.folder / "made").exists(), True, "what it makes in a writable workspace stays")
    agree(outcome.microseconds > 0, True, "its time is measured")


async def a_signal_shows_as_128_and_its_number(site: Site) -> None:
    for name, wanted in (("TERM", 143), ("KILL", 137), ("SEGV", 139)):
        outcome = await site.shell(f"kill -{name} $$")
        agree((outcome.exit_code, outcome.ended), (wanted, ""), f"a program that dies of SIG{name}")


async def a_pipe_joins_output_to_input(site: Site) -> None:
    sort, head = Step(("sort",), join="|"), Step(("head", "-n", "1"), join="|")
    agree(await site.said(sh(r"printf 'b\na\nc\n'"), sort, head), (0, "a\n"), "three programs in a row")
    agree(await site.said(Step(("false",)), sh("exit 5", "|")), (5, ""), "a pipeline answers with its last program")
    agree(await site.said(sh("exit 5"), Step(("true",), join="|")), (0, ""), "and not with its first")
    agree(await site.said(Step(("yes",)), head), (0, "y\n"), "a writer without reader ends")
    count = await site.said(sh("head -c 1000000 /dev/zero"), Step(("wc", "-c"), join="|"))
    agree((count[0], count[1].strip()), (0, "1000000"), "more than a pipe holds goes through")


async def joins_mean_what_posix_says(site: Site) -> None:
    for plan, wanted in (
        ((("exit 0", ""), ("echo 1", "&&")), (0, "1\n")),
        ((("exit 3", ""), ("echo 1", "&&")), (3, "")),
        ((("exit 3", ""), ("echo 1", "||")), (0, "1\n")),
        ((("exit 0", ""), ("echo 1", "||")), (0, "")),
        ((("exit 3", ""), ("echo 1", ";")), (0, "1\n")),
        ((("exit 3", ""), ("echo 1", "&&"), ("echo 2", "||")), (0, "2\n")),
        ((("exit 0", ""), ("echo 1", "||"), ("echo 2", "&&")), (0, "2\n")),
        ((("exit 3", ""), ("echo 1", "&&"), ("echo 2", ";"), ("exit 4", "&&")), (4, "2\n")),
        ((("exit 0", ""), ("exit 4", "|"), ("echo 1", "&&"), ("echo 2", "||")), (0, "2\n")),
    ):
        steps = [sh(line, join) for line, join in plan]
        agree(await site.said(*steps), wanted, f"the plan {plan}")


async def redirections_apply_from_left_to_right(site: Site) -> None:
    both = "echo out; echo err >&2"
    for streams, wanted in (
        ((), ("out\n", "err\n")),
        (("2>/dev/null",), ("out\n", "")),
        (("1>/dev/null",), ("", "err\n")),
        (("2>&1", "1>/dev/null"), ("err\n", "")),
        (("1>/dev/null", "2>&1"), ("", "")),
        (("1>&2", "2>/dev/null"), ("", "out\n")),
    ):
        outcome = await site.run(sh(both, streams=streams))
        found = (outcome.stdout.head.decode(), outcome.stderr.head.decode())
        agree(found, wanted, f"the redirections {streams}")
    outcome = await site.run(sh(both, streams=("2>&1",)), Step(("wc", "-l"), join="|"))
    agree(outcome.stdout.head.strip(), b"2", "errors follow output into a pipe")


async def patterns_are_expanded_inside_the_workspace(site: Site) -> None:
    for name in ("b.py", "a.py", "-x.py", ".hidden.py", "sub/one.py", "sub/two.txt", "c [1].py"):
        (site.folder / name).parent.mkdir(exist_ok=True)
        (site.folder / name).touch()
    (site.folder / "away").symlink_to("/usr")
    for pattern, wanted in (
        ("*.py", "./-x.py|a.py|b.py|c [1].py"),
        ("?.py", "a.py|b.py"),
        ("sub/*", "sub/one.py|sub/two.txt"),
        ("*/one.*", "sub/one.py"),
        (".h*", ".hidden.py"),
        ("c [1].*", "c [1].py"),
        ("*.none", "*.none"),
        ("away/*", "away/*"),
        ("sub/../../*", "sub/../../*"),
        (f"{site.folder}/s*", f"{site.folder}/sub"),
    ):
        step = Step(("printf", "%s|", pattern), globs=(2,))
        agree((await site.said(step))[1].rstrip("|"), wanted, f"the pattern {pattern}")
    agree((await site.said(Step(("printf", "%s", "*.py"))))[1], "*.py", "a word that is no pattern stays as it is")


async def cd_moves_what_follows_and_never_out(site: Site) -> None:
    (site.folder / "sub" / "deep").mkdir(parents=True)
    (site.folder / "file").touch()
    (site.folder / "away").symlink_to("/usr")
    (site.folder / "within").symlink_to("sub/deep")
    where = Step(("pwd", "-P"), join="&&")

    def enter(folder: str) -> Step:
        return Step(("cd", folder))

    for folder in ("sub", "sub/deep", "within", str(site.folder / "sub"), "."):
        wanted = (site.folder / folder).resolve()
        agree(await site.said(enter(folder), where), (0, f"{wanted}\n"), f"cd {folder}")
    for folder in ("..", "away", "sub/../..", "/", "/usr", "file", "nowhere", "away/bin"):
        outcome = await site.run(enter(folder), where)
        agree((outcome.exit_code, outcome.stdout.total), (1, 0), f"cd {folder} is refused")
        agree(outcome.stderr.head.startswith(b"cd: "), True, f"cd {folder} says why")
    twice = await site.said(enter("sub"), replace(enter("deep"), join="&&"), where)
    agree(twice, (0, f"{site.folder}/sub/deep\n"), "one cd goes on from the other")
    outcome = await site.run(replace(enter("nowhere"), streams=("2>/dev/null",)))
    agree((outcome.exit_code, outcome.stderr.total), (1, 0), "its complaint can be thrown away")


async def a_variable_reaches_its_own_step_only(site: Site) -> None:
    steps = (sh("echo $LAW", environment={"LAW": "one"}), sh("echo .$LAW", ";"))
    agree(await site.said(*steps), (0, "one\n.\n"), "a variable before a command")


async def the_environment_of_the_caller_stays_out(site: Site) -> None:
    os.environ["MAB_LAW_TOKEN"] = "secret"  # noqa: S105 - a law looks for it
    try:
        outcome = await site.shell("env; cat /proc/1/environ 2>/dev/null; cat /proc/$PPID/environ 2>/dev/null; true")
    finally:
        del os.environ["MAB_LAW_TOKEN"]
    agree(
        b"MAB_LAW_TOKEN=" in (outcome.stdout.head.split(b"PATH=")[0] + outcome.stdout.head),
        False,
        "a variable of the caller",
    )


async def the_time_of_a_plan_is_bounded(site: Site) -> None:
    second = Bounds(seconds=1)
    for line in ("trap '' TERM INT HUP; while :; do sleep 300; done", "exec >&- 2>&-; sleep 300"):
        outcome = await site.shell(line, bounds=second)
        agree((outcome.exit_code, outcome.ended), (137, TIMEOUT), f"{line!r} is ended")
        agree(1_000_000 <= outcome.microseconds < 60_000_000, True, f"{line!r} is ended in time")
    outcome = await site.run(sh("sleep 0.7"), sh("sleep 0.7", ";"), sh("echo late", ";"), bounds=second)
    agree((outcome.ended, outcome.stdout.total), (TIMEOUT, 0), "there is one deadline for all steps")
    outcome = await site.run(sh("echo early"), sh("sleep 300", ";"), bounds=Bounds(seconds=5))
    agree(outcome.stdout.head, b"early\n", "what was said before is kept")


async def output_is_kept_at_its_two_ends(site: Site) -> None:
    bounds = Bounds(seconds=20, head=10, tail=5)
    for count, wanted in (
        (0, Captured()),
        (10, Captured(b"0123456789", b"", 10)),
        (12, Captured(b"0123456789", b"01", 12)),
        (15, Captured(b"0123456789", b"01234", 15)),
        (16, Captured(b"0123456789", b"12345", 16)),
        (200_000, Captured(b"0123456789", b"56789", 200_000)),
    ):
        outcome = await site.shell(f"yes 0123456789 | tr -d '\\n' | head -c {count}", bounds=bounds)
        agree(outcome.stdout, wanted, f"{count} bytes")
    outcome = await site.run(sh("printf 01234567; printf ab >&2"), sh("printf 01234567", ";"), bounds=bounds)
    agree(outcome.stdout, Captured(b"0123456701", b"34567", 16), "the steps of a plan write one stream")
    agree(outcome.stderr, Captured(b"ab", b"", 2), "the other has bounds of its own")


async def bytes_are_kept_as_they_are(site: Site) -> None:
    outcome = await site.shell(r"printf '\377\000\376\r\n\033[2J'")
    agree(outcome.stdout.head, b"\xff\0\xfe\r\n\033[2J", "output that is no text")


async def a_flood_is_ended(site: Site) -> None:
    bounds = Bounds(seconds=20, flood=3 << 20)
    for line in ("yes", "yes >&2", "cat /dev/zero & cat /dev/zero"):
        outcome = await site.shell(line, bounds=bounds)
        agree((outcome.exit_code, outcome.ended), (137, FLOOD), f"{line!r} is ended")
        longest = max(outcome.stdout, outcome.stderr, key=lambda captured: captured.total)
        agree(bounds.flood < longest.total < bounds.flood + (1 << 20), True, f"{line!r} is ended soon")
        kept = len(longest.head) + len(longest.tail)
        agree(kept, bounds.head + bounds.tail, f"{line!r} leaves no more than its ends")


async def closing_its_output_ends_nothing(site: Site) -> None:
    outcome = await site.shell("exec >&- 2>&-; sleep 0.3; : > late; exit 4")
    agree((outcome.exit_code, (site.folder / "late").exists()), (4, True), "the end is that of the program")


async def nothing_outlives_the_run(site: Site) -> None:
    for starts in ("", "setsid", "nohup", "setsid setsid"):
        outcome = await site.shell(LINGERS.format(starts=starts) + "exit 3")
        agree((outcome.exit_code, outcome.ended), (3, ""), f"{starts!r}: the run ends with its program")
        _silent(site, f"{starts!r}: what it left behind is dead")
    outcome = await site.shell(LINGERS.format(starts="setsid") + "sleep 300", bounds=Bounds(seconds=5))
    agree(outcome.ended, TIMEOUT, "a run that does not end is ended")
    _silent(site, "and all of it is dead")


async def a_cancelled_run_is_dead_when_it_lets_go(site: Site) -> None:
    run = asyncio.ensure_future(site.shell(LINGERS.format(starts="setsid") + "sleep 300"))
    async with asyncio.timeout(20):
        while not (site.folder / "up").exists():
            await asyncio.sleep(0.01)
    run.cancel()
    await refused(run, asyncio.CancelledError, "the caller is told")
    _silent(site, "and all of it is dead by then")


async def a_name_means_a_program_and_its_digest(site: Site) -> None:
    workspace = site.workspace
    (site.folder / "sort").write_text("#!/bin/sh\necho planted\n")
    (site.folder / "sort").chmod(0o755)
    found = await site.sandbox.programs(workspace, ["sort", "cd", "sh", "sort"])
    agree([program.name for program in found], ["sort", "cd", "sh", "sort"], "one for each name")
    agree((found[0] == found[3], found[1].path, found[1].sha256), (True, "", ""), "the same each time; cd is no file")
    for program in (found[0], found[2]):
        agree(program.path.startswith("/") and not program.path.startswith(str(site.folder)), True, "a path outside")
        agree((len(program.sha256), set(program.sha256) <= set("0123456789abcdef")), (64, True), "a SHA-256 in hex")
    for name in ("no-such-program", "./sort", str(site.folder / "sort"), "..", ""):
        await refused(site.sandbox.programs(workspace, ["sh", name]), NotFound, f"the name {name!r}")


async def another_folder_is_not_the_workspace(site: Site) -> None:
    workspace = site.workspace
    programs = await site.sandbox.programs(workspace, ["sh"])
    for other in (replace(workspace, inode=workspace.inode + 1), replace(workspace, device=workspace.device + 1)):
        confinement = Confinement(other, True, False, Bounds())
        await refused(site.sandbox.run([sh(": > ran")], programs, confinement), Conflict, "a folder that was swapped")
    agree((site.folder / "ran").exists(), False, "and nothing ran")


async def runs_at_once_do_not_mix(site: Site) -> None:
    outcomes = await together([lambda: site.shell("echo $$ > $$.pid; sleep 0.2; echo one; exit 3")] * 4)
    found = {(outcome.exit_code, outcome.stdout.head) for outcome in outcomes}
    agree(found, {(3, b"one\n")}, "four at once")


def _silent(site: Site, law: str) -> None:
    """Raises Broken while somebody holds `beat` open; clears up."""
    beat: Path = site.folder / "beat"
    handle = os.open(beat, os.O_RDONLY | os.O_NONBLOCK)
    try:
        left = os.read(handle, 1)
    except BlockingIOError as error:
        raise Broken(f"{law}: something still runs") from error
    finally:
        os.close(handle)
    agree(left, b"", law)
    beat.unlink()
    (site.folder / "up").unlink()


FUNCTIONAL_LAWS: tuple[SandboxLaw, ...] = (
    a_program_runs_in_the_workspace,
    a_signal_shows_as_128_and_its_number,
    a_pipe_joins_output_to_input,
    joins_mean_what_posix_says,
    redirections_apply_from_left_to_right,
    patterns_are_expanded_inside_the_workspace,
    cd_moves_what_follows_and_never_out,
    a_variable_reaches_its_own_step_only,
    the_environment_of_the_caller_stays_out,
    the_time_of_a_plan_is_bounded,
    output_is_kept_at_its_two_ends,
    bytes_are_kept_as_they_are,
    a_flood_is_ended,
    closing_its_output_ends_nothing,
    nothing_outlives_the_run,
    a_cancelled_run_is_dead_when_it_lets_go,
    a_name_means_a_program_and_its_digest,
    another_folder_is_not_the_workspace,
    runs_at_once_do_not_mix,
)
"""What a plan does, whatever confines it."""


async def exercise_sandbox(
    opened: Callable[[], AbstractAsyncContextManager[Site]],
    laws: tuple[SandboxLaw, ...] = FUNCTIONAL_LAWS + CONFINEMENT_LAWS,
) -> None:
    """Hold an adapter to every law, each with an empty workspace. Raises `laws.Broken` for the first that fails."""
    for law in laws:
        async with opened() as site:
            await law(site)
