"""What a look at a workspace finds: secrets, repositories, what steers clients; and the toolchains of a home."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox import protection, toolchains
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FILE, EMPTY_FOLDER, READ_ONLY, WRITABLE, Mount
from multiagent_bridge.adapters.sandbox.secrets import is_secret
from multiagent_bridge.errors import Unavailable

HIDDEN = (
    ".env .ENV .env.local .env.production.local prod.env .envrc .envrc.private id_rsa id_ed25519 id_ecdsa_sk "
    "putty.ppk cert.p12 cert.PFX release.jks debug.keystore passwords.kdbx work.ovpn .netrc _netrc .pgpass "
    ".my.cnf .htpasswd .pypirc .git-credentials .dockercfg .vault-token .boto .s3cfg .terraformrc rclone.conf "
    "kubeconfig dev.kubeconfig terraform.tfstate terraform.tfstate.backup credentials credentials.json "
    "client_secret_1.json my-service-account.json serviceAccountKey.json master.key secrets.yaml .secrets "
    "secret.json local.settings.json"
)
SHOWN = (
    ".env.example .env.sample .env.local.template .env.dist example.env environment env.py id_rsa.pub "
    "secrets.py secret.ts credentials.py credentials_test.go authorize.json key.txt README.md package.json "
    "tokens.css .npmignore keyboard.key.md"
)


@pytest.mark.parametrize(
    "name",
    HIDDEN.split(),
)
def test_a_file_is_hidden_by_its_name(name: str) -> None:
    assert is_secret(f"/nowhere/{name}", name)


@pytest.mark.parametrize(
    "name",
    SHOWN.split(),
)
def test_a_file_is_shown_though_its_name_comes_near(name: str) -> None:
    assert not is_secret(f"/nowhere/{name}", name)


@pytest.mark.parametrize(
    ("name", "content", "mode", "hidden"),
    [
        (".npmrc", "engine-strict=true\n", 0o644, False),
        (".npmrc", "//registry.example/:_authToken=abc\n", 0o644, True),
        (".npmrc", "//registry.example/:_authToken=${NPM_TOKEN}\n", 0o644, True),
        (".yarnrc.yml", "nodeLinker: node-modules\n", 0o644, False),
        (".yarnrc.yml", 'npmAuthToken: "abc"\n', 0o644, True),
        ("pip.conf", "[global]\nindex-url = https://u:p@index.example/simple\n", 0o644, True),
        ("pip.conf", "[global]\ntimeout = 5\n", 0o644, False),
        ("settings.xml", "<server><password>x</password></server>", 0o644, True),
        ("settings.xml", "<settings/>", 0o644, False),
        ("auth.json", '{"http-basic": {}}', 0o644, True),
        ("auth.json", '{"title": "Log in"}', 0o644, False),
        ("config.json", '{"auth": "x"}', 0o644, False),
        (".docker/config.json", '{"auths": {"a": {"auth": "x"}}}', 0o644, True),
        ("tls.key", "-----BEGIN RSA PRIVATE KEY-----\nx", 0o600, True),
        ("tls.key", "-----BEGIN RSA PRIVATE KEY-----\nx", 0o644, False),
        ("tls.pem", "-----BEGIN CERTIFICATE-----\nx", 0o600, False),
        ("tls.PEM", "x\n-----BEGIN PRIVATE KEY-----\nx", 0o400, True),
    ],
)
def test_some_files_are_hidden_by_what_they_hold(
    tmp_path: Path, name: str, content: str, mode: int, hidden: bool
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    found = protection.look(str(tmp_path))
    assert found.files == ([str(path)] if hidden else [])


def test_links_to_secrets_and_other_names_of_them_are_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "settings").write_text("x")
    (root / ".env").symlink_to("settings")
    (root / "sub" / "id_rsa").write_text("x")
    os.link(root / "sub" / "id_rsa", root / "innocent")
    (tmp_path / "outside").write_text("x")
    (root / ".netrc").symlink_to(tmp_path / "outside")
    (root / "prod.env").symlink_to("nowhere")
    (root / "loop.env").symlink_to("loop.env")
    found = {os.path.relpath(path, root) for path in protection.look(str(root)).files}
    assert found == {"settings", "sub/id_rsa", "innocent"}


def test_special_files_and_secret_folders_are_hidden_as_a_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("x")
    found = protection.look(str(tmp_path))
    assert (found.files, found.folders) == ([str(tmp_path / "pipe")], [str(tmp_path / ".ssh")])


def test_a_folder_too_deep_to_mount_is_hidden_where_that_is_still_possible(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(40):
        os.mkdir("x" * 200, dir_fd=handle)
        deeper = os.open("x" * 200, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open(".env", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    found = protection.look(str(tmp_path))
    assert found.files == []
    assert len(found.folders) == 1
    assert protection.DEEPEST < len(found.folders[0]) < protection.DEEPEST + 300
    shutil.rmtree(tmp_path / ("x" * 200))


def test_repositories_links_and_what_steers_clients_are_found(tmp_path: Path) -> None:
    for folder in (".git/objects", "sub/.git", "bare/objects", "bare/refs", ".claude", "sub/.vscode", "other/.vscode"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bare" / "HEAD").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: x")
    found = protection.look(str(tmp_path))
    relative = {
        kind: sorted(os.path.relpath(path, tmp_path) for path in getattr(found, kind))
        for kind in ("repositories", "links", "steering")
    }
    assert relative == {
        "repositories": [".git", "bare", "sub/.git"],
        "links": ["tree/.git"],
        "steering": [".claude", "sub/.vscode"],
    }


def test_who_asks_is_heard_at_every_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    heard: list[None] = []
    protection.look(str(tmp_path), check=lambda: heard.append(None))
    assert len(heard) == 3


def test_mounts_are_made_in_an_order_in_which_none_undoes_another() -> None:
    mounts = [
        Mount(EMPTY_FILE, "/w/.env"), Mount(READ_ONLY, "/w/.git/hooks"), Mount(WRITABLE, "/w/.git"),
        Mount(EMPTY_FOLDER, "/w/.ssh"), Mount(WRITABLE, "/m/objects", 1), Mount(READ_ONLY, "/m"),
        Mount(READ_ONLY, "/w/.git/hooks"), Mount(READ_ONLY, "/m/gitdir", 1),
    ]  # fmt: skip
    found = [(mount.kind, mount.path) for mount in protection.ordered(mounts)]
    assert found == [
        (WRITABLE, "/w/.git"), (READ_ONLY, "/m"), (READ_ONLY, "/w/.git/hooks"),
        (WRITABLE, "/m/objects"), (READ_ONLY, "/m/gitdir"), (EMPTY_FOLDER, "/w/.ssh"), (EMPTY_FILE, "/w/.env"),
    ]  # fmt: skip


def test_too_much_to_protect_is_refused() -> None:
    with pytest.raises(Unavailable):
        protection.ordered(Mount(EMPTY_FILE, f"/w/{number}/.env") for number in range(protection.MOST_MOUNTS + 1))


def test_toolchains_are_shown_without_what_lies_beside_them(tmp_path: Path) -> None:
    for folder in (".cargo/bin", ".cargo/registry", ".rustup", ".pyenv/shims", ".local/bin", ".local/share/keyrings"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".cargo" / "credentials.toml").write_text("token")
    found = toolchains.found(tmp_path)
    assert set(found.shown) == {str(tmp_path / name) for name in (".cargo/bin", ".rustup", ".pyenv", ".local/bin")}
    assert found.path == tuple(str(tmp_path / name) for name in (".cargo/bin", ".pyenv/shims", ".local/bin"))
    assert found.variables == {"RUSTUP_HOME": str(tmp_path / ".rustup"), "PYENV_ROOT": str(tmp_path / ".pyenv")}
    assert found.caches == ((".cargo/registry", str(tmp_path / ".cargo/registry")),)
    apart = found.without(str(tmp_path / ".pyenv" / "versions"))
    assert str(tmp_path / ".pyenv") not in apart.shown
    assert "PYENV_ROOT" not in apart.variables
    assert found.without(str(tmp_path)) == toolchains.Toolchains()
    assert toolchains.found(None) == toolchains.found(tmp_path / "nowhere") == toolchains.Toolchains()


@pytest.mark.parametrize(
    ("default", "wanted"), [("18", "v18.20.1"), ("v20.3.0", "v20.3.0"), ("node", "v22.10.0"), (None, "v22.10.0")]
)
def test_the_default_version_of_node_is_the_one_on_the_path(tmp_path: Path, default: str | None, wanted: str) -> None:
    for version in ("v18.2.0", "v18.20.1", "v20.3.0", "v22.9.0", "v22.10.0"):
        (tmp_path / ".nvm/versions/node" / version / "bin").mkdir(parents=True)
    if default:
        (tmp_path / ".nvm/alias").mkdir()
        (tmp_path / ".nvm/alias/default").write_text(f"{default}\n")
    assert toolchains.found(tmp_path).path == (str(tmp_path / ".nvm/versions/node" / wanted / "bin"),)
