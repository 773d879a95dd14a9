"""bubblewrap as it is set up: its self-test, its fingerprint, its programs, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import struct
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.sandbox import bubblewrap_arguments as arguments
from multiagent_bridge.adapters.sandbox import places, protection, seccomp, selftest
from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.adapters.sandbox.repositories import Repositories
from multiagent_bridge.adapters.sandbox.running import Launch, run_plan
from multiagent_bridge.errors import Conflict, NotFound, Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement
from multiagent_bridge.testing.sandboxes import PlainSandbox, Site, sh

pytestmark = pytest.mark.anyio

NOBODY = 65534
ALLOWS = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
"""A filter that refuses nothing."""
ROOT = os.geteuid() == 0


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that whoever runs commands may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="mab-bwrap-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def workspace(base: Path) -> Path:
    return give(made(base / "workspace"))


@pytest.fixture
def home(base: Path) -> Path:
    return give(made(base / "home"))


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def give(path: Path) -> Path:
    """To a user who is not root."""
    if ROOT:
        os.chown(path, NOBODY, NOBODY)
    return path


def tool(path: Path, said: str = "tool") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {said}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sandbox(base: Path, home: Path) -> BubblewrapSandbox:
    return BubblewrapSandbox(base / "state", home=home)


async def test_the_profile_says_what_it_is_and_what_it_lacks(sandbox: BubblewrapSandbox) -> None:
    profile = await sandbox.profile()
    assert (profile.backend, profile.modes) == ("bubblewrap", ("safe", "restricted", "yolo"))
    assert len(profile.fingerprint) == 64
    assert len(profile.lacks) >= 4
    assert all(lack and not lack.endswith(".") for lack in profile.lacks)
    assert profile == await sandbox.profile()


async def test_the_self_test_is_run_once_a_boot_and_remembered_in_a_file_of_ours(
    base: Path, sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await sandbox.profile()
    record = base / "state" / "sandbox" / "bubblewrap.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert json.loads(record.read_text())["fingerprint"] == wanted.fingerprint
    monkeypatch.setattr(selftest, "_PROBES", "exit 1")
    again = BubblewrapSandbox(base / "state", home=base / "home")
    assert await again.profile() == wanted
    monkeypatch.setattr(selftest, "BOOT", give(base / "home").joinpath("boot"))
    selftest.BOOT.write_text("another boot")
    with pytest.raises(Unavailable):
        await BubblewrapSandbox(base / "state", home=base / "home").profile()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"boot": 1}', '{"boot": "", "fingerprint": ""}'])
async def test_a_damaged_record_only_means_another_self_test(
    base: Path, sandbox: BubblewrapSandbox, content: str
) -> None:
    record = made(base / "state" / "sandbox") / "bubblewrap.json"
    record.write_text(content)
    record.chmod(0o600)
    wanted = await sandbox.profile()
    assert json.loads(record.read_text())["fingerprint"] == wanted.fingerprint


def without(words: list[str], *left_out: str) -> list[str]:
    """`words` without a run of them, if it is there."""
    for place in range(len(words)):
        if tuple(words[place : place + len(left_out)]) == left_out:
            return words[:place] + words[place + len(left_out) :]
    return words


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        (("--remount-ro", "/dev"), "write to /dev/mab-probe"),
        (("--unshare-net",), "reach a network"),
        (("--unshare-pid",), "see other programs"),
        (("--disable-userns",), ""),
        (("--cap-drop", "ALL"), ""),
    ],
)
async def test_a_sandbox_that_lacks_something_does_not_pass(
    sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch, left_out: tuple[str, ...], reason: str
) -> None:
    whole = arguments.root
    monkeypatch.setattr(arguments, "root", lambda *given: without(whole(*given), *left_out))
    if not reason:
        # something else stands behind it: the filter, and that it is no root who starts it
        await sandbox.profile()
        return
    with pytest.raises(Unavailable) as error:
        await sandbox.profile()
    assert reason in error.value.sentence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda patch: patch.setattr(seccomp, "program", lambda: ALLOWS), "namespace"),
        (lambda patch: patch.setattr(arguments, "limited", lambda bounds: []), "start any number of programs"),
        (lambda patch: patch.setattr(arguments, "_LINKS", (*arguments._LINKS, "root")), "see the home of root"),
        (lambda patch: patch.setattr(selftest, "_PROBES", "sleep 300"), "timeout"),
        (lambda patch: patch.setattr(selftest, "_PROBES", "echo done"), "self-test fails"),
    ],
)
async def test_a_sandbox_that_lacks_protection_elsewhere_does_not_pass(
    sandbox: BubblewrapSandbox,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    if reason == "timeout":
        monkeypatch.setattr(selftest, "BOUNDS", replace(selftest.BOUNDS, seconds=2))
    change(monkeypatch)
    if reason == "namespace":
        # namespaces are closed twice
        whole = arguments.root
        monkeypatch.setattr(arguments, "root", lambda *given: without(whole(*given), "--disable-userns"))
    with pytest.raises(Unavailable) as error:
        await sandbox.profile()
    assert reason in error.value.sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda patch, home: patch.setattr(arguments, "LARGEST_FILE", 1 << 20),
        lambda patch, home: patch.setattr(arguments, "_ETC", (*arguments._ETC, "motd")),
        lambda patch, home: patch.setattr(seccomp, "program", lambda: ALLOWS),
        lambda patch, home: patch.setattr(protection, "STEERING", (".mcp.json",)),
        lambda patch, home: tool(home / ".cargo" / "bin" / "tool"),
    ],
)
async def test_the_fingerprint_changes_with_what_protects(
    base: Path, home: Path, sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]
) -> None:
    before = (await sandbox.profile()).fingerprint
    change(monkeypatch, home)
    assert (await sandbox.profile()).fingerprint != before


async def test_what_is_not_installed_or_not_trustworthy_is_refused_with_a_hint(base: Path, home: Path) -> None:
    copy = shutil.copy("/usr/bin/bwrap", base / "bwrap")
    Path(copy).chmod(0o777)
    for program in ("/nowhere/bwrap", str(copy)):
        with pytest.raises(Unavailable) as error:
            await BubblewrapSandbox(base / "state", home=home, program=program).profile()
        assert error.value.hint
    for program in ("/usr/bin/false", "/usr/bin/true", "/bin/sh"):
        with pytest.raises(Unavailable) as error:
            await BubblewrapSandbox(base / "state", home=home, program=program).profile()
        assert "could not be built" in error.value.sentence


async def test_an_older_bubblewrap_is_given_paths_instead_of_descriptors(
    sandbox: BubblewrapSandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await sandbox._version()
    assert version[0].startswith("bubblewrap ")

    async def older() -> tuple[str, bool]:
        return version[0], False

    monkeypatch.setattr(sandbox, "_version", older)
    outcome = await Site(sandbox, workspace).shell("echo x > made; ls")
    assert (outcome.exit_code, outcome.stdout.head) == (0, b"made\n")


async def test_a_tool_of_the_home_runs_inside_and_nothing_else_of_the_home_is_there(
    home: Path, workspace: Path, sandbox: BubblewrapSandbox
) -> None:
    tool(home / ".cargo" / "bin" / "mytool")
    tool(home / ".cargo" / "bin" / "sh", "planted")
    (home / ".cargo" / "credentials.toml").write_text("token")
    made(home / ".cargo" / "registry" / "cache")
    site = Site(sandbox, workspace)
    assert await site.said(Step(("mytool",))) == (0, "tool\n")
    assert await site.said(sh("mytool")) == (0, "tool\n"), "and by its name, from a shell that is the system's"
    outcome = await site.shell(f"ls -A {home} {home}/.cargo; ls $HOME/.cargo; echo x > {home}/.cargo/bin/mytool; true")
    assert outcome.stdout.head.decode().split() == [
        *(f"{home}:", ".cargo", f"{home}/.cargo:", "bin"),
        "registry",
    ]
    programs = await sandbox.programs(site.workspace, ["mytool", "sh"])
    assert [program.path for program in programs] == [
        str(home / ".cargo/bin/mytool"),
        shutil.which("sh", path="/usr/bin:/bin"),
    ]


async def test_a_program_that_was_changed_since_is_refused(
    home: Path, workspace: Path, sandbox: BubblewrapSandbox
) -> None:
    path = tool(home / ".local" / "bin" / "mytool")
    site = Site(sandbox, workspace)
    programs = await sandbox.programs(site.workspace, ["mytool"])
    confinement = Confinement(site.workspace, True, False, Bounds())
    tool(path, "changed")
    with pytest.raises(Conflict):
        await sandbox.run([Step(("mytool",))], programs, confinement)
    path.unlink()
    with pytest.raises(NotFound):
        await sandbox.run([Step(("mytool",))], programs, confinement)


async def test_a_name_that_leads_elsewhere_or_cannot_be_run_is_no_program(
    home: Path, workspace: Path, sandbox: BubblewrapSandbox
) -> None:
    folder = made(home / ".local" / "bin")
    (folder / "outside").symlink_to(tool(home / "mine" / "outside"))
    (folder / "inside").symlink_to(tool(workspace / "inside"))
    (folder / "plain").write_text("x")
    (folder / "gone").symlink_to("nowhere")
    made(folder / "folder")
    os.mkfifo(folder / "pipe")
    (folder / "pipe").chmod(0o777)
    for name in ("outside", "inside", "plain", "gone", "folder", "pipe"):
        with pytest.raises(NotFound):
            await sandbox.programs(Site(sandbox, workspace).workspace, [name])


async def test_a_variable_of_a_step_reaches_its_program_and_nothing_before_it(
    workspace: Path, sandbox: BubblewrapSandbox
) -> None:
    site = Site(sandbox, workspace)
    outcome = await site.run(sh("echo $LD_PRELOAD; true", environment={"LD_PRELOAD": "/nowhere.so", "A": "b=c"}))
    complaints = outcome.stderr.head.count(b"/nowhere.so")
    # sh and true (which sh has built in); never prlimit or env
    assert (outcome.exit_code, complaints) == (0, 1)


async def test_the_state_directory_is_no_place_for_a_workspace(base: Path, home: Path) -> None:
    for state, folder in ((base / "s", base / "s" / "w"), (base / "v" / "s", base / "v"), (base / "u", base / "u")):
        folder.mkdir(parents=True, exist_ok=True)
        give(folder)
        state.mkdir(exist_ok=True)
        site = Site(BubblewrapSandbox(state, home=home), folder)
        with pytest.raises(Unavailable):
            await site.shell("true")


async def test_a_folder_that_vanishes_between_two_steps_fails_the_second_only(
    workspace: Path, sandbox: BubblewrapSandbox
) -> None:
    give(made(workspace / "sub"))
    removes = sh(f"rmdir {workspace}/sub", "&&")
    outcome = await Site(sandbox, workspace).run(
        Step(("cd", "sub")), removes, sh("echo never", ";"), sh("echo after", "||")
    )
    assert (outcome.exit_code, outcome.stdout.total) == (126, 0)
    assert b"could not be built" in outcome.stderr.head


async def test_a_sandbox_that_cannot_be_built_says_so_and_runs_nothing(
    workspace: Path, sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.profile()
    whole = arguments.protected
    monkeypatch.setattr(arguments, "protected", lambda *given: [*whole(*given), "--bind", "/nowhere", "/nowhere"])
    with pytest.raises(Unavailable) as error:
        await Site(sandbox, workspace).run(sh(": > ran"), sh(": > ran", "|"), sh(": > ran", ";"))
    assert "/nowhere" in error.value.sentence
    assert os.listdir(workspace) == []


async def test_more_names_than_a_program_can_be_given_are_not_given(
    workspace: Path, sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.profile()
    monkeypatch.setattr(places, "MOST_BYTES", 100)
    for number in range(30):
        (workspace / f"file{number}").touch()
    outcome = await Site(sandbox, workspace).run(Step(("echo", "*"), globs=(1,)), sh("echo after", ";"))
    assert (outcome.exit_code, outcome.stdout.head) == (0, b"after\n")
    assert b"more names" in outcome.stderr.head


async def test_names_of_files_are_bytes(workspace: Path, sandbox: BubblewrapSandbox) -> None:
    name = os.fsencode(workspace) + b"/\xff\xfe .env"
    with open(name, "wb") as file:
        file.write(b"SECRET")
    give(Path(os.fsdecode(name)))
    outcome = await Site(sandbox, workspace).run(
        Step(("cat", "*env"), globs=(1,)), Step(("ls", "*"), globs=(1,), join=";")
    )
    assert (outcome.exit_code, outcome.stdout.head) == (0, b"\xff\xfe .env\n")


async def test_with_network_names_can_be_looked_up(workspace: Path, sandbox: BubblewrapSandbox) -> None:
    there = [name for name in ("/etc/hosts", "/etc/resolv.conf") if Path(name).exists()]
    for network in (True, False):
        outcome = await Site(sandbox, workspace).shell(
            f"ls {' '.join(there)} 2>/dev/null; echo $PIP_RETRIES", network=network
        )
        assert outcome.stdout.head.decode().split() == (there if network else ["0"])


@pytest.mark.parametrize("mode", [0o755, 0o777])
async def test_a_workspace_of_root_can_be_read_and_only_as_its_modes_say(
    base: Path, sandbox: BubblewrapSandbox, mode: int
) -> None:
    """As root: commands never run as root, so that a workspace that root owns is one to look at."""
    folder = made(base / "roots")
    folder.chmod(mode)
    (folder / "file").write_text("text")
    outcome = await Site(sandbox, folder).shell("id -u; cat file; echo x > new; true")
    assert outcome.exit_code == 0
    said = outcome.stdout.head.decode()
    assert said == f"{NOBODY if ROOT else os.geteuid()}\ntext"
    assert (folder / "new").exists() == (mode == 0o777 or not ROOT)


async def test_a_workspace_that_nobody_may_enter_is_refused(base: Path, sandbox: BubblewrapSandbox) -> None:
    outer = made(base / "closed")
    folder = made(outer / "workspace")
    outer.chmod(0o700 if ROOT else 0)
    try:
        with pytest.raises((Unavailable, Conflict, PermissionError)):
            await Site(sandbox, folder).shell("true")
    finally:
        outer.chmod(0o700)


async def test_a_run_cancelled_while_it_is_prepared_leaves_nothing(
    workspace: Path, sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.profile()
    for folder in (".git/objects", ".git/refs"):
        made(workspace / folder)
    (workspace / ".git" / "HEAD").touch()
    reached, whole = threading.Event(), Repositories.set_up

    def slow(self: Repositories, *given: Any) -> Any:
        mounts = whole(self, *given)
        reached.set()
        # long enough for the word to come, and heard at the next look at the clock
        for _ in range(2000):
            given[-1]()
        return mounts

    monkeypatch.setattr(Repositories, "set_up", slow)
    run = asyncio.ensure_future(Site(sandbox, workspace).shell("echo x > ran"))
    async with asyncio.timeout(120):
        assert await asyncio.to_thread(reached.wait, 90)
        assert (workspace / ".git" / "commondir").exists()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert sorted(path.name for path in (workspace / ".git").iterdir()) == ["HEAD", "objects", "refs"]
    assert not (workspace / "ran").exists()


async def test_cancelling_twice_changes_nothing(workspace: Path, sandbox: BubblewrapSandbox) -> None:
    run = asyncio.ensure_future(Site(sandbox, workspace).shell("echo x > up; sleep 300"))
    async with asyncio.timeout(120):
        while not (workspace / "up").exists():
            await asyncio.sleep(0.01)
        for _ in range(3):
            run.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await run
    assert not [entry for entry in Path("/proc").iterdir() if _stands_in(entry, workspace)]


def _stands_in(entry: Path, workspace: Path) -> bool:
    try:
        return str((entry / "cwd").readlink()) == str(workspace)
    except OSError:
        return False


class Bare:
    """A backend that only starts programs: the executor alone sees to their end."""

    @asynccontextmanager
    async def prepared(self, confinement: Confinement) -> AsyncIterator[Bare]:
        yield self

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        return Launch(tuple(argv), {"PATH": "/usr/bin:/bin", **environment}, cwd)


async def test_the_executor_ends_what_stays_in_the_group_of_a_program(workspace: Path) -> None:
    site = Site(PlainSandbox(), workspace)
    programs = await site.sandbox.programs(site.workspace, ["sh"])
    confinement = Confinement(site.workspace, True, False, Bounds(seconds=20))
    outcome = await run_plan(Bare(), [sh("sleep 300 & exit 3")], programs, confinement)
    assert (outcome.exit_code, outcome.ended) == (3, "")
    async with asyncio.timeout(120):
        # the kernel takes a moment between the signal and the end
        while [entry for entry in Path("/proc").iterdir() if _stands_in(entry, workspace)]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("argv", [("/nowhere/launcher",), ("/usr/bin/true", "\0")])
async def test_a_launcher_that_cannot_be_started_is_no_outcome(
    workspace: Path, argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(PlainSandbox(), workspace)
    programs = await site.sandbox.programs(site.workspace, ["sh", "sh", "sh"])
    confinement = Confinement(site.workspace, True, False, Bounds(seconds=20))
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(
        Bare, "launch", lambda self, *given: Launch(argv, {}, None, (os.open("/dev/null", os.O_RDONLY),))
    )
    with pytest.raises(Unavailable):
        await run_plan(Bare(), [sh("true"), sh("true", "|"), sh("true", ";")], programs, confinement)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_runs_leave_no_descriptor_behind(workspace: Path, sandbox: BubblewrapSandbox) -> None:
    site = Site(sandbox, workspace)
    (workspace / ".env").touch()
    await site.shell("true")
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await site.run(sh("yes"), sh("head -n 1", "|"), sh("exit 3", ";"))
        await site.shell("sleep 300 &", bounds=Bounds(seconds=20))
        with pytest.raises(NotFound):
            await site.run(Step(("no-such-program",)))
    assert sorted(os.listdir("/proc/self/fd")) == before
