"""`mab yolo enable`, `disable`, `status`: the phrase, the code, and what a person is shown before both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.model.yolo import PHRASE
from tests.faces.desk import CODE, Desk, code
from tests.faces.terminal import Terminal

WORKSPACE = ("--workspace", "/work/shop")


@pytest.fixture
def desk(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(terminal, monkeypatch)


def enable(desk: Desk, *more: str) -> tuple[str, ...]:
    return ("yolo", "enable", desk.conversation, "--mode", "restricted", *WORKSPACE, *more)


def enabled(desk: Desk) -> str | None:
    """The mode that is enabled now."""
    [row] = desk.terminal.mab("yolo", "status", desk.conversation, "--json").json["conversations"]
    return str(row["mode"]) if row["mode"] else None


def refused(desk: Desk, action: str) -> list[str]:
    """The codes of that act's refusals in the journal."""
    entries = desk.terminal.mab("audit", "-", "100", "--json").json
    return [e["code"] for e in entries if e["action"] == action and e["outcome"] == "refused"]


def test_all_is_shown_then_the_phrase_is_typed_then_the_code(desk: Desk) -> None:
    desk.sandbox.seen = Profile("staged", "f" * 64, ("restricted",), ("it does not hide processes",))
    done = desk.types(*enable(desk, "--network", "--timeout", "90", "--minutes", "20"), answers=(PHRASE, code))
    assert done.status == 0
    shown, _, after = done.out.partition(f"Type {PHRASE} to go on.")
    for word in (
        desk.conversation, "restricted", "/work/shop (read and write)", "staged", "LACKS", "it does not hide processes",
        "YES", "90 s",
    ):  # fmt: skip
        assert word in shown, word
    assert not CODE.search(shown)
    assert CODE.search(after)
    [row] = desk.terminal.mab("yolo", "status", "--json").json["conversations"]
    assert (row["mode"], row["workspace"], row["sandbox"], row["network"], row["seconds"]) == (
        "restricted", "/work/shop", "staged", True, 90,
    )  # fmt: skip


@pytest.mark.parametrize("typed", ["", "yes", PHRASE.lower(), PHRASE[:-1], "I UNDERSTAND THE RISK S"])
def test_without_the_phrase_no_code_is_ever_shown_and_nothing_enabled(desk: Desk, typed: str) -> None:
    done = desk.types(*enable(desk), answers=(typed,))
    assert (done.status, done.code) == (3, "refused")
    assert not CODE.search(done.out)
    assert enabled(desk) is None
    assert refused(desk, "yolo.enable") == ["refused"]


@pytest.mark.parametrize("typed", ["", "aaaaaa", PHRASE])
def test_without_the_code_nothing_is_enabled(desk: Desk, typed: str) -> None:
    done = desk.types(*enable(desk), answers=(PHRASE, typed))
    assert (done.status, done.code) == (6, "not_approved")
    assert enabled(desk) is None
    assert refused(desk, "yolo.enable") == ["not_approved"]


def test_the_code_of_one_offer_enables_no_other(desk: Desk) -> None:
    earlier: list[str] = []
    desk.types(*enable(desk), answers=(PHRASE, lambda seen: earlier.append(code(seen)) or "aaaaaa"))
    done = desk.types(*enable(desk, "--network"), answers=(PHRASE, lambda seen: earlier[0]))
    assert (done.status, done.code) == (6, "not_approved")
    assert enabled(desk) is None


def test_a_code_that_is_not_typed_within_five_minutes_is_over(desk: Desk) -> None:
    def slowly(seen: str) -> str:
        desk.terminal.later(301)
        return code(seen)

    done = desk.types(*enable(desk), answers=(PHRASE, slowly))
    assert (done.status, done.code) == (6, "not_approved")
    assert enabled(desk) is None


def test_the_end_of_input_enables_nothing(desk: Desk) -> None:
    for answers in ((), (PHRASE,)):
        done = desk.types(*enable(desk), answers=answers)
        assert (done.status, done.code) == (3, "refused")
    assert enabled(desk) is None


def test_what_was_typed_before_it_was_asked_does_not_count(desk: Desk) -> None:
    done = desk.types(*enable(desk), ahead=f"{PHRASE}\n{PHRASE}\n".encode())
    assert (done.status, done.code) == (3, "refused")
    assert not CODE.search(done.out)
    pasted = f"{PHRASE}\naaaaaa\n".encode()
    done = desk.types(*enable(desk), answers=(pasted,))
    assert done.status == 3
    assert enabled(desk) is None


@pytest.mark.parametrize("away", ["stdin", "stdout"])
def test_with_one_stream_led_away_from_the_terminal_it_is_refused(desk: Desk, away: str) -> None:
    done = desk.types(*enable(desk), answers=(PHRASE, code), away=away)
    assert (done.status, done.code) == (3, "refused")
    assert enabled(desk) is None


def test_off_a_terminal_it_is_refused_whatever_comes_by_pipe(desk: Desk) -> None:
    done = desk.terminal.mab(*enable(desk), status=3, given=f"{PHRASE}\naaaaaa\n".encode())
    assert done.code == "refused"
    assert done.out == ""
    assert enabled(desk) is None


@pytest.mark.parametrize("option", ["--phrase", "--code", "--yes", "--force", "--json"])
def test_no_option_answers_for_a_person(desk: Desk, option: str) -> None:
    assert f"no such option: {option}" in desk.terminal.mab(*enable(desk, option), status=2).err.lower()


def test_no_variable_answers_for_a_person(desk: Desk) -> None:
    env = dict.fromkeys(("MAB_PHRASE", "YOLO_PHRASE", "MAB_YOLO_PHRASE", "YOLO_MODE", "MAB_YES", "CI"), PHRASE)
    assert desk.terminal.mab(*enable(desk), status=3, **env).code == "refused"
    assert enabled(desk) is None


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--mode", "root", *WORKSPACE), 2),
        (("--mode", "safe", "--workspace", "/"), 2),
        (("--mode", "safe", *WORKSPACE, "--timeout", "0"), 2),
        (("--mode", "safe", *WORKSPACE, "--timeout", "99999"), 2),
        (("--mode", "safe", *WORKSPACE, "--minutes", "0"), 2),
        (("--mode", "safe", *WORKSPACE, "--sandbox", "none"), 2),
        (("--mode", "safe"), 2),
        (WORKSPACE, 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_enabled_is_refused_before_anything_is_asked(
    desk: Desk, words: tuple[str, ...], status: int
) -> None:
    done = desk.types("yolo", "enable", desk.conversation, *words)
    assert done.status == status, done.out
    assert PHRASE not in done.out


def test_an_unknown_conversation_and_a_missing_sandbox_say_so(desk: Desk) -> None:
    assert desk.types("yolo", "enable", "conv_nowhere", "--mode", "safe", *WORKSPACE).code == "not_found"
    desk.sandbox.seen = None
    done = desk.types(*enable(desk))
    assert (done.status, done.code) == (9, "unavailable")
    assert "mab doctor" in done.out


def test_a_relative_workspace_is_one_of_the_persons_directory(desk: Desk) -> None:
    done = desk.types(
        "yolo", "enable", desk.conversation, "--mode", "safe", "--workspace", "website", answers=(PHRASE, code)
    )
    assert f"{Path.cwd() / 'website'} (read only)" in done.out


def test_disable_ends_the_mode_and_what_waits(desk: Desk) -> None:
    desk.enables()
    number = desk.asks()
    assert desk.terminal.mab("yolo", "disable", desk.conversation, "--json").json == {
        "conversation_id": desk.conversation,
        "requests_ended": 1,
    }
    assert enabled(desk) is None
    assert desk.executes(command_id=number).state == "denied"
    assert "requests ended: 0" in desk.terminal.mab("yolo", "disable", desk.conversation).err


def test_a_command_that_is_approved_and_has_not_begun_does_not_run_after_disable(desk: Desk) -> None:
    desk.enables()
    number = desk.asks()
    desk.approves(number)
    desk.terminal.mab("yolo", "disable", desk.conversation)
    assert desk.runs(number).state == "expired"
    assert desk.sandbox.runs == []


def test_status_shows_modes_wishes_grants_and_snapshots(desk: Desk) -> None:
    assert desk.terminal.mab("yolo", "status", "--json").json == {"conversations": [], "snapshots": []}
    assert "mab yolo enable" in desk.terminal.mab("yolo", "status").err
    desk.enables()
    desk.acts(lambda hub, me, given: hub.yolo.ask(me, given, "yolo", "/etc", 600), "b")
    number = desk.asks()
    desk.approves(number, "--words", "1", "--minutes", "10", "--runs", "5")
    assert desk.runs(number).state == "done"
    shown = desk.terminal.mab("yolo", "status", "--json").json
    [row] = shown["conversations"]
    assert set(row) == {
        "conversation_id", "mode", "workspace", "sandbox", "network", "seconds", "until", "wishes", "grants",
    }  # fmt: skip
    assert [set(wish) for wish in row["wishes"]] == [
        {"request_id", "session_id", "mode", "workspace", "seconds", "sandbox", "asked_at"}
    ]
    assert [set(grant) for grant in row["grants"]] == [{"grant_id", "session_id", "scope", "until", "runs_left"}]
    assert [set(snapshot) for snapshot in shown["snapshots"]] == [
        {"snapshot", "workspace", "at", "files", "label", "left_out"}
    ]
    text = desk.terminal.mab("yolo", "status", desk.conversation).out
    assert f"{desk.conversation}: mode restricted until " in text
    assert re.search(r"wish yolo_\w{12}: session b asks for mode yolo in /etc", text)
    assert re.search(r"grant grant_\w{12} of session a: `git` with any arguments in /work/shop", text)
    assert shown["snapshots"][0]["snapshot"] in text


def test_a_wish_shows_what_hides_in_it(desk: Desk) -> None:
    desk.acts(lambda hub, me, given: hub.yolo.ask(me, given, "safe", "/work/sh\u043ep"), "b")
    assert "/work/sh\\u043ep" in desk.terminal.mab("yolo", "status").out


def test_an_erased_conversation_does_not_hide_the_others(desk: Desk) -> None:
    gone = desk.terminal.opened()
    desk.enables()
    words = ("yolo", "enable", gone, "--mode", "safe", *WORKSPACE)
    assert desk.types(*words, answers=(PHRASE, code)).status == 0
    desk.terminal.mab("extend", gone, "--seconds", "60")
    desk.terminal.later(61)
    desk.terminal.mab("cleanup", "--yes")
    rows = desk.terminal.mab("yolo", "status", "--json").json["conversations"]
    assert [row["conversation_id"] for row in rows] == [desk.conversation]


@pytest.mark.parametrize("verb", ["disable", "status"])
def test_an_unknown_conversation_is_not_found(desk: Desk, verb: str) -> None:
    assert desk.terminal.mab("yolo", verb, "conv_nowhere", status=7).code == "not_found"
