"""What a snapshot leaves out and what hides from it: ignored files, large ones, planted repositories, old times."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from multiagent_bridge.adapters.snapshots import contents, tree
from multiagent_bridge.adapters.snapshots.contents import blob
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.workspaces import Snapshot
from tests.attacks.yards import EVIL, USERS, Bridge, Yard, difference, made, restore, take, there_and_back


@pytest.fixture
def own() -> Iterator[Yard]:
    """None of this depends on who runs the bridge: an ordinary user does."""
    with made(USERS[-1]) as found:
        yield found


def test_what_is_left_out_is_named(own: Yard) -> None:
    own.run(
        "git init -q .; echo -e '*.log\\n.env\\nnode_modules/\\nold' > .gitignore; mkdir node_modules; "
        "touch node_modules/x .env old"
    )
    own.run("for i in $(seq 40); do touch $i.log; done; git add -f 7.log; git init -q sub; touch sub/kept")
    own.plant("huge.bin")
    os.truncate(own.shop / "huge.bin", tree.LARGEST + 1)
    first = take(own)
    assert first.left_out[:3] == (
        "huge.bin (larger than 256 MiB)",
        "sub/.git (a repository of its own)",
        ".env (ignored by git)",
    )
    assert first.left_out[-1] == "and 24 more"
    assert len(first.left_out) == 21
    assert first.files == 3  # the rules, what is tracked though ignored, and the file in the inner repository


@pytest.mark.parametrize("version", [2, 4])
def test_what_is_tracked_though_ignored_is_kept(own: Yard, version: int) -> None:
    own.run(
        "git init -q .; mkdir -p build/deep; echo 1 > build/deep/tracked; echo 1 > build/loose; echo 1 > x.log; "
        "printf 'build\n*.log' > .gitignore"
    )
    own.run(f"git add -f build/deep/tracked x.log; git update-index --index-version {version}")
    first = take(own)
    own.run("rm -r build; echo 2 > x.log")
    restore(own, first)
    assert (own.shop / "build/deep/tracked").read_text() == (own.shop / "x.log").read_text() == "1\n"
    assert not (own.shop / "build/loose").exists()


def test_rules_of_the_repository_itself_count(own: Yard) -> None:
    own.run(
        "git init -q .; mkdir -p .git/info worktrees/a; touch worktrees/a/x a; echo /worktrees/ > .git/info/exclude"
    )
    first = take(own)
    assert first.left_out == ("worktrees/ (ignored by git)",)
    own.run("echo 2 > worktrees/a/x; touch worktrees/b new; echo '*' > .git/info/exclude")
    restore(own, first)
    assert {b"worktrees/a/x", b"worktrees/b", b"a"} <= set(own.tree())
    assert b"new" not in own.tree()


def inside(own: Yard, above: str) -> tuple[Snapshot, set[bytes]]:
    """A snapshot of a project in a larger repository that has these rules, and what a rollback after much damage leaves."""
    shop = own.shop / "packages" / "app"
    own.run(
        "git init -q .; mkdir -p packages/app/src packages/app/build; printf 'build\\n*.env\\n' > packages/.gitignore"
    )
    own.run(
        "cd packages/app; echo '*.log' > .gitignore; touch src/a x.log build/b s.env; echo 1 > build/kept; git add -f build/kept"
    )
    own.run(f"printf '{above}' > .gitignore")

    async def acted(bridge: Bridge) -> Snapshot:
        app = await bridge.workspaces.identify(str(shop))
        made = await bridge.snapshots.take(app, "x")
        subprocess.run("rm src/a build/kept; touch new build/new new.env", shell=True, cwd=shop, check=True)
        (own.shop / ".gitignore").write_text("*")
        await bridge.snapshots.restore(made.id)
        return made

    made = own.does(acted)
    return made, {path for path, (kind, _, _) in own.tree(shop).items() if kind == "file"}


def test_a_project_inside_a_larger_repository_follows_its_rules(own: Yard) -> None:
    snapshot, left = inside(own, "node_modules\\n")
    assert set(snapshot.left_out) == {"build/b (ignored by git)", "s.env (ignored by git)", "x.log (ignored by git)"}
    assert left == {b".gitignore", b"src/a", b"x.log", b"build/b", b"build/kept", b"build/new", b"s.env", b"new.env"}


def test_a_repository_that_ignores_the_whole_project_says_nothing_about_it(own: Yard) -> None:
    snapshot, left = inside(own, "*\\n")
    assert snapshot.left_out == ("x.log (ignored by git)",)
    assert left == {b".gitignore", b"src/a", b"x.log", b"build/b", b"build/kept", b"s.env"}


@pytest.mark.parametrize(
    "index",
    [b"", b"DIRC", b"DIRC\0\0\0\2\xff\xff\xff\xff", b"DIRC\0\0\0\4\0\0\0\2" + b"\xff" * 500, b"x" * 10_000, bytes(200)],
)
def test_a_damaged_index_harms_nothing(own: Yard, index: bytes) -> None:
    own.run("git init -q .; echo '*.log' > .gitignore; touch a.log b")
    own.plant(".git/index", index)
    own.plant(".git/HEAD", b"ref: ../../../../etc/passwd\n" if index else b"ref: refs/heads/" + b"x" * 100_000)
    assert take(own).files == 2


def test_rules_planted_after_a_snapshot_hide_nothing_from_a_rollback(own: Yard) -> None:
    own.plant("src/main.py", "ours")
    own.plant(".gitignore", "*.log\n")
    own.plant("kept.log", "ignored then and now")
    first = take(own)
    own.run(
        "echo '*' > .gitignore; echo '*' > src/.gitignore; echo evil > src/evil.py; rm src/main.py; echo new > new.log"
    )
    assert ("src/evil.py", "removed") in difference(own, first)
    there = restore(own, first)
    assert set(own.tree()) == {b"src", b"src/main.py", b".gitignore", b"kept.log", b"new.log"}
    # hidden or not, it is in the snapshot that was taken before it went
    restore(own, there)
    assert own.tree()[b"src/evil.py"][2] == b"evil\n"


def test_rules_that_hide_themselves_do_not_let_a_rollback_empty_the_folder(own: Yard) -> None:
    own.plant(".venv/.gitignore", "*\n")
    own.plant(".venv/bin/python", "x", 0o755)
    own.plant("main.py", "1")
    first = take(own)
    own.run("echo 2 > main.py; echo 2 > .venv/bin/pip")
    before = set(own.tree())
    restore(own, first)
    assert set(own.tree()) == before


@pytest.mark.parametrize("kind", ["link", "huge", "folder", "nonsense"])
def test_strange_rules_do_not_stop_a_snapshot(own: Yard, kind: str) -> None:
    own.plant("a.log", "1")
    script = {
        "link": "echo '*' > rules; ln -s rules .gitignore",
        "huge": "head -c 3000000 /dev/zero | tr '\\0' '*' > .gitignore",
        "folder": "mkdir .gitignore; touch .gitignore/x",
        "nonsense": "head -c 100000 /dev/urandom > .gitignore; printf '\\n[[[\\n!!!\\n\\\\\\n/\\n**\\0' >> .gitignore",
    }[kind]
    own.run(script)
    if kind != "nonsense":
        there_and_back(own, "rm a.log; echo 1 > b.log")
    assert take(own).id


def test_rules_made_to_be_slow_end_in_a_refusal_not_in_a_wait(own: Yard) -> None:
    own.plant(".gitignore", "a*" * 60 + "b\n")
    own.plant("a" * 250, "1")

    async def taken(bridge: Bridge) -> str:
        try:
            return (await bridge.snapshots.take(bridge.workspace, "x")).id
        except Unavailable as error:
            return error.sentence

    assert own.does(taken, patience=3.0)


def test_a_repository_that_a_command_plants_is_gone_after_a_rollback_and_kept_in_a_snapshot(own: Yard) -> None:
    own.run("git init -q .; git init -q theirs; touch theirs/x; mkdir docs; touch docs/x")
    first = take(own)
    own.run(EVIL.format(at="docs") + EVIL.format(at="deep/er") + "rm -f $PROOF; echo more >> theirs/.git/config")
    assert {("docs/.git/config", "removed"), ("deep/er/.git/config", "removed")} <= difference(own, first)
    planted = own.tree()
    there = restore(own, first)
    assert not any(b".git/" in path and not path.startswith(b"theirs") for path in own.tree())
    assert b"more" in own.tree()[b"theirs/.git/config"][2]
    restore(own, there)
    assert own.tree() == planted
    assert not own.proof.exists()


def test_the_workspaces_own_repository_is_never_touched(own: Yard) -> None:
    own.plant("a.txt", "1")
    first = take(own)
    own.run(
        "git init -q .; git add -A; git -c user.name=x -c user.email=x@x commit -qm x; echo 2 > a.txt; git stash list"
    )
    repository = own.fingerprint(own.shop / ".git")
    restore(own, first)
    assert own.fingerprint(own.shop / ".git") == repository
    assert own.tree()[b"a.txt"][2] == b"1"


def test_head_and_index_are_written_down_for_people(own: Yard) -> None:
    own.run(
        "git init -q -b trunk .; touch a; git add a; git -c user.name=x -c user.email=x@x commit -qm x; touch b; git add b"
    )
    commit, index = own.run("git rev-parse HEAD").strip(), (own.shop / ".git/index").read_bytes()
    kept = take(own)
    (shadow,) = (own.state / "snapshots").iterdir()

    def shown(*words: str) -> bytes:
        command = ["git", f"--git-dir={shadow / 'store.git'}", "-c", "safe.directory=*", *words]
        return subprocess.run(command, capture_output=True, check=True, timeout=20).stdout

    text = shown("log", "-1", "--format=%B", f"refs/snap/by-id/{kept.id}").decode()
    assert f'"commit": "{commit}"' in text
    assert '"head": "ref: refs/heads/trunk"' in text
    assert shown("cat-file", "blob", f"refs/snap/by-id/{kept.id}:index") == index
    assert blob(index) in text


def test_a_large_file_is_left_alone_if_it_was_there_and_goes_if_it_was_not(
    own: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LARGEST", 1000)
    own.plant("old.bin", b"o" * 5000)
    own.plant("small", b"s")
    first = take(own)
    assert [name for name in first.left_out if name.startswith("old.bin")]
    own.run("head -c 9000 /dev/zero > new.bin; head -c 9000 /dev/zero > small; echo more >> old.bin")
    there = restore(own, first)
    assert set(own.tree()) == {b"old.bin", b"small"}
    assert len(own.tree()[b"old.bin"][2]) == 5005
    restore(own, there)
    assert len(own.tree()[b"new.bin"][2]) == len(own.tree()[b"small"][2]) == 9000


def test_a_large_file_passes_through_in_pieces(own: Yard) -> None:
    own.run("head -c 12000000 /dev/urandom > big.bin; cp big.bin twin.bin")
    there_and_back(own, "printf x | dd of=big.bin bs=1 seek=11000000 conv=notrunc 2>/dev/null; rm twin.bin")


@pytest.mark.parametrize("tick", [1, 1_000_000_000], ids=["as the disk keeps them", "whole seconds"])
def test_a_change_that_hides_behind_its_old_times_is_seen(own: Yard, tick: int) -> None:
    path = own.plant("a.txt", "one!")

    def coarse(status: os.stat_result) -> tree.Stamp:
        times = (status.st_mtime_ns, status.st_ctime_ns)
        return status.st_size, times[0] // tick * tick, times[1] // tick * tick, status.st_ino

    async def hidden(bridge: Bridge) -> list[str]:
        tree.stamp_of = contents.stamp_of = coarse
        seen = []
        for number in range(12):
            old = path.stat()
            first = await bridge.snapshots.take(bridge.workspace, "x")
            path.write_text(f"{number:04}")
            os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
            seen += [change.how for change in await bridge.snapshots.difference(first.id)]
            second = await bridge.snapshots.take(bridge.workspace, "x")
            path.write_text("gone")
            os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
            await bridge.snapshots.restore(second.id)
            seen.append(path.read_text())
        return seen

    assert own.does(hidden) == [word for number in range(12) for word in ("changed", f"{number:04}")]
