"""A hundred agents that write to each other, and the proof that every message came once and as it was sent."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import Place, served
from benchmarks.wire import Failed, Wire

AGENTS = 100
QUICK, FULL = 5_000, 100_000
READ_EVERY = 40
"""An agent looks for mail after so many sends, as one that works and listens does."""

PATIENCE = 60.0
"""Seconds without any mail after which what is missing counts as lost."""

WORDS = (
    "the build is green", "the flaky test was the clock", 'he said "stop"', "line one\nline two", "\ttabbed\t", "naïve café",
    "数据不变", "🚦🚦", "{'a': [1, 2]}", '{"state": "done"}', "back\\slash",
    "| not a frame", "trailing  ", "e\u0301 is not \u00e9",
)  # fmt: skip
"""Parts of bodies: what a transport, an encoding or a frame could spoil."""


@dataclass
class Desk:
    """One agent: what it sent and what it got, by digest."""

    number: int
    wire: Wire
    texts: random.Random
    sent: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    error: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    def send(self, count: int) -> None:
        """Send so many messages, each of its own words, and read meanwhile."""
        for n in range(count):
            body = f"agent {self.number}, message {n}: " + " / ".join(
                self.texts.choices(WORDS, k=self.texts.randint(1, 40))
            )
            began = time.perf_counter()
            answer = self.wire.call("send_to_partner", message=body)
            self.times.append(time.perf_counter() - began)
            if answer["redacted"]:
                raise Failed(f"a body was taken for a secret: {answer['redactions']}")
            self.sent.append(_digest(body))
            if n % READ_EVERY == READ_EVERY - 1:
                self.read()

    def read(self) -> int:
        """Everything that waits. Returns how much it was."""
        before = len(self.got)
        while found := self.wire.call("check_messages", limit=100)["messages"]:
            self.got += [_digest(message["message"]) for message in found]
        return len(self.got) - before


def delivery(quick: bool) -> list[Figure]:
    """Fifty conversations of two; both sides send at once, each over its own `mab mcp`."""
    each = (QUICK if quick else FULL) // AGENTS
    with served() as here:
        desks = _seated(here)
        began = time.monotonic()
        threads = [threading.Thread(target=_worked, args=(desk, desks[desk.number ^ 1], each)) for desk in desks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        for desk in desks:
            desk.wire.close()
    return [_figure(desks, each * AGENTS, seconds)]


def _seated(here: Place) -> list[Desk]:
    """The agents, two by two in a conversation."""
    desks = [Desk(number, here.wire(), random.Random(number)) for number in range(AGENTS)]
    for one, other in zip(desks[::2], desks[1::2], strict=True):
        made = one.wire.call("create_conversation", my_role="sender", partner_role="reader")
        other.wire.call("join_conversation", invite=made["sessions"][1]["invite"])
    return desks


def _worked(desk: Desk, partner: Desk, each: int) -> None:
    """Send, then read until the partner has sent all and nothing is left, or nothing came for too long."""
    try:
        try:
            desk.send(each)
        finally:
            desk.done.set()
        last = time.monotonic()
        while time.monotonic() < last + PATIENCE:
            over = partner.done.is_set()
            if desk.read():
                last = time.monotonic()
            elif over:
                return
            else:
                partner.done.wait(0.05)
    except (Failed, EOFError) as failed:
        desk.error = str(failed) or type(failed).__name__


def _figure(desks: list[Desk], wanted: int, seconds: float) -> Figure:
    lost = doubled = corrupted = 0
    for desk in desks:
        expected, got = Counter(desks[desk.number ^ 1].sent), Counter(desk.got)
        lost += sum((expected - got).values())
        doubled += sum(count - expected[digest] for digest, count in got.items() if 0 < expected[digest] < count)
        corrupted += sum(count for digest, count in got.items() if digest not in expected)
    sent, got_all = sum(len(desk.sent) for desk in desks), sum(len(desk.got) for desk in desks)
    times = [one for desk in desks for one in desk.times]
    errors = [desk.error for desk in desks if desk.error]
    facts = {
        "agents": AGENTS,
        "sent": sent,
        "delivered": got_all,
        "lost": lost,
        "doubled": doubled,
        "never_sent": corrupted,
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
        "seconds": seconds,
        "sends_per_second": sent / seconds,
        "send_p50_ms": p50(times) * 1e3,
        "send_p99_ms": percentile(times, 0.99) * 1e3,
    }
    share = (sent - lost) / sent if sent else 0.0
    measured = (
        f"{share:.2%} of {sent} delivered; {lost} lost, {doubled} doubled, {corrupted} corrupted, {len(errors)} errors; "
        f"{sent / seconds:.0f} a second, p50 {milliseconds(p50(times))}, p99 {milliseconds(percentile(times, 0.99))}"
    )
    met = sent == wanted and not (lost or doubled or corrupted or errors)
    what = f"{AGENTS} agents, each over its own `mab mcp`, send {wanted:,} messages to each other; bodies compared by SHA-256"
    return Figure("delivery", what, "100 % delivered, none doubled, none corrupted", measured, met, facts)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
