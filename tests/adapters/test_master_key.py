from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiagent_bridge.adapters.state import master_key
from multiagent_bridge.errors import Unavailable

KEY = "ab" * 32


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    return home


def test_a_key_file_is_made_once_and_is_private(home: Path) -> None:
    first = master_key(home, None)
    assert master_key(home, None) == first
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600


def test_a_key_may_be_given_or_lie_in_another_file(home: Path, tmp_path: Path) -> None:
    assert master_key(home, KEY) == bytes.fromhex(KEY)
    other = tmp_path / "elsewhere.key"
    other.touch(mode=0o600)
    other.write_text(KEY + "\n")
    assert master_key(home, f"file:{other}") == bytes.fromhex(KEY)
    assert not (home / "master.key").exists()


@pytest.mark.parametrize("content", ["", "ab", "zz" * 32, "not a key", "é"])
def test_a_key_that_is_none_is_refused(home: Path, content: str) -> None:
    (home / "master.key").touch(mode=0o600)
    (home / "master.key").write_text(content, encoding="utf-8")
    with pytest.raises(Unavailable, match="hex characters"):
        master_key(home, None)


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    master_key(home, None)
    (home / "master.key").chmod(0o644)
    with pytest.raises(Unavailable, match="open to other users"):
        master_key(home, None)


def test_no_new_key_is_made_where_a_database_needs_the_old_one(home: Path) -> None:
    (home / "bridge.db").write_bytes(b"something")
    for given in (None, f"file:{home / 'gone.key'}", "keyring"):
        with pytest.raises(Unavailable):
            master_key(home, given)
    assert not (home / "master.key").exists()


def test_a_link_in_the_keys_place_is_not_followed(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(mode=0o600)
    target.write_text(KEY)
    (home / "master.key").symlink_to(target)
    with pytest.raises(Unavailable, match="link"):
        master_key(home, None)


@pytest.fixture
def plain_keyring() -> Iterator[dict[tuple[str, str], str]]:
    """A backend of the real keyring package that keeps its secrets in a dictionary."""
    import keyring
    from keyring.backend import KeyringBackend

    kept: dict[tuple[str, str], str] = {}

    class Kept(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    yield kept
    keyring.set_keyring(before)


def test_the_keyring_keeps_a_key_for_each_state_directory(
    home: Path, plain_keyring: dict[tuple[str, str], str]
) -> None:
    first = master_key(home, "keyring")
    assert master_key(home, "keyring") == first
    assert plain_keyring == {("mcp-multiagent-bridge", str(home)): first.hex()}
    assert not (home / "master.key").exists()


def test_a_machine_without_a_keyring_is_told_what_to_do(home: Path) -> None:
    import keyring
    from keyring.backends import fail

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        with pytest.raises(Unavailable, match="keyring cannot be used"):
            master_key(home, "keyring")
    finally:
        keyring.set_keyring(before)
