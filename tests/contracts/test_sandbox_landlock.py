"""Every law of `ports.Sandbox` that a Landlock sandbox can keep, and what is its own."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox import landlock_rules
from multiagent_bridge.adapters.sandbox.landlock import OLD, LandlockSandbox
from multiagent_bridge.adapters.sandbox.unconfined import UnconfinedSandbox
from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement
from multiagent_bridge.testing.sandbox_confinement import nobody_is_root, the_number_of_programs_is_bounded
from multiagent_bridge.testing.sandboxes import CONFINEMENT_LAWS, FUNCTIONAL_LAWS, SandboxLaw, Site
from tests.attacks.landlock_yard import KERNELS, as_commands, own, yard

pytestmark = pytest.mark.anyio

CONFINED = [law for law in CONFINEMENT_LAWS if law not in (nobody_is_root, the_number_of_programs_is_bounded)]
"""The one looks into /proc, which stays closed here; the other counts exactly, which nobody can where processes are counted by
user. Tests of the same below take their place.
"""
CAPABILITIES = """
import ctypes, os
words = (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capget((ctypes.c_uint32 * 2)(0x20080522, 0), words) == 0
print(os.getuid(), os.geteuid(), os.getgroups(), list(words))
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with yard() as place:
        yield place.site


@pytest.mark.parametrize("law", FUNCTIONAL_LAWS, ids=lambda law: law.__name__)
async def test_the_landlock_sandbox_keeps_the_law(site: Site, law: SandboxLaw) -> None:
    await law(site)


@pytest.mark.parametrize("abi", KERNELS)
@pytest.mark.parametrize("law", CONFINED, ids=lambda law: law.__name__)
async def test_every_version_of_landlock_confines(abi: int, law: SandboxLaw) -> None:
    with yard(abi) as place:
        await law(place.site)


async def test_a_command_has_no_capability_and_no_group_of_others(site: Site) -> None:
    _, said = await site.said(Step(("python3", "-c", CAPABILITIES)))
    user, effective, rest = said.split(" ", 2)
    assert int(user) == int(effective) != 0
    groups = [] if os.geteuid() == 0 else os.getgroups()
    assert rest.strip() == f"{groups} {[0] * 6}"


async def test_the_number_of_programs_is_bounded_by_what_the_user_had_before(site: Site) -> None:
    line = "n=0; while [ $n -lt 500 ]; do sleep 300 & n=$((n+1)); echo $n; done"
    outcome = await site.shell(line, bounds=Bounds(seconds=5, processes=20))
    assert 0 < int(outcome.stdout.head.split()[-1]) < 250


async def test_a_command_gets_no_descriptor_but_its_streams(site: Site) -> None:
    """Standard input is a device (/dev/null), the others are pipes."""
    seen = "import os\nfor fd in range(300):\n try: print(fd, os.fstat(fd).st_mode >> 12)\n except OSError: pass"
    _, said = await site.said(Step(("python3", "-c", seen)))
    assert [line.split() for line in said.splitlines()] == [["0", "2"], ["1", "1"], ["2", "1"]]


async def test_without_a_filter_of_its_own_for_signals_a_kernel_is_good_for_reading_only() -> None:
    for abi in KERNELS:
        with yard(abi) as place:
            profile = await place.site.sandbox.profile()
        assert profile.modes == (("safe", "restricted") if abi >= 6 else ("safe",))
        assert profile.lacks[0].startswith("reduced isolation: ")
        assert (OLD in profile.lacks) is (abi < 6)


async def test_the_fingerprint_is_that_of_the_protection(site: Site) -> None:
    first = await site.sandbox.profile()
    assert (await site.sandbox.profile()).fingerprint == first.fingerprint
    with yard(KERNELS[-1]) as place:
        assert (await place.site.sandbox.profile()).fingerprint != first.fingerprint


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM], ids=["old", "off", "forbidden"])
async def test_a_kernel_without_landlock_is_refused_and_says_what_to_do(tmp_path: Path, error: int) -> None:
    def none() -> int:
        raise OSError(error, os.strerror(error))

    with pytest.raises(Unavailable) as refusal:
        await LandlockSandbox(tmp_path, query=none).profile()
    assert refusal.value.hint


async def test_a_machine_on_which_it_does_not_confine_fails_the_self_test(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unconfined = UnconfinedSandbox(site.folder.parent / "state")
    monkeypatch.setattr(site.sandbox, "prepared", unconfined.prepared)
    with pytest.raises(Unavailable) as refusal:
        await site.sandbox.profile()
    assert "read outside of its workspace" in refusal.value.sentence


async def test_a_kernel_that_knows_less_than_it_is_asked_for_runs_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = landlock_rules.rights
    monkeypatch.setattr(landlock_rules, "rights", lambda abi: real(abi) | 1 << 40)
    with pytest.raises(Unavailable):
        await site.shell(": > ran")
    assert not (site.folder / "ran").exists()


def test_a_newer_kernel_is_asked_for_what_is_known_here() -> None:
    assert (landlock_rules.rights(99), landlock_rules.handled(99)) == (0xFFFF, landlock_rules.handled(6))


async def test_there_is_no_network_to_give(site: Site) -> None:
    with pytest.raises(Unavailable):
        await site.shell(": > ran", network=True)
    assert not (site.folder / "ran").exists()


async def test_a_workspace_with_the_state_directory_in_it_is_refused(site: Site) -> None:
    inside = LandlockSandbox(site.folder / "state")
    (site.folder / "state").mkdir()
    with pytest.raises(Unavailable):
        await replace(site, sandbox=inside).shell(": > ran")
    assert not (site.folder / "ran").exists()


async def test_a_user_who_is_not_there_is_refused(site: Site) -> None:
    sandbox = LandlockSandbox(site.folder.parent / "state", user="no-such-user")
    programs = await site.sandbox.programs(site.workspace, ["sh"])
    with pytest.raises(Unavailable):
        await sandbox.run([Step(("sh", "-c", ":"))], programs, Confinement(site.workspace, True, False, Bounds()))


async def test_a_workspace_that_is_a_link_by_now_is_not_entered(site: Site) -> None:
    workspace = site.workspace
    programs = await site.sandbox.programs(workspace, ["sh"])
    site.folder.rename(site.folder.parent / "moved")
    site.folder.symlink_to(site.folder.parent / "moved")
    with pytest.raises(Conflict):
        await site.sandbox.run([Step(("sh", "-c", ": > ran"))], programs, Confinement(workspace, True, False, Bounds()))
    assert not (site.folder / "ran").exists()


def repository(folder: Path) -> None:
    """A repository with hooks of its own kind, secrets at two depths, and a client's configuration."""
    for name in ("src", "package/lib", "hooks-of-ours"):
        (folder / name).mkdir(parents=True)
    for name in ("a.txt", "src/b.txt", "package/c.txt", "package/lib/d.txt", "hooks-of-ours/pre-commit", ".mcp.json"):
        (folder / name).write_text("first\n")
    own(folder)
    git(folder, "init", "-q")
    git(folder, "config", "core.hooksPath", "hooks-of-ours")
    git(folder, "add", "-A")
    git(folder, "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "first")
    for name in (".env", "package/.env"):
        (folder / name).write_text("TOKEN=secret")
    own(folder)


def git(folder: Path, *words: str) -> str:
    known = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
    }
    argv = ["git", "-c", "user.name=P", "-c", "user.email=p@localhost", *words]
    done = subprocess.run(
        argv, cwd=folder, env=known, capture_output=True, text=True, timeout=120, check=True, **as_commands()
    )
    return done.stdout


async def test_in_a_repository_what_is_there_can_be_worked_on_and_nothing_put_beside_what_is_protected(
    site: Site,
) -> None:
    repository(site.folder)
    for line, works in (
        ("echo second >> a.txt", True),
        ("echo new > src/new.txt && rm src/new.txt", True),
        ("mkdir package/lib/deep && rmdir package/lib/deep", True),
        ("echo second >> package/c.txt", True),
        ("git status --short && git log --oneline && git diff", True),
        ("echo new > new.txt", False),
        ("mkdir new", False),
        ("mv a.txt b.txt", False),
        ("rm a.txt", False),
        ("echo new > package/new.txt", False),
        ("git commit -am second", False),
        ("git config core.fsmonitor ./evil", False),
        ("echo evil > hooks-of-ours/pre-commit", False),
        ("echo evil > hooks-of-ours/post-commit", False),
        ("echo evil > .git/hooks/post-commit", False),
        ("echo .. > .git/commondir", False),
        ("echo evil > .mcp.json", False),
        ("mv .git moved", False),
        ("cat .env", False),
        ("cat package/.env", False),
        ("cp package/.env src/stolen", False),
        ("ln package/.env src/stolen", False),
        ("mv .env src/stolen", False),
    ):
        outcome = await site.shell(line)
        assert (outcome.exit_code == 0) is works, (line, outcome.stderr.head.decode())
    assert git(site.folder, "status", "--short") == " M a.txt\n M package/c.txt\n?? .env\n?? package/.env\n"


async def test_to_read_a_repository_needs_no_right_to_execute_in_it(site: Site) -> None:
    repository(site.folder)
    script = site.folder / "src" / "run"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    own(site.folder)
    assert (await site.shell("src/run", writable=False)).exit_code == 126
    assert (await site.shell("src/run")).stdout.head == b"ran\n"
    assert (await site.shell("git log --oneline", writable=False)).exit_code == 0


async def test_opening_to_read_does_not_empty_a_file_on_any_kernel() -> None:
    """Before version 3 of Landlock truncation was no right of its own."""
    emptied = "import os\nfor flags in (os.O_RDONLY, 3): os.open('kept', flags | os.O_TRUNC)"
    for abi in KERNELS:
        with yard(abi) as place:
            (place.site.folder / "kept").write_text("kept")
            own(place.site.folder)
            outcome = await place.site.run(Step(("python3", "-c", emptied)), writable=False)
            assert outcome.exit_code == 1
            assert (place.site.folder / "kept").read_text() == "kept"
