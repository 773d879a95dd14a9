"""`mab master-key` as a person and a program meet it, and what else they do in the middle of a rotation."""

from __future__ import annotations

import secrets
import sys

import apsw

from tests.faces.terminal import Terminal

SAID = "the quick brown fox"


def states(terminal: Terminal, **env: str) -> list[str]:
    return [row["state"] for row in terminal.mab("master-key", "status", "--json", **env).json["master_keys"]]


def begun(terminal: Terminal) -> str:
    conversation = terminal.opened()
    terminal.mab("send", conversation, SAID)
    return conversation


def ring(terminal: Terminal) -> list[str]:
    return (terminal.home / "master.key").read_text().split()


def test_a_rotation_is_two_commands_and_no_key_is_ever_shown(terminal: Terminal) -> None:
    conversation = begun(terminal)
    (old,) = ring(terminal)
    assert states(terminal) == ["current"]
    rotated = terminal.mab("master-key", "rotate", "--json")
    assert rotated.json["data_keys"] == 1
    new, kept = ring(terminal)
    assert kept == old
    assert states(terminal) == ["current", "accepted"]
    again = terminal.mab("master-key", "rotate", status=8)
    assert "mab master-key retire" in again.err
    retired = terminal.mab("master-key", "retire", "--json")
    assert retired.json["retired"] == retired.json["removed"]
    assert ring(terminal) == [new]
    assert states(terminal) == ["current", "retired"]
    assert terminal.mab("master-key", "retire", status=8).code == "conflict"
    assert SAID in terminal.mab("check", conversation, "--session", "b").out
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True
    said = [rotated, again, retired, terminal.mab("master-key", "status"), terminal.mab("audit", "--json")]
    assert not any(key in done.out + done.err for key in (old, new) for done in said)


def test_a_staged_key_waits_until_it_is_rotated_to(terminal: Terminal) -> None:
    begun(terminal)
    staged = terminal.mab("master-key", "stage").out.strip()
    assert states(terminal) == ["waiting", "current"]
    assert terminal.mab("master-key", "rotate", "--json").json["master_key"] == staged
    assert len(ring(terminal)) == 2


def test_a_rotation_does_not_begin_over_a_data_key_that_nobody_can_open(terminal: Terminal) -> None:
    begun(terminal)
    database = apsw.Connection(str(terminal.home / "bridge.db"))
    database.execute("UPDATE conversations SET sealed_key = CAST(x'676f6e65' || substr(sealed_key, 5) AS BLOB)")
    database.close()
    before = ring(terminal)
    refused = terminal.mab("master-key", "rotate", status=8)
    assert "mab cleanup" in refused.err
    assert ring(terminal) == before
    assert states(terminal) == ["current"]


def test_a_key_in_the_environment_is_rotated_by_whoever_keeps_it(terminal: Terminal) -> None:
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    conversation = terminal.mab("create", "backend", "frontend", "--json", MAB_MASTER_KEY=old).json["conversation_id"]
    terminal.mab("send", conversation, SAID, MAB_MASTER_KEY=old)
    refused = terminal.mab("master-key", "rotate", status=2, MAB_MASTER_KEY=old)
    assert "MAB_MASTER_KEY" in refused.err
    both = f"{new},{old}"
    terminal.mab("master-key", "rotate", MAB_MASTER_KEY=both)
    assert terminal.mab("status", status=None, MAB_MASTER_KEY=old).status == 9
    terminal.mab("master-key", "retire", MAB_MASTER_KEY=both)
    assert SAID in terminal.mab("check", conversation, "--session", "b", MAB_MASTER_KEY=new).out
    assert not (terminal.home / "master.key").exists()


def test_a_key_from_a_command_is_rotated_by_whoever_keeps_it(terminal: Terminal) -> None:
    kept = terminal.root / "kept"
    kept.write_text(secrets.token_hex(32))
    source = f"command:{sys.executable} -c \"print(open('{kept}').read())\""
    conversation = terminal.mab("create", "backend", "frontend", "--json", MAB_MASTER_KEY=source).json[
        "conversation_id"
    ]
    terminal.mab("send", conversation, SAID, MAB_MASTER_KEY=source)
    kept.write_text(f"{secrets.token_hex(32)}\n{kept.read_text()}")
    terminal.mab("master-key", "rotate", MAB_MASTER_KEY=source)
    terminal.mab("master-key", "retire", MAB_MASTER_KEY=source)
    kept.write_text(kept.read_text().split()[0])
    assert SAID in terminal.mab("check", conversation, "--session", "b", MAB_MASTER_KEY=source).out


def test_a_backup_of_before_is_restored_with_the_old_key_back_in_the_ring_and_rotated_again(terminal: Terminal) -> None:
    conversation = begun(terminal)
    (old,) = ring(terminal)
    file = terminal.root / "before.age"
    terminal.mab("backup", str(file))
    terminal.mab("master-key", "rotate")
    terminal.mab("master-key", "retire")
    (new,) = ring(terminal)
    refused = terminal.mab("restore", str(file), "--overwrite", status=3)
    assert refused.code == "refused"
    (terminal.home / "master.key").write_text(f"{new}\n{old}\n")
    terminal.mab("restore", str(file), "--overwrite")
    assert states(terminal) == ["waiting", "current"]
    assert SAID in terminal.mab("check", conversation, "--session", "b").out
    terminal.mab("master-key", "rotate")
    terminal.mab("master-key", "retire")
    assert ring(terminal) == [new]
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True


def test_a_backup_and_a_migration_in_the_middle_of_a_rotation_are_whole(terminal: Terminal) -> None:
    conversation = begun(terminal)
    terminal.mab("master-key", "rotate")
    file = terminal.root / "during.age"
    terminal.mab("backup", str(file))
    moved = f"sqlite:///{terminal.root / 'moved.db'}"
    terminal.mab("migrate", f"sqlite:///{terminal.home / 'bridge.db'}", moved)
    assert SAID in terminal.mab("check", conversation, "--session", "b", MAB_STORE=moved).out
    assert states(terminal, MAB_STORE=moved) == ["current", "accepted"]
    terminal.mab("restore", str(file), "--overwrite")
    assert states(terminal) == ["current", "accepted"]
    terminal.mab("master-key", "retire")
    # the old key is gone from the ring, and the copy that was moved away never needed it again
    assert SAID in terminal.mab("check", conversation, "--session", "b", "--history", MAB_STORE=moved).out
    assert terminal.mab("audit", "--verify", "--json", MAB_STORE=moved).json["verified"] is True


def test_a_backup_of_after_a_rotation_is_restored_without_the_old_key(terminal: Terminal) -> None:
    begun(terminal)
    terminal.mab("master-key", "rotate")
    terminal.mab("master-key", "retire")
    file = terminal.root / "after.age"
    terminal.mab("backup", str(file))
    terminal.mab("restore", str(file), "--overwrite")
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True


def test_older_data_keys_are_replaced_by_one_command(terminal: Terminal) -> None:
    conversation = begun(terminal)
    refused = terminal.mab("master-key", "reseal", status=8)
    assert "mab master-key rotate" in refused.err
    rotated = terminal.mab("master-key", "rotate")
    assert "mab master-key reseal" in rotated.err
    assert "mab master-key reseal" in terminal.mab("master-key", "status").err
    before = terminal.mab("master-key", "status", "--json").json
    assert (before["conversations_left"], before["messages_left"], before["reseal"]) == (1, 1, None)
    begun_only = terminal.mab("master-key", "reseal", "--leave", "--json").json
    assert begun_only == {"state": "under_way", "texts": 0, "data_keys": 0}
    assert "so far" in terminal.mab("master-key", "status").err
    done = terminal.mab("master-key", "reseal", "--json").json
    assert done == {"state": "finished", "texts": 1, "data_keys": 1}
    after = terminal.mab("master-key", "status", "--json").json
    assert (after["conversations_left"], after["messages_left"]) == (0, 0)
    assert {name: after["reseal"][name] for name in done} == done
    assert "1 data keys destroyed" in terminal.mab("master-key", "status").err
    assert terminal.mab("master-key", "reseal", status=8).code == "conflict"
    terminal.mab("master-key", "retire")
    assert SAID in terminal.mab("check", conversation, "--session", "b").out
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True


def test_a_backup_of_before_the_replacement_is_restored_under_its_ring_and_says_what_it_brought_back(
    terminal: Terminal,
) -> None:
    conversation = begun(terminal)
    terminal.mab("master-key", "rotate")
    file = terminal.root / "between.age"
    terminal.mab("backup", str(file))
    terminal.mab("master-key", "reseal")
    terminal.mab("master-key", "retire")
    restored = terminal.mab("restore", str(file), "--overwrite")
    assert "mab master-key reseal" in restored.err
    found = terminal.mab("master-key", "status", "--json").json
    assert (found["conversations_left"], found["reseal"]) == (1, None)
    assert "mab master-key reseal" in terminal.mab("master-key", "status").err
    assert SAID in terminal.mab("check", conversation, "--session", "b").out
    assert terminal.mab("master-key", "reseal", "--json").json["data_keys"] == 1
    terminal.mab("master-key", "retire")
    assert SAID in terminal.mab("check", conversation, "--session", "b", "--history").out
    assert terminal.mab("audit", "--verify", "--json").json["verified"] is True


def test_a_store_that_moves_in_the_midst_of_a_replacement_goes_on_with_it(terminal: Terminal) -> None:
    conversation = begun(terminal)
    terminal.mab("master-key", "rotate")
    terminal.mab("master-key", "reseal", "--leave")
    moved = f"sqlite:///{terminal.root / 'moved.db'}"
    terminal.mab("migrate", f"sqlite:///{terminal.home / 'bridge.db'}", moved)
    done = terminal.mab("master-key", "reseal", "--json", MAB_STORE=moved).json
    assert done == {"state": "finished", "texts": 1, "data_keys": 1}
    assert SAID in terminal.mab("check", conversation, "--session", "b", MAB_STORE=moved).out
    assert terminal.mab("audit", "--verify", "--json", MAB_STORE=moved).json["verified"] is True
