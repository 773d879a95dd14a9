"""Workspaces that are not what they seem: by name, by link, by what was planted in them."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from multiagent_bridge.adapters import state
from multiagent_bridge.adapters.workspaces import LOCKS, FolderWorkspaces
from multiagent_bridge.errors import Conflict, Invalid, Unavailable
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace
from tests.attacks import yards
from tests.attacks.yards import USERS, Bridge, Yard

pytestmark = pytest.mark.anyio


@pytest.fixture(params=USERS)
def yard(request: pytest.FixtureRequest) -> Iterator[Yard]:
    with yards.made(request.param) as found:
        yield found


@pytest.fixture
def here(tmp_path: Path) -> FolderWorkspaces:
    (tmp_path / "state").mkdir(mode=0o700)
    return FolderWorkspaces(tmp_path / "state")


async def refusal(here: FolderWorkspaces, path: Path | str) -> str:
    with pytest.raises(Invalid) as caught:
        await here.identify(str(path))
    assert caught.value.hint
    assert str(path) not in caught.value.sentence or len(str(path)) < 2
    return caught.value.sentence


SYSTEM = "/ // /. /usr /usr/bin /usr/local/src /etc /etc/ssh /var /var/lib /var/log /bin /sbin /lib /proc /proc/self /proc/1 "
SYSTEM += "/dev /dev/shm /sys /run /boot /home /root /tmp /opt /mnt /srv /media /var/tmp"


@pytest.mark.parametrize("path", [path for path in SYSTEM.split() if os.path.isdir(path)])
async def test_folders_of_the_system_are_never_workspaces(here: FolderWorkspaces, path: str, tmp_path: Path) -> None:
    await refusal(here, path)
    (tmp_path / "link").symlink_to(path)
    await refusal(here, tmp_path / "link")


@pytest.mark.parametrize("owner", [Path.home(), Path("/root"), Path("/home/somebody")])
async def test_a_home_directory_is_never_a_workspace(
    here: FolderWorkspaces, owner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "homes" / "me"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    await refusal(here, home)
    await refusal(here, home.parent)
    await refusal(here, owner)
    (home / "project").mkdir()
    assert (await here.identify(str(home / "project"))).path == str((home / "project").resolve())


async def test_the_state_directory_is_out_of_reach(here: FolderWorkspaces, tmp_path: Path) -> None:
    inside = tmp_path / "state" / "snapshots"
    inside.mkdir()
    for path in (tmp_path / "state", inside, tmp_path):
        await refusal(here, path)
    (tmp_path / "innocent").symlink_to(inside)
    await refusal(here, tmp_path / "innocent")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "up").symlink_to(tmp_path)
    await refusal(here, tmp_path / "other" / "up" / "state")


@pytest.mark.parametrize("name", [".git", "repo/.git/hooks", ".ssh", ".aws/cli", ".gnupg", ".docker", ".GIT"])
async def test_folders_of_keys_and_inner_parts_of_repositories_are_no_workspaces(
    here: FolderWorkspaces, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir(parents=True)
    await refusal(here, tmp_path / name)


async def test_what_is_no_folder_is_no_workspace(here: FolderWorkspaces, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "pipe", "nowhere", "loop", "gone", "file/x", "x" * 300, "/".join(["y" * 200] * 30)):
        await refusal(here, tmp_path / name)
    for path in (
        "",
        " ",
        ".",
        "..",
        "~",
        "~root",
        "relative",
        "/srv/a\0b",
        "/srv/\ud800",
        "/srv/a\nb",
        "/srv/\u202eexe",
    ):
        await refusal(here, path)


async def test_a_link_cannot_bring_in_a_name_that_nobody_could_have_typed(
    here: FolderWorkspaces, tmp_path: Path
) -> None:
    for name in ("two\nlines", "\x1b[2Jclear", "turned\u202e"):
        (tmp_path / name).mkdir()
        (tmp_path / "link").symlink_to(tmp_path / name)
        await refusal(here, tmp_path / "link")
        (tmp_path / "link").unlink()
    os.mkdir(os.fsencode(tmp_path) + b"/latin-\xe9")
    os.symlink(os.fsencode(tmp_path) + b"/latin-\xe9", tmp_path / "link")
    await refusal(here, tmp_path / "link")


async def test_a_folder_that_everybody_can_change_is_no_workspace(here: FolderWorkspaces, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert "every user" in await refusal(here, shared)
    shared.chmod(0o1777)
    assert (await here.identify(str(shared))).path == str(shared.resolve())


def test_the_folder_of_another_user_is_for_root_alone(yard: Yard) -> None:
    theirs = yard.base / "theirs"
    theirs.mkdir(mode=0o755)
    if yard.user == "root":
        os.chown(theirs, 12_345, 12_345)

    async def identified(bridge: Bridge) -> str:
        try:
            return (await bridge.workspaces.identify(str(theirs))).path
        except Invalid as error:
            return error.sentence

    wanted = {"root": str(theirs), "own": str(theirs)}.get(yard.user, "the workspace belongs to another user")
    assert yard.does(identified) == wanted


async def test_a_swap_between_two_looks_is_found(here: FolderWorkspaces, tmp_path: Path) -> None:
    shop, other = tmp_path / "a" / "shop", tmp_path / "other"
    shop.mkdir(parents=True)
    other.mkdir()
    one = await here.identify(str(shop))
    swaps = (
        ("gone", lambda: shop.rename(tmp_path / "aside")),
        ("a link to another", lambda: shop.symlink_to(other)),
        ("a link to itself", lambda: (shop.unlink(), shop.symlink_to(tmp_path / "aside"))),
        ("a file", lambda: (shop.unlink(), shop.write_text("x"))),
        ("another", lambda: (shop.unlink(), shop.mkdir())),
    )
    for name, swap in swaps:
        swap()
        for look in (here.verify(one), here.survey(one), here.scripts(one, [Step(("python", "x.py"))])):
            with pytest.raises(Conflict):
                await look
        assert name
    shop.rmdir()
    (tmp_path / "aside").rename(shop)
    await here.verify(one)
    # the same folder, reached through a link that somebody put on the way
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    with pytest.raises(Conflict):
        await here.verify(one)


async def test_a_lock_is_held_against_other_processes_and_freed_by_their_death(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "shop").mkdir()
    here = FolderWorkspaces(tmp_path / "state", patience=0.3)
    shop = await here.identify(str(tmp_path / "shop"))
    async with here.lock(shop):
        pass
    (path,) = (tmp_path / "state" / LOCKS).iterdir()
    holder = subprocess.Popen(["flock", str(path), "sleep", "100"], start_new_session=True)
    try:
        with anyio.fail_after(60):
            while (handle := state.try_lock(path)) is not None:
                os.close(handle)
                await anyio.sleep(0.01)
        with pytest.raises(Conflict):
            async with here.lock(shop):
                raise AssertionError("two at once")
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait(20)
    # what the killed one had started may hold it for a moment more
    patient = FolderWorkspaces(tmp_path / "state", patience=60.0)
    with anyio.fail_after(90):
        async with patient.lock(shop):
            assert shop.path


async def test_the_lock_goes_by_the_folder_not_by_its_name(here: FolderWorkspaces, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    one = await here.identify(str(tmp_path / "shop"))
    (tmp_path / "shop").rename(tmp_path / "moved")
    two = await here.identify(str(tmp_path / "moved"))
    async with here.lock(one):
        with anyio.move_on_after(0.1) as waited:
            async with here.lock(two):
                raise AssertionError("two names, two runs at once")
        assert waited.cancelled_caught


async def test_a_planted_lock_is_not_followed(here: FolderWorkspaces, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shop = await here.identify(str(tmp_path / "shop"))
    async with here.lock(shop):
        pass
    (path,) = (tmp_path / "state" / LOCKS).iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(Unavailable):
        async with here.lock(shop):
            raise AssertionError("through a link")
    assert not (tmp_path / "victim").exists()


async def test_a_slow_folder_blocks_nobody_and_a_cancelled_look_is_over(
    here: FolderWorkspaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = os.pipe()

    def hanging(path: object, home: Path) -> Workspace:
        # as a dead network file system does, until it is given up
        select.select([ours], [], [], 60)
        raise OSError(errno.ESTALE, "stale")

    monkeypatch.setattr("multiagent_bridge.adapters.workspaces.eligible", hanging)
    with anyio.move_on_after(20) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(here.identify, str(tmp_path))
            await anyio.sleep(0.01)
            os.write(theirs, b"x")
            group.cancel_scope.cancel()
    assert not scope.cancelled_caught
    os.close(ours)
    os.close(theirs)
