"""Where credentials lie and are looked for: what is planted in the repository, its address, or the state directory."""

from __future__ import annotations

import http.server
import json
import os
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from multiagent_bridge.adapters.parcels import age, carriers, hooks, remotes
from multiagent_bridge.adapters.parcels import repository as git
from multiagent_bridge.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from multiagent_bridge.model.parcels import Letter, path_of
from multiagent_bridge.services.parcels import fields
from tests.attacks.mailings import Mailing, refused

pytestmark = pytest.mark.anyio

FILE = path_of("builder-1")


@pytest.fixture
def mailing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailing:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Mailing(tmp_path)


async def test_a_key_for_the_hub_is_kept_apart_and_said_nowhere(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent(replace(mailing.parcel(), hub="https://hub.example.org/mcp", hub_key="mab_key_secret"))
    pulled = await mailing.worker.pull(mailing.publisher)
    assert "mab_key_secret" not in repr(pulled) + json.dumps(fields(pulled.parcel))
    file = mailing.worker.box.key_file("builder-1")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("mab_key_secret\n", 0o600)
    outside = mailing.root / "outside"
    file.unlink()
    file.symlink_to(outside)
    mailing.sent(replace(mailing.parcel(sequence=8), hub="https://hub.example.org/mcp", hub_key="mab_key_secret"))
    await mailing.worker.pull()
    assert not outside.exists()
    assert not file.is_symlink()


# --- the repository itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["120000", "100755"])
async def test_a_link_or_a_program_in_the_files_place_is_refused(
    anyio_backend: str, mailing: Mailing, mode: str
) -> None:
    secret = mailing.root / "secret"
    secret.write_bytes(mailing.sealed(mailing.parcel()))
    mailing.put({FILE: str(secret).encode() if mode == "120000" else secret.read_bytes()}, mode)
    await refused(mailing, Refused)


async def test_a_link_in_the_place_of_the_folder_leads_nowhere(anyio_backend: str, mailing: Mailing) -> None:
    outside = mailing.root / "outside"
    outside.mkdir()
    (outside / "builder-1.age").write_bytes(mailing.sealed(mailing.parcel()))
    mailing.put({"workers": str(outside).encode()}, "120000")
    with pytest.raises(NotFound):
        await mailing.worker.pull(mailing.publisher)
    post = carriers.GitPost(carriers.repository(mailing.root / "hub", str(mailing.repository), "main", "push"))
    letter = Letter("builder-1", mailing.worker.box.recipient, mailing.content(mailing.parcel()))
    before = (outside / "builder-1.age").read_bytes()
    with pytest.raises(Refused):
        await post.send([letter])
    assert (outside / "builder-1.age").read_bytes() == before


async def test_a_huge_file_is_refused_however_small_it_packs(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({FILE: b"\0" * (8 << 20)})
    assert "bytes" in (await refused(mailing, Refused)).sentence


async def test_a_huge_tree_is_refused_and_leaves_nothing_on_the_disk(
    anyio_backend: str, mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "PACK_BYTES", 1 << 20)
    mailing.put({FILE: mailing.sealed(mailing.parcel()), "ballast": random.Random(7).randbytes(3 << 20)})
    await refused(mailing, Refused)
    await refused(mailing, Refused)
    left = sum(path.stat().st_size for path in mailing.worker.home.rglob("*") if path.is_file())
    assert left < 1 << 20


async def test_nothing_that_the_repository_brings_along_is_run(anyio_backend: str, mailing: Mailing) -> None:
    """Attributes, modules, hooks, a configuration: in the tree they are files like any other."""
    ran = mailing.root / "ran"
    evil = f"#!/bin/sh\ntouch {ran}\n".encode()
    brought = {
        FILE: mailing.sealed(mailing.parcel()),
        ".gitattributes": b"* filter=evil diff=evil merge=evil\nworkers/* export-subst\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::touch% {ran}\n'.encode(),
        ".gitconfig": f'[filter "evil"]\n\tsmudge = touch {ran}\n[core]\n\tfsmonitor = touch {ran}\n'.encode(),
        "config": f"[core]\n\tsshCommand = touch {ran}\n\thooksPath = hooks\n".encode(),
        **{f"hooks/{name}": evil for name in ("post-checkout", "post-merge", "pre-push", "reference-transaction")},
    }
    mailing.put(brought, "100644")
    assert (await mailing.worker.pull(mailing.publisher)).fresh
    post = carriers.GitPost(carriers.repository(mailing.worker.home, str(mailing.repository), "main", "push"))
    await post.send([Letter("builder-1", mailing.worker.box.recipient, mailing.content(mailing.parcel(sequence=8)))])
    assert (await mailing.worker.pull()).fresh
    assert not ran.exists()


async def test_the_users_own_hooks_and_prompts_are_not_run_either(
    anyio_backend: str, mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook path or an askpass program set for work trees would be run every minute, unattended."""
    ran, folder = mailing.root / "ran", mailing.root / "hooks"
    folder.mkdir()
    for name in ("reference-transaction", "pre-push", "post-index-change", "askpass"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} $PWD >> {ran}\n")
        (folder / name).chmod(0o755)
    core = f"[core]\n\thooksPath = {folder}\n\taskPass = {folder}/askpass\n\teditor = {folder}/askpass\n"
    (mailing.root / ".gitconfig").write_text(core + "[protocol]\n\tallow = always\n")
    for name in ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, str(folder / "askpass"))
    monkeypatch.setenv("GIT_DIR", str(mailing.root / "nowhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(mailing.root / "nowhere"))
    mailing.sent()
    assert (await mailing.worker.pull(mailing.publisher)).fresh
    assert not ran.exists()
    post = carriers.GitPost(carriers.repository(mailing.worker.home, str(mailing.repository), "main", "push"))
    await post.send([Letter("builder-1", mailing.worker.box.recipient, mailing.content(mailing.parcel(sequence=8)))])
    # what runs in the repository that receives is its owner's affair
    assert {line.partition(" ")[2] for line in ran.read_text().splitlines()} == {str(mailing.repository)}


def test_git_is_given_nothing_that_asks_a_person_or_opens_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MAB_TOKEN",
        "MAB_MASTER_KEY",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "GIT_DIR",
        "GIT_CONFIG_COUNT",
        "LD_PRELOAD",
    ):
        monkeypatch.setenv(name, "planted")
    given = git.environment(remotes.remote("https://git.example.org/x"))
    assert "planted" not in given.values()
    assert (given["GIT_TERMINAL_PROMPT"], given["GIT_ASKPASS"], given["GIT_ALLOW_PROTOCOL"]) == ("0", "", "https")


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x", "ext::x", "fd::3", "-oProxyCommand=x", "--upload-pack=x", "", "ftp://h/x", "git://h/x",
        "http://git.example.org/x", "https://", "https://user:secret@h/x", "ssh://-oProxyCommand=x/y", "https://h/x?a=b",
        "https://h/x\n", "javascript:x://y", "file://h/x", "ssh://u:secret@h/x", "https://h:x/y", "transport::address",
    ],
)  # fmt: skip
def test_addresses_that_run_a_program_or_hold_a_password_are_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        remotes.remote(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a/../b", "refs/heads/x.lock", "a b", "a:b", "a^", "+x", "a/", "a\n"]
)
def test_branches_that_git_could_take_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        remotes.branch(name)


async def test_a_name_in_the_address_that_may_be_a_token_is_not_repeated(anyio_backend: str, tmp_path: Path) -> None:
    where = remotes.remote("http://ghp_0123456789@127.0.0.1:9/x")
    away = git.Repository(tmp_path / "r.git", where, "main")
    with pytest.raises(Unavailable) as caught:
        await away.read(FILE)
    assert "ghp_" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


class Asking(http.server.BaseHTTPRequestHandler):
    """A repository that wants a password, so that git names whom it would ask."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *words: object) -> None:
        pass


@pytest.mark.parametrize("name", ["ghp_0123456789", "gh%70_0123456789", "ghp_" + "0123456789" * 30])
async def test_nor_is_it_where_the_other_side_wants_a_password_too(
    anyio_backend: str, tmp_path: Path, name: str
) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Asking) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        where = remotes.remote(f"http://{name}@127.0.0.1:{server.server_port}/x")
        try:
            with pytest.raises(Unavailable) as caught:
                await git.Repository(tmp_path / "r.git", where, "main").read(FILE)
        finally:
            server.shutdown()
            thread.join(60)
    assert "0123456789" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


async def test_a_repository_that_never_answers_is_given_up(anyio_backend: str, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = git.Repository(tmp_path / "r.git", remotes.remote(f"http://127.0.0.1:{port}/x"), "main", seconds=1.0)
        with pytest.raises(Unavailable):
            await away.read(FILE)


# --- the state directory -------------------------------------------------------------------------------------------------


def test_an_identity_is_never_made_over_one_that_is_there(tmp_path: Path) -> None:
    first = str(age.identity(tmp_path / "home", make=True).to_public())
    assert str(age.identity(tmp_path / "home", make=True).to_public()) == first
    assert str(age.identity(tmp_path / "home", make=True, again=True).to_public()) != first
    assert age.file_of(tmp_path / "home").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["link", "open to others", "hard link", "pipe"])
def test_an_identity_that_somebody_else_may_read_or_planted_is_refused(tmp_path: Path, kind: str) -> None:
    file, outside = age.file_of(tmp_path / "home"), tmp_path / "outside"
    identity = age.identity(tmp_path / "other", make=True)
    outside.write_text(f"{identity}\n")
    outside.chmod(0o600)
    if kind == "link":
        file.symlink_to(outside)
    elif kind == "hard link":
        os.link(outside, file)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.write_text(f"{identity}\n")
        file.chmod(0o644)
    with pytest.raises(Unavailable):
        age.identity(tmp_path / "home", make=True)


async def test_a_link_planted_where_credentials_are_kept_is_not_followed(anyio_backend: str, mailing: Mailing) -> None:
    outside = mailing.root / "outside"
    outside.write_text("untouched")
    mailing.worker.box.file("builder-1").symlink_to(outside)
    mailing.sent()
    with pytest.raises(Unavailable):
        await mailing.worker.pull(mailing.publisher)
    assert outside.read_text() == "untouched"


def test_a_hook_of_somebody_else_is_left_alone(mailing: Mailing) -> None:
    there = mailing.repository / "hooks" / "post-receive"
    there.parent.mkdir(exist_ok=True)
    there.write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(Conflict):
        hooks.installed(mailing.repository, mailing.worker.home)
    assert there.read_text() == "#!/bin/sh\necho mine\n"
    there.unlink()
    there.symlink_to(mailing.root / "target")
    with pytest.raises(Conflict):
        hooks.installed(mailing.repository, mailing.worker.home)
    assert not (mailing.root / "target").exists()


def test_a_hook_serves_many_state_directories_each_once_and_quotes_them(mailing: Mailing) -> None:
    odd = mailing.root / "o'dd $(touch x) home"
    assert hooks.installed(mailing.repository, mailing.worker.home)[1]
    path, written = hooks.installed(mailing.repository, odd)
    assert written
    assert not hooks.installed(mailing.repository, odd)[1]
    assert path.read_text().count("credentials_wake") == 2
    assert path.stat().st_mode & 0o777 == 0o755
    assert "'\"'\"'dd $(touch x) home'" in path.read_text()
