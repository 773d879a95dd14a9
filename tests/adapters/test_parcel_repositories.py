"""A git repository as a place for files: several writers, other people's files, nothing there yet."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from multiagent_bridge.adapters.parcels import remotes
from multiagent_bridge.adapters.parcels import repository as git
from multiagent_bridge.errors import Refused, Unavailable
from tests.attacks.mailings import PERSON, Mailing

pytestmark = pytest.mark.anyio


@pytest.fixture
def mailing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailing:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Mailing(tmp_path)


def ours(mailing: Mailing, name: str = "ours", branch: str = "main") -> git.Repository:
    return git.Repository(mailing.root / f"{name}.git", remotes.remote(str(mailing.repository)), branch)


async def test_an_empty_repository_has_nothing_and_takes_a_first_commit(anyio_backend: str, mailing: Mailing) -> None:
    repository = ours(mailing)
    assert await repository.read("workers/x.age") is None
    commit = await repository.write({"workers/x.age": b"one"}, "first\n")
    assert mailing.git("rev-parse", "refs/heads/main").decode().strip() == commit
    assert await repository.read("workers/x.age") == b"one"
    assert await repository.read("workers/y.age") is None


async def test_a_branch_is_one_of_many(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({"workers/x.age": b"main"})
    other = ours(mailing, branch="team/one")
    assert await other.read("workers/x.age") is None
    await other.write({"workers/x.age": b"one"}, "first\n")
    assert await other.read("workers/x.age") == b"one"
    assert await ours(mailing, "main").read("workers/x.age") == b"main"


async def test_what_others_put_there_stays(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({"README": b"theirs", "workers/y.age": b"theirs"})
    await ours(mailing).write({"workers/x.age": b"ours"}, "ours\n")
    assert mailing.git("show", "main:README") == b"theirs"
    assert mailing.git("show", "main:workers/y.age") == b"theirs"
    assert len(mailing.git("rev-list", "main").split()) == 2


async def test_writers_who_overtake_each_other_all_get_through(anyio_backend: str, mailing: Mailing) -> None:
    writers = [ours(mailing, f"writer-{number}") for number in range(5)]
    await asyncio.gather(*(w.write({f"workers/{n}.age": b"%d" % n}, "x\n") for n, w in enumerate(writers)))
    for number in range(5):
        assert mailing.git("show", f"main:workers/{number}.age") == b"%d" % number
    assert len(mailing.git("rev-list", "main").split()) == 5


async def test_a_commit_says_nothing_of_who_made_it_where(anyio_backend: str, mailing: Mailing) -> None:
    await ours(mailing).write({"workers/x.age": b"one"}, "credentials for x\n")
    said = mailing.git("cat-file", "commit", "main").decode()
    people = [
        line.rsplit(" ", 2)[0] + said_zone(line) for line in said.splitlines() if line.startswith(("author", "comm"))
    ]
    assert people == ["author mab <mab@localhost> +0000", "committer mab <mab@localhost> +0000"]


def said_zone(line: str) -> str:
    return " " + line.rsplit(" ", 1)[1]


async def test_a_look_without_news_fetches_nothing(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({"workers/x.age": b"one"})
    repository = ours(mailing)
    assert await repository.read("workers/x.age") == b"one"
    packs = sorted((mailing.root / "ours.git").rglob("*.pack"))
    assert await repository.read("workers/x.age") == b"one"
    assert sorted((mailing.root / "ours.git").rglob("*.pack")) == packs
    assert len(packs) == 1


async def test_a_repository_of_ours_that_has_grown_is_made_anew(
    anyio_backend: str, mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "PACKS", 2)
    repository = ours(mailing)
    for number in range(6):
        mailing.put({"workers/x.age": b"%d" % number})
        assert await repository.read("workers/x.age") == b"%d" % number
    assert len(list((mailing.root / "ours.git").rglob("*.pack"))) <= 3


async def test_a_transfer_that_was_cut_off_is_not_in_the_way_of_the_next(anyio_backend: str, mailing: Mailing) -> None:
    """git is killed in the middle of it, with its locks in place: by Ctrl-C here, as by our own time-out."""
    begun, stuck, settings = mailing.root / "begun", mailing.root / "stuck", mailing.root / ".gitconfig"
    stuck.write_text(f"#!/bin/sh\necho > {begun}\nexec tail -f /dev/null\n")
    stuck.chmod(0o755)
    settings.write_text(f"[uploadpack]\n\tpackObjectsHook = {stuck}\n")
    mailing.put({"workers/x.age": b"one"})
    os.mkfifo(begun)
    ear, sending = os.open(begun, os.O_RDONLY | os.O_NONBLOCK), asyncio.Event()
    asyncio.get_running_loop().add_reader(ear, sending.set)
    reading = asyncio.create_task(ours(mailing).read("workers/x.age"))
    await asyncio.wait_for(sending.wait(), 60)
    asyncio.get_running_loop().remove_reader(ear)
    os.close(ear)
    reading.cancel()
    await asyncio.wait([reading], timeout=60)
    assert reading.cancelled()
    assert (mailing.root / "ours.git" / "shallow.lock").exists()
    settings.unlink()
    repository = ours(mailing)
    assert await repository.read("workers/x.age") == b"one"
    (mailing.root / "ours.git" / "refs" / "mab" / "tip.lock").touch()
    await repository.write({"workers/x.age": b"two"}, "x\n")
    assert await repository.read("workers/x.age") == b"two"


async def test_a_place_where_nothing_can_be_made_is_unavailable(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({"workers/x.age": b"one"})
    (mailing.root / "ours.git.new").touch()
    with pytest.raises(Unavailable):
        await ours(mailing).read("workers/x.age")


async def test_only_the_newest_tree_is_fetched(anyio_backend: str, mailing: Mailing) -> None:
    for number in range(3):
        mailing.put({"workers/x.age": b"%d" % number})
    await ours(mailing).read("workers/x.age")
    at = str(mailing.root / "ours.git")
    assert len(mailing.git("-C", at, "rev-list", "refs/mab/tip").split()) == 1


async def test_a_repository_that_is_not_there_is_unavailable_and_comes_back(
    anyio_backend: str, mailing: Mailing
) -> None:
    mailing.put({"workers/x.age": b"one"})
    repository, away = ours(mailing), mailing.root / "away"
    assert await repository.read("workers/x.age") == b"one"
    mailing.repository.rename(away)
    with pytest.raises(Unavailable):
        await repository.read("workers/x.age")
    with pytest.raises(Unavailable):
        await repository.write({"workers/x.age": b"two"}, "x\n")
    away.rename(mailing.repository)
    assert await repository.read("workers/x.age") == b"one"


async def test_a_repository_that_refuses_a_push_is_named_as_the_reason(anyio_backend: str, mailing: Mailing) -> None:
    hook = mailing.repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho a line of theirs >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Unavailable) as caught:
        await ours(mailing).write({"workers/x.age": b"one"}, "x\n")
    assert "declined" in caught.value.sentence
    assert "a line of theirs" not in caught.value.sentence


async def test_a_file_in_the_place_of_the_folder_is_not_removed(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({"workers": b"a file"})
    with pytest.raises(Refused):
        await ours(mailing).write({"workers/x.age": b"one"}, "x\n")
    assert mailing.git("show", "main:workers") == b"a file"


async def test_without_git_the_error_says_what_to_install(
    anyio_backend: str, mailing: Mailing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        await ours(mailing).read("workers/x.age")
    assert "git" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "protocols"),
    [
        ("https://git.example.org/team/keys.git", "https"),
        ("https://git.example.org:8443/team/keys", "https"),
        ("ssh://git@git.example.org/team/keys.git", "ssh"),
        ("git@git.example.org:team/keys.git", "ssh"),
        ("http://localhost:3000/keys.git", "http"),
        ("file:///srv/keys.git", "file"),
        ("/srv/keys.git", "file"),
        ("keys.git", "file"),
    ],
)
def test_an_address_allows_git_its_own_transport_and_no_other(given: str, protocols: str) -> None:
    assert remotes.remote(given).protocols == protocols


def test_a_relative_path_is_one_of_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert remotes.remote("keys.git").url == str(tmp_path / "keys.git")


async def test_a_tree_that_unfolds_without_end_holds_nobody_up(anyio_backend: str, mailing: Mailing) -> None:
    """Ten folders that are one, ten deep: ten thousand million files in twenty objects."""
    name = mailing.git("hash-object", "-w", "--stdin", sent=b"x").decode().strip()
    entry = f"100644 blob {name}"
    for _ in range(10):
        rows = "".join(f"{entry}\tx{number}\n" for number in range(10))
        entry = f"040000 tree {mailing.git('mktree', sent=rows.encode()).decode().strip()}"
    root = mailing.git("mktree", sent=f"{entry}\tballast\n".encode()).decode().strip()
    commit = mailing.git("commit-tree", "-m", "x", root, env=PERSON).decode().strip()
    mailing.git("update-ref", "refs/heads/main", commit)
    repository = ours(mailing)
    await repository.write({"workers/x.age": b"one", "workers/y.age": b"two"}, "x\n")
    assert await repository.read("workers/y.age") == b"two"
    assert mailing.git("rev-parse", "main:ballast").decode().strip() == entry.split()[2]
