from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.guard.output import cleaned, plain, shown_argv, visible
from multiagent_bridge.model.sandboxes import Captured


def test_colours_titles_and_cursor_movements_leave_nothing_behind() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07done\x1b[2K\x1b[?25l") == "red done"


def test_a_title_that_never_ends_takes_no_later_line_with_it() -> None:
    assert plain("\x1b]0;evil\nexit code 0") == "\nexit code 0"


def test_c1_forms_of_escapes_are_escapes() -> None:
    assert plain("a\x9b31mb\x9d0;t\x9cc\x90payload\x9cd") == "abcd"


def test_the_last_redraw_of_a_line_is_what_stands() -> None:
    assert plain("10%\r50%\r100%\ndone\r\n") == "100%\ndone\n"


def test_backspaces_take_back_what_was_printed() -> None:
    assert plain("pasx\x08\x08sword") == "pasword"


def test_invisible_and_turning_characters_are_gone() -> None:
    assert plain("a\u202eb\u200bc\ufeffd\x00e\U000e0041f") == "abcdef"


def test_a_stream_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    assert cleaned(Captured(b"ok \xff\xfe\x80 end", b"", 10)) == "ok \ufffd\ufffd\ufffd end"


def test_a_cut_stream_says_how_much_is_missing_and_shows_no_half_words() -> None:
    whole = b"first line\nhalf-of-a-sec" + b"x" * 1000 + b"ret-key\nlast line\n"
    text = cleaned(Captured(whole[:24], whole[-20:], len(whole)))
    assert text.startswith("first line\n[")
    assert "sec" not in text
    assert "ret-key" not in text
    assert text.endswith("]\nlast line\n")
    assert f"of {len(whole):,} bytes left out" in text


def test_a_person_sees_what_hides_in_a_command() -> None:
    assert visible("rm\u202e -rf\u200b \x1b[8m/tmp\x1b[0m\n") == "rm\\u202e -rf\\u200b \\x1b[8m/tmp\\x1b[0m\\x0a"


def test_letters_that_look_like_others_are_spelled_out() -> None:
    assert visible("\u0430pt-get caf\xe9 \u00a0") == "\\u0430pt-get caf\xe9 \\xa0"


def test_words_of_an_argv_cannot_run_into_each_other() -> None:
    assert shown_argv(("git", "log", 'a", "b', "")) == '["git", "log", "a\\", \\"b", ""]'


@given(st.text())
def test_what_is_visible_is_printable(text: str) -> None:
    assert visible(text).isprintable()


@given(st.text())
def test_plain_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    assert not any((letter < " " and letter not in "\n\t") or "\x7f" <= letter <= "\x9f" for letter in plain(text))


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 10**9))
def test_any_bytes_become_text(head: bytes, tail: bytes, more: int) -> None:
    cleaned(Captured(head, tail, len(head) + len(tail) + more)).encode()
