"""A sender who tries to make the redactor slow: every text ends, in steps and time proportional to its length."""

from __future__ import annotations

import time

import pytest

from benchmarks.redaction import SIZE, adversarial, attempt, ordinary
from multiagent_bridge.guard.redact import Redactor, SeenSecrets
from tests.guard.redaction_samples import key

REDACTOR = Redactor()
SMALL = adversarial(SIZE // 2)
LARGE = adversarial(2 * SIZE)


def best_of(text: str, rounds: int) -> float:
    least = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        attempt(REDACTOR, text)
        least = min(least, time.thread_time() - begun)
    return least


@pytest.mark.parametrize("name", SMALL)
def test_a_hostile_text_four_times_as_long_does_not_cost_sixteen_times_as_much(name: str) -> None:
    small = best_of(SMALL[name], 4)
    large = best_of(LARGE[name], 3)
    # Linear work takes four times as long, quadratic sixteen; a busy machine may double a measurement, and small times are noise.
    assert large < 9 * small + 0.05
    assert large < 4.0


def test_ten_megabytes_pass_in_time_proportional_to_their_length() -> None:
    small = best_of(ordinary(size=100_000), 3)
    large = best_of(ordinary(size=10_000_000), 1)
    assert large < 100 * small * 2.5


def test_a_conversation_flooded_with_keys_alike_is_remembered_in_time_proportional_to_their_number() -> None:
    def flood(count: int) -> float:
        text = "\n".join("ghp_" + key(32) + key(4, seed=seed) for seed in range(count))
        memory = SeenSecrets()
        begun = time.thread_time()
        REDACTOR.redact(text, memory)
        REDACTOR.redact(text, memory)
        assert len(memory) <= 128
        return time.thread_time() - begun

    small = min(flood(500) for _ in range(2))
    assert min(flood(2_000) for _ in range(2)) < 9 * small + 0.1
    assert small < 2.0
