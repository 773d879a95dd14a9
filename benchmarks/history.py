"""A conversation with a hundred thousand messages behind it."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack

from benchmarks.figures import Figure, milliseconds, p50
from benchmarks.places import Place, served
from benchmarks.wire import Wire
from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import Caller, Credentials

LONG, SHORT = 100_000, 100
AT_ONCE = 64


def newest(quick: bool) -> list[Figure]:
    """`check_messages` of one new message, in turn in a long conversation that was read and in a short one."""
    count = 60 if quick else 300
    with served() as here:
        long, short = _filled(here, LONG), _filled(here, SHORT)
        slow, fast, looked_back, looked_back_short = [], [], [], []
        for _ in range(count):
            slow.append(_checked(*long))
            fast.append(_checked(*short))
            looked_back.append(_timed(long[1], history=True))
            looked_back_short.append(_timed(short[1], history=True))
        for wire in (*long, *short):
            wire.close()
    ratio = p50(slow) / p50(fast)
    back = p50(looked_back) / p50(looked_back_short)
    facts = {
        "ratio": ratio,
        "history_ratio": back,
        "long_p50_ms": p50(slow) * 1e3,
        "short_p50_ms": p50(fast) * 1e3,
        "checks": count,
    }
    measured = f"{ratio:.2f} x ({milliseconds(p50(slow))} / {milliseconds(p50(fast))}); history=true {back:.2f} x"
    what = f"conversation with {LONG:,} messages: `check_messages` of the newest"
    return [Figure("history", what, f"within 1.5 x of one with {SHORT}", measured, ratio <= 1.5, facts)]


def _filled(here: Place, messages: int) -> tuple[Wire, Wire]:
    """Sender and reader of a conversation in which so many messages were sent and read."""
    sender, reader = here.wire(), here.wire()
    made = sender.call("create_conversation", my_role="sender", partner_role="reader")
    reader.call("join_conversation", invite=made["sessions"][1]["invite"])
    mine = Credentials(made["conversation_id"], "a", made["session_a_token"])
    asyncio.run(_sent(here, mine, messages))
    reader.call("check_messages", ack_through=messages, auto_ack=False)
    return sender, reader


async def _sent(here: Place, mine: Credentials, messages: int) -> None:
    """Send them through a hub of this process, many at once so that they share commits."""
    os.environ.update(here.env)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        me = Caller("key:filler", "filler", f"uid:{os.geteuid()}")
        for start in range(0, messages, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, messages))
            await asyncio.gather(*(hub.messages.send(me, mine, f"message {n} of a long story") for n in numbers))


def _checked(sender: Wire, reader: Wire) -> float:
    sender.call("send_to_partner", message="the newest")
    return _timed(reader)


def _timed(reader: Wire, **arguments: object) -> float:
    start = time.perf_counter()
    found = reader.call("check_messages", **arguments)["messages"]
    took = time.perf_counter() - start
    assert found
    return took
