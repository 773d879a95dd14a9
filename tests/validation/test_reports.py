from __future__ import annotations

import json
from pathlib import Path

import pytest

from multiagent_bridge.errors import BridgeError, Invalid, NotFound, Tampered
from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.validation import report
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.verify import verified
from tests.validation.reports import Made, made

pytestmark = pytest.mark.anyio


async def test_a_report_as_it_was_written_verifies(sound: Made) -> None:
    found = verified(sound.file)
    assert (found.tests, found.passed, found.complete) == (14, 14, True)
    assert found.entries == len(sound.lines())
    assert found.checkpoints == 15
    assert found.verifier_key == sound.held.keys.verifier_key


async def test_it_verifies_without_its_page_and_wherever_the_folder_is(sound: Made, tmp_path: Path) -> None:
    sound.page.unlink()
    moved = sound.folder.rename(tmp_path / "elsewhere")
    assert verified(moved / report.REPORT).tests == 14


async def test_the_key_it_must_be_signed_by_may_be_given(sound: Made) -> None:
    assert verified(sound.file, sound.held.keys.verifier_key).tests == 14


async def test_a_report_of_some_tests_is_not_complete(tmp_path: Path) -> None:
    some = await made(tmp_path / "run", ("1", "2", "S"))
    found = verified(some.file)
    assert (found.tests, found.complete) == (3, False)
    assert json.loads(some.file.read_text())["report"]["citation"]["confidence"].startswith("partial: 3 of 14")


async def test_a_failed_report_verifies_and_says_that_it_failed(tmp_path: Path) -> None:
    sheet = Sheet()
    sheet.target("messages", "exactly", 80, 79)
    failed = await made(tmp_path / "run", ("1", "2", "5"), {"5": sheet})
    assert verified(failed.file).passed == 2
    said = json.loads(failed.file.read_text())["report"]
    assert said["passed"] is False
    assert said["tests"][2]["verdict"] == "failed"
    assert said["tests"][2]["reason"] == "missed: messages"
    assert said["citation"]["confidence"].startswith("none:")
    assert "**missed**" in failed.page.read_text()


async def test_a_test_that_was_not_run_says_why_and_the_whole_is_not_passed(tmp_path: Path) -> None:
    sheet = Sheet(lacks="there is no git on this machine")
    lacking = await made(tmp_path / "run", ("1", "2", "10"), {"10": sheet})
    verified(lacking.file)
    said = json.loads(lacking.file.read_text())["report"]
    assert said["passed"] is False
    assert (said["tests"][2]["verdict"], said["tests"][2]["reason"]) == ("not run", "there is no git on this machine")


async def test_the_citation_has_every_field_of_the_protocol(sound: Made) -> None:
    said = json.loads(sound.file.read_text())["report"]
    citation = said["citation"]
    assert set(citation) == {
        "id", "type", "project", "version", "commit", "date", "protocol", "claim", "method", "evidence", "data",
        "confidence", "reproducible", "command", "verify",
    }  # fmt: skip
    assert citation["id"] == f"IF.TTT.2026.{len(sound.lines()):03d}.S2-VALIDATION"
    assert citation["reproducible"] is True
    assert citation["command"] == "mab validate --profile quick"
    assert len(citation["evidence"]) == 14
    assert all(not Path(name).is_absolute() for name in citation["data"])
    assert citation["confidence"] == "high: 14 of 14 tests passed"


async def test_each_test_names_its_range_and_a_checkpoint_that_closes_it(sound: Made) -> None:
    for test in json.loads(sound.file.read_text())["report"]["tests"]:
        evidence = test["evidence"]
        assert evidence["entries"] == evidence["last"] - evidence["first"] + 1 == 2
        assert evidence["acts"] == {"message.send": 1}
        assert evidence["refusals"] == {"invalid": 1}
        assert Checkpoint.parse(evidence["checkpoint"]["note"]).size == evidence["last"]


async def test_the_page_shows_every_test_target_and_figure(sound: Made) -> None:
    page = sound.page.read_text()
    for number in range(1, 14):
        assert f"## {number}. test {number}: passed" in page
    assert page.count("| mean of a send | under 5 ms | 2.583 | met |") == 14
    assert page.count("| send | ms | 3 | 2.583 | 1.25 | 2.5 | 4.0 | 4.0 |") == 14
    assert sound.held.keys.verifier_key in page


async def test_what_a_test_says_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    sheet = Sheet()
    sheet.did("one\n# two | three <b>")
    sheet.holds("four | five\n\n# six", True)
    told = await made(tmp_path / "run", ("1",), {"1": sheet})
    page = told.page.read_text()
    assert "- one # two \\| three &lt;b>" in page
    assert "\n# six" not in page
    assert "\n# two" not in page


async def test_one_changed_figure_is_refused(sound: Made) -> None:
    sound.change(lambda r: r["tests"][2]["figures"]["send"].update(mean=1.0))
    with pytest.raises(Tampered, match="a figure or a word of it was changed"):
        verified(sound.file)


async def test_a_changed_count_is_named_with_what_the_journal_says(sound: Made) -> None:
    sound.change(lambda r: r["tests"][2]["evidence"]["acts"].update({"message.send": 2}))
    with pytest.raises(Tampered, match=r"test 3 says acts .*2.*, and the journal says .*1"):
        verified(sound.file)


async def test_a_journal_with_one_changed_byte_is_refused_by_its_entry(sound: Made) -> None:
    lines = sound.lines()
    lines[4] = lines[4].replace('"seq":5', '"seq":6')
    sound.journal.write_text("".join(lines))
    with pytest.raises(Tampered, match="entry 5"):
        verified(sound.file)


async def test_every_byte_of_the_journal_counts(sound: Made) -> None:
    raw = sound.journal.read_bytes()
    for at in range(0, len(raw), 97):
        changed = bytearray(raw)
        changed[at] ^= 1
        sound.journal.write_bytes(changed)
        with pytest.raises(Tampered):
            verified(sound.file)


async def test_every_byte_of_the_report_counts(sound: Made) -> None:
    raw = sound.file.read_bytes()
    for at in range(0, len(raw), 211):
        changed = bytearray(raw)
        changed[at] ^= 1
        sound.file.write_bytes(changed)
        with pytest.raises(BridgeError) as refused:
            verified(sound.file)
        assert refused.value.code in ("tampered", "invalid")


async def test_a_page_that_was_edited_is_refused(sound: Made) -> None:
    sound.page.write_text(sound.page.read_text().replace("2.583", "1.583", 1))
    with pytest.raises(Tampered, match=r"report\.md"):
        verified(sound.file)


async def test_a_report_without_its_journal_is_not_found(sound: Made) -> None:
    sound.journal.unlink()
    with pytest.raises(NotFound):
        verified(sound.file)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "hello", '{"report": 1, "signature": "x"}', "[" * 100_000])
async def test_what_is_no_report_is_invalid(sound: Made, content: str) -> None:
    sound.file.write_text(content)
    with pytest.raises(Invalid):
        verified(sound.file)
