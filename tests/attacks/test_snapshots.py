"""Workspaces that fight their snapshots: by what they configure, what they are named, where their links lead, what they hide."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.errors import Conflict
from tests.attacks.yards import EVIL, USERS, Yard, difference, made, restore, take, there_and_back


@pytest.fixture(params=USERS)
def yard(request: pytest.FixtureRequest) -> Iterator[Yard]:
    with made(request.param) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Yard]:
    """For what does not depend on who runs the bridge: an ordinary user does."""
    with made(USERS[-1]) as found:
        yield found


def test_nothing_that_a_workspace_configures_is_run(yard: Yard) -> None:
    for at in (".", "nested", "nested/deeper", "odd\\ name"):
        yard.run(EVIL.format(at=at))
    yard.run(
        "git clone -q --bare . bare.git 2>/dev/null || cp -r .git bare.git; mkdir sub; echo 'gitdir: ../nested/.git' > sub/.git"
    )
    yard.run("echo '[submodule \"nested\"] path = nested' > .gitmodules; rm -f $PROOF")
    repository = yard.fingerprint(yard.shop / ".git")
    first = take(yard)
    yard.run("echo 2 >> text; echo 3 > nested/text; rm nested/deeper/text; touch new nested/new")
    assert difference(yard, first)
    take(yard)
    restore(yard, first)
    assert not yard.proof.exists()
    assert yard.fingerprint(yard.shop / ".git") == repository
    # the same folder, asked the usual way, does run it
    yard.run("git status >/dev/null 2>&1 || true; git -C nested status >/dev/null 2>&1 || true")
    assert yard.proof.exists()


def test_the_environment_of_the_bridge_does_not_lead_git_astray(own: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GIT_DIR": str(own.shop / ".git"),
        "GIT_WORK_TREE": "/",
        "GIT_INDEX_FILE": "/dev/null",
        "GIT_OBJECT_DIRECTORY": str(own.outside),
        "GIT_EXEC_PATH": str(own.outside),
        "GIT_TRACE": str(own.proof),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": f"touch {own.proof}",
        "GIT_TEMPLATE_DIR": str(own.outside),
        "GIT_LITERAL_PATHSPECS": "0",
        "HOME": str(own.outside),
        "LD_PRELOAD": "",
    }.items():
        monkeypatch.setenv(name, value)
    own.run("touch .gitconfig; echo '*.log' > .gitignore")
    (own.outside / ".gitconfig").write_text(f"[core]\nfsmonitor = touch {own.proof}\n")
    there_and_back(own, "echo 1 > a; rm .gitconfig")
    assert not own.proof.exists()


def test_bytes_and_modes_come_back_whatever_the_attributes_say(yard: Yard) -> None:
    yard.run(EVIL.format(at="."))
    yard.run(
        r"printf 'a\r\nb\n\0\xff$Id: x $' > mixed; printf '\xff\xfea\0' > utf16; : > none; chmod 600 mixed; chmod 751 none"
    )
    yard.run(
        "mkdir -p a/b/c shut; chmod 700 a; chmod 2775 a/b; umask 0; echo s > secret; chmod 400 secret; touch shared; "
        "ln -s none link"
    )
    there_and_back(
        yard,
        "git config core.autocrlf true; rm mixed secret link; mkdir link; echo x > link/in; rmdir a/b/c; chmod 755 a none; "
        "echo other > utf16; chmod 666 shared; rmdir shut; git add -A . 2>/dev/null || true",
    )


def test_odd_names_are_names_and_nothing_else(own: Yard) -> None:
    names = [
        *(
            "-rf",
            "--",
            "-z",
            ":(top)x",
            ":!x",
            ":/",
            "*",
            "?",
            "[a]",
            "!not",
            "#no",
            " lead",
            "trail ",
            "\\",
            'quo"te',
            "it's",
        ),
        *(
            "two\nlines",
            "tab\there",
            "\x1b[2J",
            "caf\xe9",
            "日本",
            "e\u0301",
            "\u202eexe",
            "a\\nb",
            "@{u}",
            "HEAD",
            "files",
            "about",
        ),
        *(
            "M 100644 x y",
            "D files",
            "con",
            "git~1",
            ".GITIGNORE",
            ".git\x01",
            ".gitx",
            "..x",
            "...",
            "x" * 255,
            "\x7f",
            "done",
        ),
    ]
    for name in names:
        own.plant(f"d/{name}", name)
        if len(name) < 200:
            own.plant(f"{name}-folder/inside", name)
    raw = os.fsencode(own.shop) + b"/latin-\xff\xe9\x80"
    with open(raw, "wb") as file:
        file.write(b"1")
    own.give(Path(os.fsdecode(raw)))
    there_and_back(
        own, "rm -rf ./d ./*-folder; rm $'latin-\\xff\\xe9\\x80'; echo 2 > $'other-\\xff'; mkdir d; touch 'd/-rf'"
    )
    changed = difference(own, take(own))
    assert changed == set()


def test_a_very_deep_folder_and_a_very_full_one_come_back(own: Yard) -> None:
    own.run(
        "p=.; for i in $(seq 60); do p=$p/dddddddd$i; done; mkdir -p $p; echo deep > $p/file; mkdir f; cd f; touch {1..3000}"
    )
    there_and_back(own, "rm -rf dddddddd1 f/1*")


def test_links_are_kept_and_never_followed(yard: Yard) -> None:
    (yard.outside / "victim").write_text("precious")
    yard.run(
        'ln -s "$OUTSIDE/victim" out; ln -s "$OUTSIDE" dir; ln -s nowhere dangling; ln -s loop loop; ln -s / root; '
        "mkdir in; touch in/x"
    )
    outside = yard.fingerprint(yard.outside)
    there_and_back(
        yard, "rm out dir dangling; touch out dangling; mkdir dir; echo evil > dir/victim; rm -r in; ln -s dir in"
    )
    assert yard.fingerprint(yard.outside) == outside


@pytest.mark.parametrize("what", ["folder", "file", "both"])
def test_a_restore_does_not_write_through_a_planted_link(yard: Yard, what: str) -> None:
    victim = yard.outside / "a.txt"
    victim.write_text("precious")
    yard.plant("sub/a.txt", "ours")
    yard.plant("sub/deep/a.txt", "ours")
    yard.plant("a.txt", "ours")
    first = take(yard)
    if what in ("folder", "both"):
        yard.run('rm -r sub; ln -s "$OUTSIDE" sub')
    if what in ("file", "both"):
        yard.run('ln -sf "$OUTSIDE/a.txt" a.txt')
    restore(yard, first)
    assert victim.read_text() == "precious"
    assert sorted(os.listdir(yard.outside)) == ["a.txt"]
    assert yard.tree()[b"sub/deep/a.txt"] == ("file", 0o644, b"ours")
    assert yard.tree()[b"a.txt"] == ("file", 0o644, b"ours")


def test_a_file_with_a_second_name_outside_is_replaced_not_overwritten(own: Yard) -> None:
    own.plant("a.txt", "ours", 0o600)
    first = take(own)
    victim = own.outside / "victim"
    victim.write_text("precious")
    victim.chmod(0o640)
    own.give(victim)
    (own.shop / "a.txt").unlink()
    os.link(victim, own.shop / "a.txt")
    restore(own, first)
    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("precious", 0o640)
    assert own.tree()[b"a.txt"] == ("file", 0o600, b"ours")


def test_pipes_sockets_and_devices_hold_nothing_up(yard: Yard) -> None:
    yard.plant("a.txt", "ours")
    yard.plant("b/c.txt", "ours")
    yard.run("mkfifo pipe .gitignore; mkdir e; mkfifo e/.git")
    first = take(yard)
    assert {"pipe (a pipe)", ".gitignore (a pipe)"} <= set(first.left_out)
    yard.run("rm a.txt; mkfifo a.txt; rm -r b; mkfifo b; mkfifo new")
    with socket.socket(socket.AF_UNIX) as talk:
        talk.bind(str(yard.shop / "talk"))
    restore(yard, first)
    found = yard.tree()
    assert (found[b"a.txt"][2], found[b"b/c.txt"][2]) == (b"ours", b"ours")
    # what no snapshot can hold is left alone, and named
    assert {found[name][0] for name in (b"pipe", b"new", b"talk")} == {"special"}
    assert {"new (a pipe)", "talk (a socket)"} <= set(take(yard).left_out)


def test_a_command_cannot_lock_a_rollback_out(own: Yard) -> None:
    own.run("mkdir -p a/b; echo 1 > a/b/c; echo 1 > d; mkdir e; echo 1 > e/f")
    before = own.tree()
    first = take(own)
    own.run(
        "echo 2 > a/b/c; echo 2 > d; echo 2 > e/f; chmod 000 a/b/c a/b d; chmod 000 a; chmod 555 e; mkdir g; chmod 000 g"
    )
    restore(own, first)
    assert own.tree() == before


def test_closed_folders_are_written_to_and_closed_again(own: Yard) -> None:
    own.run("mkdir -p a/b; echo 1 > a/b/c; chmod 555 a/b a")
    there_and_back(own, "chmod 755 a a/b; echo 2 > a/b/c; rm -f a/b/d; touch a/new; chmod 555 a/b a")


def test_rights_of_another_user_are_not_brought_back(yard: Yard) -> None:
    yard.plant("tool", "x", 0o4755)
    first = take(yard)
    yard.run("rm tool")
    restore(yard, first)
    assert yard.tree()[b"tool"] == ("file", 0o755, b"x")


def test_what_comes_back_belongs_to_the_owner_of_the_workspace(yard: Yard) -> None:
    yard.run("mkdir -p a/b; echo 1 > a/b/c; ln -s c a/b/l; echo 1 > d")
    owner = yard.shop.stat().st_uid
    first = take(yard)
    yard.run("rm -r a; echo 2 > d")
    restore(yard, first)
    for place, folders, names in os.walk(yard.shop):
        assert {os.lstat(os.path.join(place, name)).st_uid for name in folders + names} <= {owner}


def test_what_the_owner_of_the_workspace_cannot_read_is_not_read_for_him(yard: Yard) -> None:
    secret = yard.plant("a/secret", "of whoever runs the bridge", 0o600)
    if yard.user != "own":
        os.chown(secret, 0, 0)
    else:
        secret.chmod(0)
    first = take(yard)
    readable = yard.user == "own" and os.geteuid() == 0
    assert ("a/secret (cannot be read)" in first.left_out) is not readable
    assert (first.files == 1) is readable
    yard.run("mv a/secret a/mine; touch b")
    with pytest.raises(Conflict, match="cannot be read"):
        restore(yard, first)
    yard.run("mv a/mine a/secret")
    restore(yard, first)
    assert secret.read_text() == "of whoever runs the bridge"
