"""kill -9 of the hub again and again while agents send: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack

from benchmarks.figures import Fact, Figure
from benchmarks.load import texts
from benchmarks.places import Place, place
from benchmarks.wire import Failed, Wire
from multiagent_bridge import config, wiring

SENDERS = 4
SERVED_SECONDS = 120.0
"""Longest wait for everybody to be served again."""
PAUSE_SECONDS = 0.005
"""After each message: a conversation is full at 10,000, which a quick machine would else reach."""


class Sender(threading.Thread):
    """Sends numbered messages for as long as it is asked to. With keys it repeats what was cut off; without it never does."""

    def __init__(self, wire: Wire, number: int, keyed: bool) -> None:
        super().__init__()
        self.wire = wire
        self.number = number
        self.keyed = keyed
        self.enough = threading.Event()
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.complaint = ""

    def run(self) -> None:
        count = 0
        while not self.enough.is_set():
            text = f"sender {self.number}, message {count}"
            count += 1
            try:
                self._send(text)
            except (Failed, EOFError, OSError) as failed:
                if not str(failed).startswith("unavailable: the hub stopped during this call"):
                    self.complaint = str(failed) or "the shim is gone"
                    return
                self.unknown.append(text)
            self.enough.wait(PAUSE_SECONDS)

    def _send(self, text: str) -> None:
        key = {"idempotency_key": text} if self.keyed else {}
        while True:
            try:
                self.wire.call("send_to_partner", message=text, **key)
            except Failed as failed:
                if self.keyed and "repeat the call with the same idempotency_key" in str(failed):
                    continue
                raise
            self.acknowledged.append(text)
            return


def kills(quick: bool) -> list[Figure]:
    """Four senders through `mab mcp`, whose shims bring up each next hub; half of them with idempotency keys."""
    wanted = 20 if quick else 200
    chance = random.Random(1)
    with place() as here:
        senders = [Sender(here.wire(), number, keyed=number % 2 == 0) for number in range(SENDERS)]
        for sender in senders:
            sender.wire.call("create_conversation", my_role="sender", partner_role="reader")
        for sender in senders:
            sender.start()
        killed = sum(_killed(here, chance, senders) for _ in range(wanted))
        for sender in senders:
            sender.enough.set()
        for sender in senders:
            sender.join(SERVED_SECONDS)
            if sender.is_alive():
                sender.complaint = sender.complaint or "a call was never answered"
                sender.wire.process.kill()
            sender.wire.close()
        stored = asyncio.run(texts(here))
        entries = asyncio.run(_verified(here))
    acknowledged = Counter(text for sender in senders for text in sender.acknowledged)
    lost = [text for text in acknowledged if stored[text] == 0]
    doubled = [text for text, times in stored.items() if times > 1]
    invented = [text for text in stored if text not in acknowledged and not any(text in s.unknown for s in senders)]
    complaints = [sender.complaint for sender in senders if sender.complaint]
    facts: dict[str, Fact] = {
        "kills": killed,
        "acknowledged": sum(acknowledged.values()),
        "cut_off": sum(len(sender.unknown) for sender in senders),
        "stored": sum(stored.values()),
        "lost": len(lost),
        "doubled": len(doubled),
        "never_sent": len(invented),
        "complaints": "; ".join(complaints),
        "journal_entries": entries,
    }
    measured = (
        f"{killed} kills, {sum(acknowledged.values())} acknowledged: {len(lost)} missing, {len(doubled)} doubled; "
        f"journal of {entries} entries verifies"
    )
    met = killed == wanted and not (lost or doubled or invented or complaints)
    what = f"`kill -9` of the hub at random points, {wanted} times under load"
    return [Figure("crash", what, "every acknowledged message there, once; journal verifies", measured, met, facts)]


def _killed(here: Place, chance: random.Random, senders: list[Sender]) -> bool:
    """Once every sender is served again, kill the hub at a random moment of the next half second."""
    # twice more: the first answer may be of the hub that was killed before
    marks = [len(sender.acknowledged) + 2 for sender in senders]
    end = time.monotonic() + SERVED_SECONDS
    while any(len(sender.acknowledged) < mark for sender, mark in zip(senders, marks, strict=True)):
        if time.monotonic() > end or any(sender.complaint for sender in senders):
            return False
        time.sleep(0.005)
    time.sleep(chance.random() * 0.5)
    os.kill(int((here.home / "hub.pid").read_text()), signal.SIGKILL)
    return True


async def _verified(here: Place) -> int:
    """How many entries the journal has; raises Tampered unless all of them verify."""
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        return (await hub.journal.verify()).size
