"""Who commands run as: never root, and nobody who could not work there."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox import privileges
from multiagent_bridge.adapters.sandbox.privileges import NOBODY, home_of, identity, launched_as
from multiagent_bridge.errors import Conflict, Unavailable
from multiagent_bridge.model.workspaces import Workspace

OWN = (os.geteuid(), os.getegid())
SOMEBODY = NOBODY if OWN[0] == 0 else OWN
"""An ordinary user to whom this process can give a folder."""


def workspace(folder: Path) -> Workspace:
    found = folder.lstat()
    return Workspace(str(folder), found.st_dev, found.st_ino)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Owned by an ordinary user; everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="mab-test-") as place:
        made = Path(place).resolve() / "workspace"
        made.parent.chmod(0o755)
        made.mkdir(0o755)
        os.chown(made, *SOMEBODY)
        yield made


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "_ids", lambda: (0, 0, 0))


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, as if it were not root."""
    monkeypatch.setattr(privileges, "_ids", lambda: (1000, 1000, 1000))
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY[0])


@pytest.mark.usefixtures("ordinary")
def test_who_is_not_root_runs_commands_as_themselves(folder: Path) -> None:
    assert identity(workspace(folder), "") is None
    assert identity(workspace(folder), str(SOMEBODY[0])) is None


@pytest.mark.usefixtures("ordinary")
def test_who_is_not_root_cannot_run_commands_as_somebody_else(folder: Path) -> None:
    with pytest.raises(Unavailable):
        identity(workspace(folder), "4242")


@pytest.mark.parametrize("ids", [(0, 1000, 1000), (1000, 1000, 0)])
def test_who_could_become_root_again_runs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ids: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(privileges, "_ids", lambda: ids)
    with pytest.raises(Unavailable):
        identity(workspace(folder), "")


@pytest.mark.usefixtures("root")
def test_root_runs_commands_as_the_owner_of_the_workspace(folder: Path) -> None:
    chosen = identity(workspace(folder), "")
    assert chosen is not None
    assert chosen[0] == SOMEBODY[0]
    assert 0 not in chosen


@pytest.mark.usefixtures("root")
def test_in_a_workspace_of_root_commands_run_as_nobody() -> None:
    assert identity(workspace(Path("/usr")), "") == NOBODY


@pytest.mark.usefixtures("root")
def test_in_a_workspace_of_root_that_is_closed_nothing_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "_owner_of", lambda workspace: 0)
    monkeypatch.setattr(privileges, "NOBODY", (4242, 4242))
    folder.chmod(0o700)
    with pytest.raises(Unavailable) as refusal:
        identity(workspace(folder), "")
    assert str(folder) in refusal.value.sentence
    assert "yolo" in refusal.value.hint


@pytest.mark.usefixtures("root")
def test_a_folder_on_the_way_that_is_closed_is_named(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with pytest.raises(Unavailable) as refusal:
        identity(workspace(folder), "4242:4242")
    assert f"may not enter {folder.parent}" in refusal.value.sentence


@pytest.mark.usefixtures("root")
def test_an_access_list_is_left_for_the_kernel_to_judge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o700)
    monkeypatch.setattr(os, "listxattr", lambda path: ["system.posix_acl_access"])
    assert identity(workspace(folder), "4242:4242") == (4242, 4242)


@pytest.mark.usefixtures("root")
def test_the_settings_name_a_user_by_name_or_number(folder: Path) -> None:
    known = next(entry for entry in pwd.getpwall() if entry.pw_uid and entry.pw_gid)
    for said, wanted in (
        (known.pw_name, (known.pw_uid, known.pw_gid)),
        (str(known.pw_uid), (known.pw_uid, known.pw_gid)),
        ("4242:4243", (4242, 4243)),
        ("4242", (4242, NOBODY[1])),
    ):
        assert identity(workspace(folder), said) == wanted


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "user",
    [
        "root",
        "0",
        "0:1000",
        "1000:0",
        "no-such-user",
        "-1",
        "-1:5",
        "5:-1",
        "4294967295:1",
        "1:4294967295",
        "1:2:3",
        "٤٢",
        " ",
    ],
)
def test_a_user_who_is_root_or_nobody_at_all_is_refused(folder: Path, user: str) -> None:
    with pytest.raises(Unavailable):
        identity(workspace(folder), user)


@pytest.mark.usefixtures("root")
def test_another_folder_in_the_place_of_the_workspace_is_noticed(folder: Path) -> None:
    was = workspace(folder)
    folder.rename(folder.with_name("moved"))
    with pytest.raises(Conflict):
        identity(was, "")
    folder.symlink_to(folder.with_name("moved"))
    with pytest.raises(Conflict):
        identity(was, "")


def test_a_program_is_started_as_them_and_in_no_other_group() -> None:
    assert launched_as(None) == {}
    assert launched_as((5, 6)) == {"user": 5, "group": 6, "extra_groups": ()}


def test_the_home_is_that_of_who_commands_run_as() -> None:
    known = next(entry for entry in pwd.getpwall() if Path(entry.pw_dir).is_absolute() and entry.pw_dir != "/")
    assert home_of((known.pw_uid, 1)) == Path(pwd.getpwuid(known.pw_uid).pw_dir)
    assert home_of((4_000_000_001, 1)) is None
    assert home_of(None) == Path(pwd.getpwuid(os.geteuid()).pw_dir)
