"""The meter of several hubs, beside the store: three windows judged and charged by one script, which Redis runs alone.

An act that is refused after it was charged has spent its charge: the charge is not part of the transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.resources import files

from redis.exceptions import ReadOnlyError

from multiagent_bridge.adapters.redis.address import LOST, RETRY_SECONDS, Address, translated
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.guard import rate
from multiagent_bridge.model.limits import SECOND, Window
from multiagent_bridge.ports import Tx

_SCRIPT = (files(__package__) / "meter.lua").read_text(encoding="utf-8")


class RedisMeter:
    """`ports.Meter`; `async with RedisMeter(address) as meter`. Raises Unavailable with `retry_after` while Redis is away:
    who cannot be counted is not let in.

    A server that says nothing is waited for by one charge, then by none for `RETRY_SECONDS`: whoever is charged holds the
    journal's head, and all of a batch waiting one after the other would keep every other hub from writing.
    """

    def __init__(self, address: Address) -> None:
        self._client = address.client("meter")
        self._charge = self._client.register_script(_SCRIPT)
        self._prefix = f"{address.prefix}:rate:"
        self._slow_seconds = min(address.connect_seconds, address.answer_seconds) / 2
        self._silent_until = 0.0

    async def open(self) -> None:
        """Raises Unavailable when the server does not answer."""
        try:
            await self._client.ping()
        except LOST as error:
            raise translated(error) from error

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> RedisMeter:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def charge(self, tx: Tx, key: str, windows: Sequence[Window], now: int) -> int:
        """As `ports.Meter.charge`; at most `rate.WINDOWS` windows, else ValueError."""
        if len(windows) > rate.WINDOWS:
            raise ValueError(f"a bucket has room for {rate.WINDOWS} windows, not {len(windows)}")
        if not windows:
            return 0
        began = time.monotonic()
        if began < self._silent_until:
            raise translated(TimeoutError("it said nothing a moment ago"))
        costs = [str(number) for w in windows for number in (rate.emission(w), w.seconds * SECOND)]
        try:
            found = await self._charge(keys=[self._prefix + key], args=[str(now), str(rate.SLACK), *costs])
            return int(found)
        except LOST as error:
            # the driver names a silence in several ways; one that is refused at once is asked again at the next call
            if time.monotonic() - began >= self._slow_seconds:
                self._silent_until = time.monotonic() + RETRY_SECONDS
            if isinstance(error, ReadOnlyError):
                # it became a replica and keeps its connections: the address may lead to another by now
                await self._client.connection_pool.disconnect()
            raise translated(error) from error
        except (TypeError, ValueError) as error:
            raise Unavailable("Redis answered what nobody asked", "see who else writes under its prefix") from error
