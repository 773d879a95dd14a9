"""What every law shares: how it says that it is broken, and the rows it works on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.messages import Message
from multiagent_bridge.model.sessions import Session
from multiagent_bridge.ports import Store, Tx

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

NOW = 1_790_000_000 * SECOND
"""The instant at which the laws play: microseconds since 1970, UTC."""

HOUR = 3600 * SECOND


class Broken(AssertionError):
    """An adapter breaks a law of `ports`. Raised also where Python runs without assertions."""


def agree(found: object, wanted: object, law: str) -> None:
    """Raises Broken, naming the law, unless the two are equal."""
    if found != wanted:
        raise Broken(f"{law}: found {found!r}, wanted {wanted!r}")


async def refused(attempt: Awaitable[object], wanted: type[E], law: str) -> E:
    """The error of an attempt that must fail with `wanted`. Raises Broken when it succeeds; other errors pass."""
    try:
        result = await attempt
    except wanted as error:
        return error
    raise Broken(f"{law}: it was not refused with {wanted.__name__} but returned {result!r}")


def conversation(name: str = "conv_1", created_at: int = NOW) -> Conversation:
    return Conversation(name, created_at, created_at + 3 * HOUR, b"wrapped " + name.encode())


async def seat(store: Store, name: str = "conv_1", sessions: Sequence[str] = ("a", "b", "c")) -> None:
    """A conversation with its sessions."""

    async def seated(tx: Tx) -> None:
        await tx.conversations.add(conversation(name))
        for session in sessions:
            await tx.sessions.add(Session(name, session, f"role of {session}"))

    await store.write(seated)


def message(number: int, sender: str = "a", key: str | None = None, name: str = "conv_1") -> Message:
    body = f"sealed {number}".encode()
    return Message(name, number, sender, "info", body, len(body), NOW + number, None, key, "ab" * 32)


async def send(store: Store, count: int, recipients: Sequence[str] = ("b",), name: str = "conv_1") -> list[int]:
    """Store `count` messages as a service would. Returns their ids."""

    async def sent(tx: Tx) -> int:
        number = await tx.conversations.count_message(name, 8)
        await tx.messages.add(message(number, name=name), recipients)
        return number

    return [await store.write(sent) for _ in range(count)]


def draft(number: int, name: str = "conv_1") -> Draft:
    return Draft(NOW + number, name, "a", f"session {name}/a", "message.send", facts={"n": number})


async def unread(store: Store, session: str = "b", name: str = "conv_1") -> int:
    """The counter of the session."""
    found = await store.read(lambda tx: tx.sessions.get(name, session))
    if found is None:
        raise Broken(f"the session {session} is gone")
    return found.unread


async def together(work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run all at once and return their results in order. Raises the first error after all have ended."""
    import asyncio

    results = await asyncio.gather(*(one() for one in work), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
