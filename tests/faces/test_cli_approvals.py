"""`mab yolo list`, `approve`, `deny`, `rollback`, `cleanup`: a person reads the whole, and decides exactly that."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from multiagent_bridge.model.sandboxes import Profile
from tests.faces.desk import CODE, Desk, code
from tests.faces.terminal import Terminal, ended
from tests.services.guarded import WORKSPACE

FIELDS = {
    "command_id", "state", "conversation_id", "session_id", "role", "command", "argv", "mode", "workspace", "sandbox",
    "lacks", "network", "writable", "seconds", "rule", "advice", "programs", "scripts", "digest", "requested_at",
    "seconds_left",
}  # fmt: skip


@pytest.fixture
def desk(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(terminal, monkeypatch)
    made.enables()
    return made


def state(desk: Desk, number: str) -> str:
    return desk.executes(command_id=number).state


def test_an_empty_list_is_an_empty_array_and_says_so_on_stderr(desk: Desk) -> None:
    assert desk.terminal.mab("yolo", "list", "--json").json == []
    done = desk.terminal.mab("yolo", "list")
    assert (done.out, done.err) == ("", "nothing waits for you\n")


def test_the_list_says_that_a_wish_waits_elsewhere(desk: Desk) -> None:
    desk.acts(lambda hub, me, given: hub.yolo.ask(me, given, "yolo"), "b")
    assert "mab yolo status" in desk.terminal.mab("yolo", "list").err
    assert desk.terminal.mab("yolo", "list", "--json").json == []


def test_the_list_shows_each_request_whole(desk: Desk) -> None:
    number = desk.asks(f"grep {'x' * 900} notes.md")
    [row] = desk.terminal.mab("yolo", "list", "--json").json
    assert set(row) == FIELDS
    assert (row["command_id"], row["argv"]) == (number, ["grep", "x" * 900, "notes.md"])
    assert 3500 < row["seconds_left"] <= 3600
    text = desk.terminal.mab("yolo", "list", desk.conversation).out
    assert f'["grep", "{"x" * 900}", "notes.md"]\n' in text
    for word in (number, "session a (backend)", desk.conversation, WORKSPACE, "staged", row["digest"], row["rule"]):
        assert word in text


def test_all_shows_what_was_decided_too_newest_first(desk: Desk) -> None:
    first, second = desk.asks("git status"), desk.asks("git diff")
    desk.terminal.mab("yolo", "deny", first)
    rows = desk.terminal.mab("yolo", "list", "--all", "--json").json
    assert [(row["command_id"], row["state"]) for row in rows] == [(second, "pending"), (first, "denied")]
    assert [row["command_id"] for row in desk.terminal.mab("yolo", "list", "--json").json] == [second]


def test_a_watched_list_is_printed_again_when_something_is_asked(desk: Desk) -> None:
    watching = desk.terminal.started("yolo", "list", "--watch", "--json")
    assert watching.stdout is not None
    try:
        assert json.loads(watching.stdout.readline()) == []
        number = desk.asks()
        assert [row["command_id"] for row in json.loads(watching.stdout.readline())] == [number]
        desk.terminal.mab("yolo", "deny", number)
        assert json.loads(watching.stdout.readline()) == []
    finally:
        watching.send_signal(signal.SIGINT)
        done = ended(watching)
    assert done.status == 130


def test_one_command_is_shown_whole_and_approved_by_its_code(desk: Desk) -> None:
    desk.sandbox.seen = Profile("staged", "f" * 64, ("restricted",), ("it does not hide processes",))
    number = desk.asks("git log --oneline | head -n 3")
    done = desk.approves(number)
    shown = done.out[: CODE.search(done.out).start()]  # type: ignore[union-attr]
    for word in (
        number, '["git", "log", "--oneline"]', '| ["head", "-n", "3"]', WORKSPACE, "session a (backend)", "staged",
        "LACKS", "it does not hide processes", "network   no", "rule", "digest", "s left", "/usr/bin/git",
    ):  # fmt: skip
        assert word in shown, word
    assert re.search(rf"approved  {number}  until \S+Z\n", done.out)
    assert desk.runs(number).state == "done"


def test_the_approval_token_is_shown_only_when_asked_for_and_works_once(desk: Desk) -> None:
    quiet = desk.approves(desk.asks("git diff"))
    number = desk.asks()
    loud = desk.approves(number, "--token")
    hexadecimal = re.compile(r"^token     ([0-9a-f]{64})$", re.M)
    assert not hexadecimal.search(quiet.out)
    [token] = hexadecimal.findall(loud.out)
    assert desk.executes(command_id=number, dry_run=False, approval_token=token).state == "done"
    assert desk.executes(command_id=number, dry_run=False, approval_token=token).state == "done"
    assert len(desk.sandbox.runs) == 1


def test_several_ids_are_one_batch_with_one_code(desk: Desk) -> None:
    numbers = [desk.asks(f"git log -n {n}") for n in range(1, 4)]
    done = desk.approves(*numbers)
    assert len(set(CODE.findall(done.out))) == 1
    assert all(f'"-n", "{n}"]' in done.out for n in range(1, 4))
    assert {state(desk, number) for number in numbers} == {"approved"}


@pytest.mark.parametrize("typed", ["", "aaaaaa", "I UNDERSTAND THE RISKS", "y"])
def test_another_code_approves_nothing(desk: Desk, typed: str) -> None:
    number = desk.asks()
    done = desk.types("yolo", "approve", number, answers=(typed,))
    assert (done.status, done.code) == (6, "not_approved")
    assert state(desk, number) == "pending"


def test_the_code_of_one_command_approves_no_other_nor_a_batch_with_it(desk: Desk) -> None:
    one, two = desk.asks("git status"), desk.asks("git diff")
    shown: list[str] = []
    desk.types("yolo", "approve", one, answers=(lambda seen: shown.append(code(seen)) or "aaaaaa",))
    for ids in ((two,), (one, two)):
        assert desk.types("yolo", "approve", *ids, answers=(shown[0],)).code == "not_approved"
    assert {state(desk, one), state(desk, two)} == {"pending"}


def test_a_code_is_of_no_use_again(desk: Desk) -> None:
    number = desk.asks()
    shown = code(desk.approves(number).out)
    done = desk.types("yolo", "approve", number, answers=(shown,))
    assert (done.status, done.code) == (8, "conflict")
    assert not CODE.search(done.out)


def test_what_was_typed_before_the_code_was_shown_does_not_count(desk: Desk) -> None:
    number = desk.asks()
    done = desk.types("yolo", "approve", number, ahead=b"y\naaaaaa\n\n")
    assert (done.status, done.code) == (3, "refused")
    assert state(desk, number) == "pending"


@pytest.mark.parametrize("away", ["stdin", "stdout"])
def test_approving_wants_a_terminal_at_both_ends(desk: Desk, away: str) -> None:
    number = desk.asks()
    assert desk.types("yolo", "approve", number, answers=(code,), away=away).status == 3
    assert desk.terminal.mab("yolo", "approve", number, status=3, given=b"aaaaaa\n").code == "refused"
    assert state(desk, number) == "pending"


@pytest.mark.parametrize("option", ["--code", "--yes", "--force", "--json"])
def test_no_option_answers_for_a_person(desk: Desk, option: str) -> None:
    done = desk.terminal.mab("yolo", "approve", desk.asks(), option, status=2)
    assert f"no such option: {option}" in done.err.lower()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("cmd_000000000000",), "not_found"),
        (("yolo_000000000000",), "not_found"),
        (("\x1b[2J",), "not_found"),
        (tuple(f"cmd_{n:012d}" for n in range(21)), "invalid"),
        (("cmd_000000000000", "--minutes", "5"), "invalid"),
        (("cmd_000000000000", "--runs", "5"), "invalid"),
        (("cmd_000000000000", "cmd_000000000001", "--words", "1"), "invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_ids_and_options_that_make_no_sense_are_refused(desk: Desk, words: tuple[str, ...], code: str) -> None:
    assert desk.types("yolo", "approve", *words).code == code


@pytest.mark.parametrize("more", [("--words", "0"), ("--words", "9"), ("--minutes", "0"), ("--runs", "0")])
def test_a_scope_that_makes_no_sense_is_refused_before_a_code_is_shown(desk: Desk, more: tuple[str, ...]) -> None:
    words = more if "--words" in more else ("--words", "1", *more)
    done = desk.types("yolo", "approve", desk.asks(), *words)
    assert (done.status, done.code) == (2, "invalid")
    assert not CODE.search(done.out)


def test_a_scope_says_what_it_means_and_runs_without_asking_within_it(desk: Desk) -> None:
    number = desk.asks("git log -n 1")
    done = desk.approves(number, "--words", "2", "--minutes", "30", "--runs", "1")
    sentence = f"`git log` with any arguments in {WORKSPACE}, without network, for 30 minutes, at most 1 runs"
    assert sentence in done.out[: CODE.search(done.out).start()]  # type: ignore[union-attr]
    assert desk.executes("git log -n 2", dry_run=False).state == "done"
    assert desk.executes("git log -n 3", dry_run=False).state == "pending"
    assert desk.executes("git diff", dry_run=False).state == "pending"


def test_what_expired_or_was_disabled_meanwhile_is_not_approved(desk: Desk) -> None:
    number, other = desk.asks("git status"), desk.asks("git diff")

    def disabled(seen: str) -> str:
        desk.terminal.later(3601)
        return code(seen)

    done = desk.types("yolo", "approve", number, answers=(disabled,))
    assert (done.status, done.code) == (8, "conflict")
    assert desk.types("yolo", "approve", other).code == "conflict"


def test_what_hides_in_a_command_is_shown_and_nothing_of_it_is_obeyed(desk: Desk) -> None:
    number = desk.asks("grep 日本語 notes.md")
    out = desk.approves(number).out
    assert '["grep", "\\u65e5\\u672c\\u8a9e", "notes.md"]' in out
    assert "日" not in out


@pytest.mark.parametrize("columns", [80, 41, 20, 0])
def test_no_row_of_a_long_command_begins_like_a_line_of_ours(desk: Desk, columns: int) -> None:
    lead = len('  ["grep", "')
    lie = "  network   no  " + "x" * (columns or 80)
    number = desk.asks(f"grep '{'x' * ((columns or 80) - lead)}{lie}' notes.md")
    desk.columns = columns
    done = desk.types("yolo", "approve", number, answers=("aaaaaa",))
    rows = done.out.splitlines()
    assert [row for row in rows if row.startswith("  network")] == ["  network   no"]
    first = next(at for at, row in enumerate(rows) if row.startswith('  ["grep"'))
    whole = rows[first]
    for row in rows[first + 1 :]:
        if not row.startswith("  : "):
            break
        whole += row.removeprefix("  : ")
    assert lie in whole
    last = next(at for at, row in enumerate(rows) if row.startswith("Type the code"))
    assert max(map(len, rows[:last])) <= (columns or 80)


def test_deny_tells_the_agent_the_reason(desk: Desk) -> None:
    number = desk.asks()
    done = desk.terminal.mab("yolo", "deny", number, "--reason", "use the parser's tests")
    assert done.err == "denied: 1\n"
    told = desk.executes(command_id=number)
    assert told.state == "denied"
    assert "use the parser's tests" in told.reason
    assert desk.terminal.mab("yolo", "deny", number, status=8).code == "conflict"


def test_deny_says_no_to_a_wish_as_well(desk: Desk) -> None:
    asked = desk.acts(lambda hub, me, given: hub.yolo.ask(me, given, "yolo"), "b")
    number = desk.asks()
    assert desk.terminal.mab("yolo", "deny", asked.request_id, number, "--reason", "no").err == "denied: 2\n"
    [row] = desk.terminal.mab("yolo", "status", "--json").json["conversations"]
    assert row["wishes"] == []


@pytest.mark.parametrize("number", ["cmd_000000000000", "yolo_000000000000", "nonsense"])
def test_an_unknown_id_is_not_found(desk: Desk, number: str) -> None:
    assert desk.terminal.mab("yolo", "deny", number, status=7).code == "not_found"


def test_a_reason_longer_than_its_limit_is_invalid(desk: Desk) -> None:
    assert desk.terminal.mab("yolo", "deny", desk.asks(), "--reason", "x" * 501, status=2).code == "invalid"


def test_an_unknown_conversation_is_not_found(desk: Desk) -> None:
    assert desk.terminal.mab("yolo", "list", "conv_nowhere", status=7).code == "not_found"


@pytest.fixture
def changed(desk: Desk) -> str:
    """A run that changed the workspace; the snapshot from before it."""
    desk.workspaces.plant(WORKSPACE, "kept.py", b"1")
    desk.workspaces.plant(WORKSPACE, "lost.py", b"2")
    number = desk.asks("git commit -m x")
    desk.approves(number)
    snapshot = desk.runs(number).fields()["snapshot"]
    desk.workspaces.plant(WORKSPACE, "kept.py", b"3")
    desk.workspaces.plant(WORKSPACE, "new\x1b[2J.py", b"4")
    desk.workspaces.drop(WORKSPACE, "lost.py")
    return str(snapshot)


def test_rollback_shows_the_difference_asks_and_restores(desk: Desk, changed: str) -> None:
    done = desk.types("yolo", "rollback", changed, answers=("y",))
    assert done.status == 0
    assert {"+ lost.py", "~ kept.py", "- new\\x1b[2J.py"} <= set(re.sub("\x1b\\[[0-9]*m", "", done.out).splitlines())
    assert re.search(r"rolled back; what was there before is snapshot \S+", done.out)
    assert {name: content for name, (_, content) in desk.workspaces.tree(WORKSPACE).items()} == {
        "kept.py": b"1",
        "lost.py": b"2",
    }


def test_rollback_keeps_what_was_there_before_as_a_snapshot(desk: Desk, changed: str) -> None:
    told = desk.terminal.mab("yolo", "rollback", changed, "--yes", "--json").json
    assert set(told) == {"snapshot", "changes", "before"}
    assert {(change["path"], change["how"]) for change in told["changes"]} == {
        ("lost.py", "added"), ("kept.py", "changed"), ("new\x1b[2J.py", "removed"),
    }  # fmt: skip
    desk.terminal.mab("yolo", "rollback", told["before"], "--yes")
    assert desk.workspaces.tree(WORKSPACE)["kept.py"][1] == b"3"
    rows = desk.terminal.mab("yolo", "rollback", "--json").json
    assert {changed, told["before"]} <= {row["snapshot"] for row in rows}
    assert changed in desk.terminal.mab("yolo", "rollback").out


@pytest.mark.parametrize("typed", ["n", "", "nonsense"])
def test_rollback_changes_nothing_without_a_yes(desk: Desk, changed: str, typed: str) -> None:
    assert desk.types("yolo", "rollback", changed, answers=(typed,)).status != 0
    assert desk.terminal.mab("yolo", "rollback", changed, status=3).code == "refused"
    assert "~ kept.py" in desk.terminal.mab("yolo", "rollback", changed, "--print").out
    assert desk.workspaces.tree(WORKSPACE)["kept.py"][1] == b"3"


def test_rollback_to_what_is_there_says_so(desk: Desk, changed: str) -> None:
    desk.terminal.mab("yolo", "rollback", changed, "--yes")
    assert "as it was" in desk.terminal.mab("yolo", "rollback", changed).err


def test_rollback_of_an_unknown_snapshot_is_not_found(desk: Desk) -> None:
    assert desk.terminal.mab("yolo", "rollback", "snap_nowhere", "--yes", status=7).code == "not_found"


def test_cleanup_forgets_only_old_snapshots_and_wants_a_yes(desk: Desk, changed: str) -> None:
    assert desk.terminal.mab("yolo", "cleanup", status=3).code == "refused"
    assert desk.terminal.mab("yolo", "cleanup", "--yes", "--json").json == {"removed": 0}
    assert desk.terminal.mab("yolo", "cleanup", "--older-than", "-1", "--yes", status=2).code == "invalid"
    desk.terminal.later(31 * 86_400)
    assert desk.types("yolo", "cleanup", answers=("n",)).status != 0
    assert desk.terminal.mab("yolo", "cleanup", "--yes").err == "snapshots removed: 1\n"
    assert desk.terminal.mab("yolo", "rollback", "--json").json == []


def test_the_environment_decides_nothing(desk: Desk) -> None:
    number = desk.asks()
    env = dict.fromkeys(("MAB_CODE", "YOLO_CODE", "MAB_YOLO_CODE", "MAB_YES"), "aaaaaa")
    assert desk.terminal.mab("yolo", "approve", number, status=3, **env).code == "refused"
    assert state(desk, number) == "pending"
    assert "YOLO_MODE" not in os.environ
