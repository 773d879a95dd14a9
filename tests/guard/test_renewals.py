"""The age of a token, and how long the one before it opens."""

from __future__ import annotations

import pytest

from multiagent_bridge.guard.renewals import due, opens
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.renewals import ENDED, OPEN, TAKEN_UP, Renewal

AGE, GRACE, OPENED = 600, 60, 1_000 * SECOND


def made(overlap: str = OPEN, offered_at: int | None = None, since: int = 5_000) -> Renewal:
    offered = None if offered_at is None else offered_at * SECOND
    return Renewal("conv_1", "a", 2, since * SECOND, overlap, offered)


@pytest.mark.parametrize(("now", "wanted"), [(1_000, False), (1_599, False), (1_600, True), (10**7, True), (0, False)])
def test_a_first_token_is_as_old_as_its_conversation(now: int, wanted: bool) -> None:
    assert due(None, OPENED, now * SECOND, AGE, GRACE) is wanted


@pytest.mark.parametrize("overlap", [OPEN, TAKEN_UP, ENDED])
@pytest.mark.parametrize(("now", "wanted"), [(5_599, False), (5_600, True)])
def test_a_later_token_is_as_old_as_its_renewal(overlap: str, now: int, wanted: bool) -> None:
    assert due(made(overlap), OPENED, now * SECOND, AGE, GRACE) is wanted


@pytest.mark.parametrize("found", [None, made(), made(TAKEN_UP)])
def test_nothing_is_ever_due_where_nothing_is_scheduled(found: Renewal | None) -> None:
    assert not due(found, OPENED, 10**9 * SECOND, 0, GRACE)


def test_no_other_token_is_due_while_somebody_may_still_take_this_one_up() -> None:
    asked = made(OPEN, offered_at=5_590)
    assert not due(asked, OPENED, 5_649 * SECOND, AGE, GRACE)
    assert due(asked, OPENED, 5_650 * SECOND, AGE, GRACE)
    assert due(made(TAKEN_UP, offered_at=5_590), OPENED, 5_600 * SECOND, AGE, GRACE)


@pytest.mark.parametrize("now", [5_000, 5_060, 10**7])
def test_a_token_opens_until_its_holder_was_told_what_follows(now: int) -> None:
    assert opens(made(), now * SECOND, GRACE)


@pytest.mark.parametrize(("now", "wanted"), [(5_059, True), (5_060, False), (4_000, True)])
def test_a_token_opens_for_the_grace_after_that(now: int, wanted: bool) -> None:
    assert opens(made(OPEN, offered_at=5_000), now * SECOND, GRACE) is wanted


@pytest.mark.parametrize("overlap", [TAKEN_UP, ENDED])
def test_a_token_whose_successor_is_used_or_a_persons_opens_nothing(overlap: str) -> None:
    assert not opens(made(overlap), 5_000 * SECOND, GRACE)
    assert not opens(made(overlap, offered_at=5_000), 5_001 * SECOND, GRACE)
