"""From inside a sandbox: making git run something later, outside, when the person whose repository it is uses it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.testing.sandboxes import Site
from tests.attacks.confined import USERS, Ground, ground

pytestmark = pytest.mark.parametrize("user", USERS)

PLANT = r"""
import shutil
evil = '#!/bin/sh\n: > ' + beside + '/planted\n'
config = '[core]\n\tbare = false\n\tfsmonitor = ' + beside + '/../workspace/evil.sh\n\thooksPath = /tmp\n'
write('evil.sh', evil), os.chmod('evil.sh', 0o755)
def plant(git):
    for hook in ('pre-commit', 'post-commit', 'post-checkout', 'post-index-change', 'reference-transaction'):
        attempt('hook ' + hook, lambda: (write(git + '/hooks/' + hook, evil), os.chmod(git + '/hooks/' + hook, 0o755)))
    attempt('config', lambda: write(git + '/config', config))
    attempt('more config', lambda: write(git + '/config', config, 'a'))
    attempt('config of the worktree', lambda: write(git + '/config.worktree', config))
    attempt('other folder', lambda: write(git + '/commondir', '../evil'))
    attempt('config by rename', lambda: (write(git + '/new', config), os.rename(git + '/new', git + '/config')))
    attempt('folder by rename', lambda: (write(git + '/new', '../evil'), os.rename(git + '/new', git + '/commondir')))
    attempt('remove', lambda: os.unlink(git + '/commondir'))
    attempt('remove config', lambda: os.unlink(git + '/config'))
    attempt('move hooks', lambda: os.rename(git + '/hooks', git + '/hooks2'))
    attempt('link hooks', lambda: (os.rmdir(git + '/hooks'), os.symlink('/tmp', git + '/hooks')))
    attempt('move away', lambda: os.rename(git, git + '2'))
    attempt('exchange', lambda: (os.mkdir('x'), call(316, -100, b'x', -100, git.encode(), 2)))
    attempt('submodule', lambda: os.makedirs(git + '/modules/x/hooks'))
    attempt('by git', lambda: shell('git config core.fsmonitor ' + beside + '/evil.sh').returncode == 0 or False)
    attempt('mode', lambda: os.chmod(git + '/config', 0o777))
    attempt('recursively', lambda: (shutil.rmtree(git), None) if not git.startswith('.git') else False)
plant(git)
"""


def repository(here: Ground, folder: Path | None = None) -> Path:
    """One with a commit, as a person has it."""
    where = folder or here.workspace
    if not where.exists():
        where.mkdir()
        here.give(where)
    here.git("init", "-q", "-b", "main", where=where)
    here.put(where / "file", "one\n", 0o644)
    here.git("add", "file", where=where)
    here.git("commit", "-q", "-m", "first", where=where)
    return where


def used(here: Ground, where: Path | None = None) -> None:
    """What a person does next; fails when it has run something of the attack's."""
    here.put((where or here.workspace) / "later", "x", 0o644)
    for words in (
        ("status",),
        ("add", "later"),
        ("commit", "-q", "-m", "later"),
        ("diff", "HEAD~1"),
        ("checkout", "-q", "-b", "b"),
    ):
        here.git(*words, where=where)
    assert not (here.beside / "planted").exists()


def state(git: Path) -> dict[str, bytes | None]:
    """What steers git there."""
    names = [
        path
        for name in ("config", "commondir", "config.worktree", "hooks", "modules")
        for path in (git / name, *(git / name).rglob("*"))
    ]
    return {str(path): path.read_bytes() if path.is_file() else None for path in names if os.path.lexists(path)}


def test_hooks_and_configuration_cannot_be_planted(user: str) -> None:
    with ground(user) as here:
        repository(here)
        before = state(here.workspace / ".git")
        assert here.gained(PLANT, beside=here.beside, git=".git") == []
        assert state(here.workspace / ".git") == before
        used(here)


def test_the_attack_works_where_nothing_confines_it(user: str) -> None:
    with ground(user) as here:
        repository(here)
        assert len(here.without(PLANT, beside=here.beside, git=".git")) > 10
        with pytest.raises(AssertionError):
            used(here)


def test_a_repository_without_hooks_or_configuration_is_no_easier(user: str) -> None:
    with ground(user) as here:
        git = repository(here) / ".git"
        shutil.rmtree(git / "hooks")
        (git / "config").unlink()
        assert here.gained(PLANT, beside=here.beside, git=".git") == []
        assert state(git) == {}
        used(here)


def test_nested_and_bare_repositories_and_submodules_are_protected_too(user: str) -> None:
    with ground(user) as here:
        repository(here)
        repository(here, here.workspace / "nested")
        repository(here, here.workspace / "nested" / "deep")
        here.git("init", "-q", "--bare", str(here.workspace / "store.git"))
        here.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./nested/deep", "part")
        places = [".git", "nested/.git", "nested/deep/.git", "store.git", ".git/modules/part"]
        before = [state(here.workspace / place) for place in places]
        for place in places:
            gained = here.gained(PLANT, beside=here.beside, git=place)
            assert gained == [], place
        assert [state(here.workspace / place) for place in places] == before
        for place in (".", "nested", "nested/deep", "part"):
            used(here, here.workspace / place)


def test_work_goes_on_inside(user: str) -> None:
    line = (
        "set -e; echo two >> file; git add file; git commit -q -m second; git branch side; git tag v1; echo three >> file;"
        " git stash -q; git stash list | grep -q WIP; git stash pop -q; git checkout -q -- file; git checkout -q side;"
        " git status -s; git log --oneline | wc -l; git log -1 --format='%an <%ae>'; git worktree list | wc -l"
    )
    with ground(user) as here:
        repository(here)
        outcome = here.inside(f"print(shell({line!r}))")
        assert b"2\\nMultiagent Bridge <bridge@localhost>\\n1\\n', stderr=b''" in outcome.stdout.head, (
            outcome.stdout.head
        )
        assert here.git("log", "--oneline", "side").count("\n") == 2
        assert here.git("fsck", "--no-dangling") == ""
        assert state(here.workspace / ".git").keys() <= state_of_a_fresh(here)


def state_of_a_fresh(here: Ground) -> set[str]:
    git = here.workspace / ".git"
    return {str(git / "config"), str(git / "hooks"), *(str(path) for path in (git / "hooks").iterdir())}


def test_a_linked_worktree_works_and_leads_nowhere_else(user: str) -> None:
    script = (
        PLANT
        + r"""
outcome = shell('echo two >> file && git commit -q -a -m second && git log --oneline | wc -l')
print(outcome.returncode, outcome.stdout)
attempt('link', lambda: write('.git', 'gitdir: ../evil'))
attempt('link by rename', lambda: (write('g', 'gitdir: ../evil'), os.rename('g', '.git')))
attempt('link away', lambda: os.unlink('.git'))
attempt('own folder', lambda: os.rename(own, own + '2'))
attempt('back', lambda: write(own + '/gitdir', '/tmp'))
attempt('common', lambda: write(own + '/commondir', '/tmp'))
attempt('own config', lambda: write(own + '/config.worktree', config))
attempt('beside', lambda: os.listdir(main + '/..') != ['.git'] or False)
attempt('head', lambda: write(main + '/HEAD', 'x'))
"""
    )
    with ground(user) as here:
        main = repository(here, here.base / "main")
        here.workspace.rmdir()
        here.base.chmod(0o777)
        here.git("worktree", "add", "-q", "-b", "tree", str(here.workspace), where=main)
        here.base.chmod(0o755)
        git = main / ".git"
        before = state(git)
        places = {"beside": here.beside, "git": str(git), "main": git, "own": git / "worktrees" / "workspace"}
        assert here.gained(script, **places) == ["0 b'2\\n'"]
        assert state(git) == before
        assert not (git / "worktrees" / "workspace" / "config.worktree").exists()
        assert here.git("log", "--oneline", "tree", where=main).count("\n") == 2
        used(here)
        # and to look at only
        outcome = here.inside(
            "print(shell('git log --oneline | wc -l').stdout, shell('git commit -q --allow-empty -m x').returncode != 0)",
            writable=False,
        )
        assert outcome.stdout.head.startswith(b"b'3\\n' True\n")


@pytest.mark.parametrize("forged", ["no word back", "links", "a word that is not its own"])
def test_a_forged_link_to_a_repository_shows_nothing_of_it(user: str, forged: str) -> None:
    """The file `.git` lies in the workspace, so an agent can write it: what it names is shown only if that one agrees."""
    with ground(user) as here:
        fake = here.beside / "fake"
        for name in ("objects", "refs", "worktrees/own"):
            (fake / name).mkdir(parents=True)
        for path in (fake, *fake.rglob("*")):
            here.give(path)
        here.put(fake / "HEAD", "ref: refs/heads/main\n")
        here.put(fake / "objects" / "secret")
        here.put(fake / "worktrees" / "own" / "commondir", "../..\n")
        if forged == "links":
            (fake / "objects").rename(fake / "away")
            (fake / "objects").symlink_to(here.home / ".ssh")
        if forged != "no word back":
            back = here.workspace / ".git" if forged == "links" else here.base / "elsewhere" / ".git"
            here.put(fake / "worktrees" / "own" / "gitdir", f"{back}\n")
        here.put(".git", f"gitdir: {fake}/worktrees/own\n")
        script = "attempt('seen', lambda: os.stat(fake))\nattempt('key', lambda: os.listdir(fake + '/objects'))\n"
        assert here.gained(script, fake=fake) == []


@pytest.mark.parametrize("kind", ["link", "pipe", "common"])
def test_a_repository_that_cannot_be_protected_is_refused(user: str, kind: str) -> None:
    with ground(user) as here:
        git = here.workspace / ".git"
        if kind == "link":
            repository(here, here.base / "elsewhere")
            git.symlink_to(here.base / "elsewhere" / ".git")
        elif kind == "pipe":
            os.mkfifo(git)
        else:
            repository(here)
            here.put(git / "commondir", "../evil\n")
        with pytest.raises(Unavailable):
            here.inside("write('ran')")
        assert not (here.workspace / "ran").exists()
        assert here.inside("print(1)", writable=False).exit_code == 0


def test_where_hooks_are_a_link_the_repository_is_read_only(user: str) -> None:
    with ground(user) as here:
        git = repository(here) / ".git"
        (git / "hooks").rename(here.workspace / "shared")
        (git / "hooks").symlink_to("../shared")
        script = PLANT + "attempt('ref', lambda: write('.git/refs/heads/x'))\n"
        assert "ref" not in here.gained(script, beside=here.beside, git=".git")
        assert (git / "hooks").is_symlink()


def test_hooks_and_settings_that_the_configuration_names_are_read_only(user: str) -> None:
    with ground(user) as here:
        repository(here)
        here.put("tools/hooks/pre-commit", "#!/bin/sh\n", 0o755)
        here.put("settings", "[user]\n\tname = x\n", 0o644)
        here.git("config", "core.hooksPath", "tools/hooks")
        here.git("config", "include.path", "../settings")
        script = r"""
for place in ('tools/hooks/pre-commit', 'tools/hooks/post-commit', 'settings'):
    attempt(place, lambda: write(place))
attempt('move', lambda: os.rename('tools/hooks', 'moved'))
"""
        assert here.gained(script) == []
        assert len(here.without(script)) == 4


def test_what_was_prepared_is_gone_after_the_run_and_after_a_crash(user: str) -> None:
    with ground(user) as here:
        git = repository(here) / ".git"
        (git / "hooks").rename(here.base / "old hooks")
        before = sorted(path.name for path in git.iterdir())
        outcome = here.inside("print(os.path.exists('.git/commondir'), os.listdir('.git/hooks'))")
        assert outcome.stdout.head.startswith(b"True []")
        assert sorted(path.name for path in git.iterdir()) == before

        child = os.fork()
        if child == 0:
            try:
                here.inside("write('up'), time.sleep(300)")
            finally:
                os._exit(1)
        end = time.monotonic() + 90
        while not (here.workspace / "up").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        # the child of the child is the bridge
        bridge = int(Path(f"/proc/{child}/task/{child}/children").read_text())
        assert (git / "commondir").read_text() == ".\n"
        here.git("status")
        os.kill(bridge, signal.SIGKILL)
        os.waitpid(child, 0)
        assert (git / "commondir").exists()
        here.git("status")
        here.inside("pass")
        assert sorted(path.name for path in git.iterdir()) == before


def test_a_ledger_that_was_forged_removes_nothing_else(user: str) -> None:
    """It lies where commands cannot write; should it name something of somebody's, that is not what was made."""
    with ground(user) as here:
        repository(here)
        kept = here.put("kept", ".\n", 0o644)
        full = here.workspace / "full"
        full.mkdir()
        here.put("full/x")
        lines = [
            [str(kept), 1, 2],
            [str(full), full.stat().st_dev, full.stat().st_ino],
            [str(here.workspace / "file"), 1],
        ]

        async def forge() -> None:
            folder = here.state / "sandbox"
            folder.mkdir(mode=0o700)
            os.umask(0o077)
            (folder / "made.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n[tor")

        here.bridge(forge)
        here.inside("pass")
        assert kept.read_text() == ".\n"
        assert (here.workspace / "full" / "x").exists()
        assert (here.workspace / "file").exists()
        assert not (here.state / "sandbox" / "made.jsonl").exists()


def test_what_one_run_prepared_stays_while_another_one_needs_it(user: str) -> None:
    """Removing a file takes away what is mounted upon it, in every sandbox: also in one around this workspace."""
    with ground(user) as here:
        git = repository(here, here.workspace / "inner") / ".git"
        attack = "write('waits')\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n" + PLANT

        async def both() -> list[str]:
            outer = Site(BubblewrapSandbox(here.state, home=here.home), here.workspace)
            inner = Site(BubblewrapSandbox(here.state, home=here.home), here.workspace / "inner")
            short = asyncio.ensure_future(inner.shell("while [ ! -e up ]; do :; done"))
            async with asyncio.timeout(90):
                while not (git / "commondir").exists():
                    await asyncio.sleep(0.01)
                long = asyncio.ensure_future(outer.run(here.step(attack, beside=here.beside, git="inner/.git")))
                while not (here.workspace / "waits").exists():
                    await asyncio.sleep(0.01)
            await outer.shell("echo > inner/up")
            assert (await short).exit_code == 0
            assert (git / "commondir").exists()
            await outer.shell("echo > go")
            return here.names(await long)

        assert here.bridge(both) == []
        assert not (git / "commondir").exists()
        assert not (git / "modules").exists()
