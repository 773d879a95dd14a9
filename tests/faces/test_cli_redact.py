from __future__ import annotations

import json
import subprocess

import pytest

from multiagent_bridge import wiring
from multiagent_bridge.guard.redact import Redactor
from tests.faces.terminal import MAB, SECONDS, Terminal

KEY = "AKIA" + "Q7WERTYUIOPASDFG"


def test_a_filter_replaces_the_value_and_keeps_every_other_byte(terminal: Terminal) -> None:
    given = f"first\r\n\tkey {KEY} end\x00 gr\u00fc\u00df".encode() + b"\xff\n\n"
    done = subprocess.run(
        [*MAB, "redact"], input=given, capture_output=True, env=terminal.environment(), timeout=SECONDS, check=True
    )
    assert done.stdout == given.replace(KEY.encode(), b"AWS_KEY_REDACTED")
    assert done.stderr == b""


def test_a_filter_reads_a_file_or_standard_input(terminal: Terminal) -> None:
    (terminal.project / "notes.txt").write_text(KEY)
    assert terminal.mab("redact", "notes.txt").out == "AWS_KEY_REDACTED"
    assert terminal.mab("redact", "-", given=KEY.encode()).out == "AWS_KEY_REDACTED"
    assert terminal.mab("redact", given=b"").out == ""


def test_a_file_that_cannot_be_read_is_not_found_or_unavailable(terminal: Terminal) -> None:
    assert terminal.mab("redact", "nowhere.txt", status=7).code == "not_found"
    assert terminal.mab("redact", str(terminal.project), status=9).code == "unavailable"


def test_the_filter_needs_no_state_directory_and_makes_none(terminal: Terminal) -> None:
    terminal.process("redact", given=b"x", without=("HOME", "MAB_HOME"))
    assert not terminal.home.exists()


def test_json_gives_the_text_and_the_kinds(terminal: Terminal) -> None:
    assert terminal.mab("redact", "--json", given=KEY.encode()).json == {
        "text": "AWS_KEY_REDACTED", "kinds": ["AWS_KEY"],
    }  # fmt: skip


def test_jsonl_answers_every_line_under_its_id(terminal: Terminal) -> None:
    asked = [{"id": 7, "text": KEY}, {"id": "b", "text": "nothing"}, {"id": None, "text": "password: hunter2zz9q"}]
    given = "\n\n".join(json.dumps(line) for line in asked).encode()
    lines = [json.loads(line) for line in terminal.mab("redact", "--jsonl", given=given).out.splitlines()]
    assert lines == [
        {"id": 7, "text": "AWS_KEY_REDACTED", "kinds": ["AWS_KEY"]},
        {"id": "b", "text": "nothing", "kinds": []},
        {"id": None, "text": "password: PASSWORD_REDACTED", "kinds": ["PASSWORD"]},
    ]


def test_jsonl_answers_a_line_before_the_next_is_given(terminal: Terminal) -> None:
    with subprocess.Popen(
        [*MAB, "redact", "--jsonl"], env=terminal.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as filtering:
        assert filtering.stdin is not None
        assert filtering.stdout is not None
        for number in range(3):
            filtering.stdin.write(json.dumps({"id": number, "text": KEY}).encode() + b"\n")
            filtering.stdin.flush()
            assert json.loads(filtering.stdout.readline())["id"] == number
        filtering.stdin.close()
        assert filtering.wait(SECONDS) == 0


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'"x"', b'{"id": 1}', b'{"text": "x"}', b'{"id": 1, "text": 5}', b"\xff", b"[" * 100_000],
    ids=["cut off", "list", "text", "no text", "no id", "number", "bytes", "deep"],
)
def test_a_line_that_is_not_of_the_form_is_named_after_the_lines_before_it(terminal: Terminal, line: bytes) -> None:
    done = terminal.mab("redact", "--jsonl", given=b'{"id":1,"text":"x"}\n' + line, status=2)
    assert done.code == "invalid"
    assert "line 2" in done.err
    assert json.loads(done.out)["id"] == 1


def test_a_text_that_cannot_be_checked_is_withheld_and_the_others_pass(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "redactor_of", lambda settings: Redactor(steps=40))
    hard = "key=" * 500 + KEY
    given = "\n".join(json.dumps({"id": n, "text": text}) for n, text in enumerate(["a", hard, "b"])).encode()
    done = terminal.mab("redact", "--jsonl", given=given, status=3)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["kinds"] for line in lines] == [[], ["WITHHELD"], []]
    assert KEY not in done.out
    assert done.code == "refused"
    assert KEY not in terminal.mab("redact", given=hard.encode(), status=3).out


def test_a_lone_surrogate_passes_as_it_came(terminal: Terminal) -> None:
    (line,) = terminal.mab("redact", "--jsonl", given=b'{"id":1,"text":"a\\ud800b"}').out.splitlines()
    assert json.loads(line)["text"] == "a\ud800b"


def test_explain_shows_rule_and_place_and_never_the_value(terminal: Terminal) -> None:
    given = f"one\ntwo {KEY}\n".encode()
    done = terminal.mab("redact", "--explain", given=given)
    assert done.out.split()[:4] == ["2", "5", "20", "AWS_KEY"]
    assert KEY not in done.out + done.err
    (row,) = terminal.mab("redact", "--explain", "--json", given=given).json
    assert row == {"rule": row["rule"], "kind": "AWS_KEY", "start": 8, "end": 28}
    assert terminal.mab("redact", "--explain", given=b"nothing").out == ""


def test_rules_lists_every_rule_with_its_placeholder(terminal: Terminal) -> None:
    rules = terminal.mab("redact", "--rules", "--json").json
    assert len(rules) == len(Redactor().rules())
    placeholders = {rule["placeholder"] for rule in rules}
    assert placeholders >= {
        "AWS_KEY_REDACTED", "PRIVATE_KEY_REDACTED", "BEARER_TOKEN_REDACTED", "PASSWORD_REDACTED", "API_KEY_REDACTED",
        "SECRET_REDACTED", "GITHUB_TOKEN_REDACTED", "OPENAI_KEY_REDACTED",
    }  # fmt: skip
    assert len(terminal.mab("redact", "--rules").out.splitlines()) == len(rules)


def test_modes_exclude_each_other(terminal: Terminal) -> None:
    assert terminal.mab("redact", "--jsonl", "--explain", status=2).code == "invalid"


def test_ten_megabytes_pass_in_time(terminal: Terminal) -> None:
    given = (b"2026-01-01 an ordinary line of a log that says nothing in particular\n" * 150_000) + KEY.encode()
    done = subprocess.run(
        [*MAB, "redact"], input=given, capture_output=True, env=terminal.environment(), timeout=55, check=True
    )
    assert done.stdout == given.replace(KEY.encode(), b"AWS_KEY_REDACTED")


def test_custom_patterns_of_the_settings_are_rules_like_any_other(terminal: Terminal) -> None:
    pattern = '[[redaction.patterns]]\nname = "acme"\nkind = "ACME"\nwords = ["zanzibar-nine"]\n'
    (terminal.project / "bridge.toml").write_text(pattern)
    assert terminal.mab("redact", given=b"say zanzibar-nine now").out == "say ACME_REDACTED now"
    assert "acme" in terminal.mab("redact", "--rules").out
    conversation = terminal.opened()
    assert terminal.mab("send", conversation, "say zanzibar-nine now", "--json").json["redactions"] == ["ACME"]
