from __future__ import annotations

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.validation import run
from multiagent_bridge.validation.frame import NUMBERS, Measured, Sheet, Target, confidence, judged, reached
from multiagent_bridge.validation.profiles import Profile


@pytest.mark.parametrize(
    ("measured", "relation", "bound", "met"),
    [
        (8, "exactly", 8, True), (7, "exactly", 8, False), (9, "exactly", 8, False),
        (8, "at least", 8, True), (7.999, "at least", 8, False),
        (8, "at most", 8, True), (8.001, "at most", 8, False),
        (7.999, "under", 8, True), (8, "under", 8, False),
        (8, "about", 8, False),
    ],
)  # fmt: skip
def test_a_target_is_met_only_within_its_bound(measured: float, relation: str, bound: float, met: bool) -> None:
    assert reached(measured, relation, bound) is met


@pytest.mark.parametrize("relation", ["exactly", "at least", "at most", "under"])
def test_what_was_not_measured_meets_no_target(relation: str) -> None:
    assert not reached(None, relation, 0)
    assert not Target("x", "at most", 5, None).met


def test_measurements_come_to_their_mean_and_nearest_ranks() -> None:
    found = Measured.of([4.0, 1.0, 2.0, 3.0, 10.0], "ms")
    assert found.fields() == {
        "unit": "ms",
        "count": 5,
        "mean": 4.0,
        "min": 1.0,
        "median": 3.0,
        "p95": 10.0,
        "max": 10.0,
    }
    assert Measured.of([7], "s").fields() == {
        "unit": "s", "count": 1, "mean": 7, "min": 7, "median": 7, "p95": 7, "max": 7,
    }  # fmt: skip


def test_nothing_measured_gives_no_figure() -> None:
    assert Measured.of([], "ms").fields() == {
        "unit": "ms", "count": 0, "mean": None, "min": None, "median": None, "p95": None, "max": None,
    }  # fmt: skip


def test_a_sheet_without_a_target_never_passes() -> None:
    assert judged([], "", "") == "failed"


def test_one_missed_target_fails_the_test() -> None:
    sheet = Sheet()
    sheet.target("first", "exactly", 1, 1)
    sheet.holds("second", False)
    assert judged([target.fields() for target in sheet.targets], "", "") == "failed"


def test_a_test_that_broke_off_has_failed_whatever_it_met() -> None:
    sheet = Sheet()
    sheet.holds("first", True)
    assert judged([target.fields() for target in sheet.targets], "it took too long", "") == "failed"


def test_what_cannot_be_done_here_is_not_run_and_never_passed() -> None:
    sheet = Sheet()
    sheet.holds("first", True)
    targets = [target.fields() for target in sheet.targets]
    assert judged(targets, "", "there is no git on this machine") == "not run"
    assert judged([], "", "there is no git on this machine") == "not run"


def test_what_cannot_be_done_here_hides_no_missed_target() -> None:
    sheet = Sheet()
    sheet.holds("first", False)
    assert judged([target.fields() for target in sheet.targets], "", "there is no sandbox") == "failed"


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["passed"] * 14, "high"), (["passed"] * 13, "partial"), (["passed"] * 13 + ["not run"], "partial"),
        (["passed"] * 13 + ["failed"], "none"), (["failed"], "none"), ([], "partial"),
    ],
)  # fmt: skip
def test_confidence_follows_from_what_passed(verdicts: list[str], said: str) -> None:
    assert confidence(verdicts, 14).startswith(said + ":")


def test_the_tests_are_those_of_the_protocol_in_their_order() -> None:
    assert tuple(test.number for test in run.TESTS) == NUMBERS


def test_every_test_needs_only_tests_before_it() -> None:
    for at, test in enumerate(run.TESTS):
        assert set(test.needs) <= {before.number for before in run.TESTS[:at]}


def test_asking_for_one_test_runs_what_it_stands_on() -> None:
    assert [test.number for test in run.chosen(["4"])] == ["1", "2", "3", "4"]
    assert [test.number for test in run.chosen(["s", "1"])] == ["1", "2", "S"]
    assert len(run.chosen([])) == 14


@pytest.mark.parametrize("number", ["0", "14", "x", "", "1 "])
def test_a_test_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(Invalid):
        run.chosen([number])


def test_the_full_profile_keeps_the_times_of_the_protocol_and_of_the_product() -> None:
    full = Profile.of("full")
    assert (full.threshold, full.check, full.keepalive, full.poll, full.mail) == (300, 60, 30, 60, 60)
    assert full.settings()["MAB_LIMITS__WRITES"] == "[[10, 60], [100, 3600], [500, 86400]]"


def test_the_quick_profile_divides_every_time_by_one_factor_and_says_so() -> None:
    quick = Profile.of("quick")
    facts = quick.facts()
    assert facts["factor"] == 30
    assert (quick.threshold, quick.check, quick.keepalive) == (10, 2, 1)
    assert facts["threshold_seconds"] == 10
    assert quick.settings()["MAB_LIMITS__WRITES"] == "[[10, 2], [100, 120], [500, 2880]]"


@pytest.mark.parametrize("name", ["", "Quick", "slow"])
def test_a_profile_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        Profile.of(name)
