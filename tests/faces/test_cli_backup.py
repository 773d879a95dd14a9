"""`mab backup` and `mab restore`, and what an attacker with the file can do: nothing but destroy it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import apsw
import pyrage
import pytest
from pyrage import x25519

from multiagent_bridge.adapters.backups import container, restoring
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.state import try_lock
from multiagent_bridge.errors import Tampered, Unavailable
from multiagent_bridge.services.journal import Journal
from tests.faces.terminal import Terminal

SAID = "the quick brown fox"


def moved_to_a_new_machine(terminal: Terminal) -> None:
    """Only the master key is left."""
    for path in sorted(terminal.home.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        elif path.name != "master.key":
            path.unlink()


def written(terminal: Terminal) -> tuple[str, Path]:
    conversation = terminal.opened()
    terminal.mab("send", conversation, SAID)
    file = terminal.root / "bridge.age"
    entries = len(terminal.mab("audit", "--json").json)
    told = terminal.mab("backup", str(file), "--json").json
    assert told["file"] == str(file)
    assert told["bytes"] == file.stat().st_size
    assert told["entries"] == entries
    return conversation, file


def replaced(terminal: Terminal) -> Path:
    """The database that was there before; its log may lie beside it, under the name by which SQLite finds it."""
    kept = [path for path in terminal.home.glob("bridge.db.replaced-*") if path.name[-4:] not in ("-wal", "-shm")]
    assert len(kept) == 1
    return kept[0]


def test_what_was_said_comes_back_on_another_machine_and_the_journal_goes_on(terminal: Terminal) -> None:
    conversation, file = written(terminal)
    moved_to_a_new_machine(terminal)
    told = terminal.mab("restore", str(file), "--json").json
    assert told["verified"] is True
    assert SAID in terminal.mab("check", conversation, "--session", "b").out
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True
    actions = [entry["action"] for entry in terminal.mab("audit", "--json").json]
    assert "message.send" in actions
    assert actions[actions.index("message.send") + 1] == "store.restore"


def test_a_backup_is_an_entry_with_the_digest_of_its_file(terminal: Terminal) -> None:
    _, file = written(terminal)
    newest = terminal.mab("audit", "--json").json[-1]
    assert newest["action"] == "store.backup"
    assert newest["digest"] == container.summed(file)[1]


def test_the_file_is_private_and_shows_neither_words_nor_keys(terminal: Terminal) -> None:
    _, file = written(terminal)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert SAID.encode() not in content
    assert b"SQLite format" not in content
    assert (terminal.home / "master.key").read_bytes().strip() not in content
    assert sorted(path.name for path in terminal.root.iterdir() if "part" in path.name) == []
    assert [path.name for path in terminal.home.iterdir() if path.name.startswith("backup-")] == []


def test_nothing_is_overwritten(terminal: Terminal) -> None:
    _, file = written(terminal)
    before = file.read_bytes()
    assert terminal.mab("backup", str(file), status=8).code == "conflict"
    assert file.read_bytes() == before
    assert terminal.mab("restore", str(file), status=8).code == "conflict"


def test_the_old_store_is_kept_when_it_is_replaced(terminal: Terminal) -> None:
    conversation, file = written(terminal)
    terminal.mab("send", conversation, "later")
    terminal.mab("restore", str(file), "--overwrite")
    assert "later" not in terminal.mab("check", conversation, "--session", "b").out
    assert b"SQLite format" in replaced(terminal).read_bytes()[:16]


def test_a_backup_of_another_bridge_is_refused(terminal: Terminal) -> None:
    _, file = written(terminal)
    moved_to_a_new_machine(terminal)
    (terminal.home / "master.key").write_text("ab" * 32 + "\n")
    assert terminal.mab("restore", str(file), status=3).code == "refused"
    assert not (terminal.home / "bridge.db").exists()


def test_without_any_master_key_none_is_made_up(terminal: Terminal) -> None:
    _, file = written(terminal)
    moved_to_a_new_machine(terminal)
    (terminal.home / "master.key").unlink()
    assert terminal.mab("restore", str(file), status=7).code == "not_found"
    assert not (terminal.home / "master.key").exists()


def test_a_recipient_opens_it_with_its_own_identity(terminal: Terminal) -> None:
    terminal.opened()
    own = x25519.Identity.generate()
    key, file = terminal.root / "key.txt", terminal.root / "b.age"
    key.write_text(f"# a comment\n{own}\n")
    terminal.mab("backup", str(file), "--to", str(own.to_public()))
    assert terminal.mab("restore", str(file), "--overwrite", "--identity", str(key), "--json").json["verified"] is True
    key.write_text(f"{x25519.Identity.generate()}\n")
    assert terminal.mab("restore", str(file), "--overwrite", "--identity", str(key), status=3).code == "refused"
    assert terminal.mab("backup", str(terminal.root / "c.age"), "--to", "age1wrong", status=2).code == "invalid"


def test_a_recipient_without_the_master_key_is_told_that_it_lacks(terminal: Terminal) -> None:
    terminal.opened()
    own = x25519.Identity.generate()
    key, file = terminal.root / "key.txt", terminal.root / "b.age"
    key.write_text(f"{own}\n")
    terminal.mab("backup", str(file), "--to", str(own.to_public()))
    moved_to_a_new_machine(terminal)
    (terminal.home / "master.key").write_text("ab" * 32 + "\n")
    for words in ((), ("--identity", str(key))):
        refused = terminal.mab("restore", str(file), *words, status=3)
        assert refused.code == "refused"
        assert "--identity" not in refused.err
        assert "master.key" in refused.err


def test_every_byte_that_is_changed_or_missing_is_seen_before_anything_is_touched(terminal: Terminal) -> None:
    conversation, file = written(terminal)
    whole, length = file.read_bytes(), file.stat().st_size
    head = whole.index(b"\n")
    for place in (3, head // 2, head + 5, head + 300, length // 2, length - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert terminal.mab("restore", str(file), "--overwrite", status=None).status in (2, 3, 10), place
    for end in (0, 1, head, head + 1, head + 400, length // 2, length - 1):
        file.write_bytes(whole[:end])
        assert terminal.mab("restore", str(file), "--overwrite", status=None).status in (2, 3, 10), end
    assert SAID in terminal.mab("check", conversation, "--session", "b").out


@pytest.mark.parametrize(
    "content", [b"{}\n", b"not json\n", b"\xff\n", b'{"mab-backup": 2, "identity": ""}\n', b"[" * 5000]
)
def test_what_is_no_backup_is_invalid(terminal: Terminal, content: bytes) -> None:
    terminal.opened()
    file = terminal.root / "x.age"
    file.write_bytes(content)
    assert terminal.mab("restore", str(file), "--overwrite", status=2).code == "invalid"


def test_a_manifest_that_does_not_fit_its_database_is_tampered(tmp_path: Path) -> None:
    keys, database = MasterKeys(bytes(32)), tmp_path / "db"
    database.write_bytes(b"x" * 100)
    manifest = container.Manifest(1, 1, "0", "s", 0, "0" * 64, 99, "0" * 64)
    with (tmp_path / "b").open("wb") as out:
        container.write(out, database, manifest, keys, ())
    with (tmp_path / "b").open("rb") as closed, (tmp_path / "c").open("wb") as plain, pytest.raises(Tampered):
        container.read(closed, plain, keys)


def test_a_recipient_who_may_read_a_backup_cannot_write_another(terminal: Terminal) -> None:
    """It knows the stream's key and every public thing; what it puts under the same first line is refused."""
    terminal.opened()
    own, file = x25519.Identity.generate(), terminal.root / "b.age"
    terminal.mab("backup", str(file), "--to", str(own.to_public()))
    key = terminal.root / "key.txt"
    key.write_text(f"{own}\n")
    first, stream = file.read_bytes().split(b"\n", 1)
    line, database = pyrage.decrypt(stream, [own]).split(b"\n", 1)
    planted = database.replace(b"backend", b"BACKEND")
    forged = {"format": 1, "size": len(planted), "digest": hashlib.sha256(planted).hexdigest()}
    for said in (line, json.dumps(forged).encode(), base64.b64encode(json.dumps(forged).encode()), b"", b"\xff"):
        file.write_bytes(first + b"\n" + pyrage.encrypt(said + b"\n" + planted, [own.to_public()]))
        done = terminal.mab("restore", str(file), "--overwrite", "--identity", str(key), status=10)
        assert done.code == "tampered"


def test_a_hub_killed_with_a_log_loses_nothing_of_it_when_its_store_is_replaced(terminal: Terminal) -> None:
    conversation, file = written(terminal)
    # a reader keeps the log from being folded when the last writer leaves
    reader = apsw.Connection(str(terminal.home / "bridge.db"), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN; SELECT count(*) FROM messages").fetchall()
    terminal.mab("send", conversation, "said after the backup")
    reader.execute("COMMIT")
    terminal.mab("restore", str(file), "--overwrite")
    reader.close()
    kept = replaced(terminal)
    old = apsw.Connection(str(kept), flags=apsw.SQLITE_OPEN_READWRITE)
    assert old.execute("SELECT count(*) FROM messages").fetchall() == [(2,)]
    old.close()


def test_a_store_that_is_read_while_it_is_replaced_is_kept_with_its_log(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, file = written(terminal)
    monkeypatch.setattr(restoring, "BUSY_MS", 1)
    # who reads on keeps the log from being folded
    reader = apsw.Connection(str(terminal.home / "bridge.db"), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN; SELECT count(*) FROM messages").fetchall()
    terminal.mab("send", conversation, "said after the backup")
    terminal.mab("restore", str(file), "--overwrite")
    reader.close()
    kept = replaced(terminal)
    old = apsw.Connection(str(kept), flags=apsw.SQLITE_OPEN_READWRITE)
    assert old.execute("SELECT count(*) FROM messages").fetchall() == [(2,)]
    old.close()


def test_a_full_disk_leaves_no_half_store(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation, file = written(terminal)

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = {path.name for path in terminal.home.iterdir()}
    monkeypatch.setattr(shutil, "copyfile", full)
    assert terminal.mab("restore", str(file), "--overwrite", status=9).code == "unavailable"
    assert {path.name for path in terminal.home.iterdir()} - before <= {"backup.lock", "hub.lock"}
    assert SAID in terminal.mab("check", conversation, "--session", "b").out


@pytest.mark.parametrize(("why", "status"), [(Tampered("a checkpoint is wrong"), 10), (KeyboardInterrupt(), None)])
def test_a_store_that_was_put_in_place_says_so_also_when_it_does_not_verify_to_the_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, why: BaseException, status: int | None
) -> None:
    _, file = written(terminal)

    async def ended(*_: object) -> None:
        raise why

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "verify", ended)
        terminal.mab("restore", str(file), "--overwrite", status=status)
    assert "store.restore" in [entry["action"] for entry in terminal.mab("audit", "--json").json]


def test_no_hub_starts_while_a_store_is_put_in_place(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's client starts one by itself: what it would acknowledge meanwhile would go with the old store."""
    _, file = written(terminal)
    plain, started = restoring.put_in_place, []

    async def placed(*given: Any) -> None:
        started.append(try_lock(terminal.home / "hub.lock"))
        await plain(*given)

    monkeypatch.setattr(restoring, "put_in_place", placed)
    terminal.mab("restore", str(file), "--overwrite")
    assert started == [None]
    after = try_lock(terminal.home / "hub.lock")
    assert after is not None
    terminal.mab("restore", str(file), "--overwrite", status=8)
    os.close(after)


def test_a_full_disk_leaves_no_half_backup(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.opened()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container, "write", full)
    file = terminal.root / "b.age"
    assert terminal.mab("backup", str(file), status=9).code == "unavailable"
    assert [path.name for path in terminal.root.iterdir() if "age" in path.name] == []
    assert Unavailable.code == "unavailable"


def test_a_link_planted_at_the_draft_is_not_followed(terminal: Terminal) -> None:
    terminal.opened()
    victim = terminal.root / "victim"
    victim.write_text("mine")
    mark = f".{hashlib.sha256(os.fsencode(terminal.home.absolute())).hexdigest()[:8]}.part"
    os.symlink(victim, terminal.root / f".b.age{mark}")
    terminal.mab("backup", str(terminal.root / "b.age"))
    assert victim.read_text() == "mine"
