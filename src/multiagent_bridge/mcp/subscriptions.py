"""Subscriptions: a client is told that a resource moved, never what is in it, in the words of either protocol era.

Listen first, then look, then wait: the bell says when to look, the look says whether anything moved.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.shared.subscriptions import (
    SUBSCRIPTION_ID_META_KEY,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    event_to_notification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from multiagent_bridge.errors import BridgeError, Refused, Unavailable
from multiagent_bridge.guard.resources import Resource
from multiagent_bridge.mcp.resources import Context, Resources
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.status import board
from multiagent_bridge.services.topics import inbox, tasks_topic
from multiagent_bridge.services.watches import LOOK, Mark

TICK_SECONDS = 10.0
"""How often a subscription looks without having been rung: then it sees that its session was rotated, revoked or erased."""

MOST = 64
"""Subscriptions that one agent may have open: each is a listener of the bell and a few kilobytes."""

LISTEN = "subscriptions/listen"
FOLLOWING = "mab.following"

TOPICS: Mapping[str, Callable[[Resource], str]] = {
    "inbox": lambda resource: inbox(resource.conversation_id, resource.session_id),
    "tasks": lambda resource: tasks_topic(resource.conversation_id),
    "status": lambda resource: board(resource.conversation_id),
}

Tell = Callable[[ServerEvent], Awaitable[None]]
Following = dict[str, asyncio.Task[None]]

log = logging.getLogger(__name__)


class Subscriptions:
    def __init__(self, hub: Hub, resources: Resources) -> None:
        self._hub = hub
        self._resources = resources
        self._open: Counter[str] = Counter()
        self._lists: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def add_to(self, server: Server[Any]) -> None:
        """Serve them, and declare of them what holds."""
        server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self.subscribe)
        server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self.unsubscribe)
        server.add_request_handler(LISTEN, types.SubscriptionsListenRequestParams, self.listen)

        async def discover(ctx: Context, params: types.RequestParams) -> types.DiscoverResult:
            found = server.get_capabilities(protocol_version=ctx.protocol_version)
            if found.tools is not None:
                # the SDK declares it as soon as anything can be listened to; our tools never change
                found.tools.list_changed = False
            return types.DiscoverResult(
                supported_versions=list(MODERN_PROTOCOL_VERSIONS), capabilities=found, instructions=server.instructions
            )

        server.add_request_handler("server/discover", types.RequestParams, discover)

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """As the revisions of 2025 have it: until it is taken back or the connection ends."""
        following = _following(ctx)
        # over HTTP it goes to a stream that the client may not have opened, and nobody can tell
        arrives = ctx.request is None

        async def subscribed(caller: Caller) -> types.EmptyResult:
            resource = await self._resources.named(caller, params.uri)
            if not arrives and ctx.session._connection.session_id is None:
                raise await self._refused(caller, "a subscription needs a session", "keep the Mcp-Session-Id header")
            mark = await self._begun(caller, resource)
            if resource.uri not in following:
                await self._fits(caller, 1)
                task = asyncio.create_task(self._follow(caller, resource, mark, tell, arrives))
                self._open[caller.agent] += 1
                following[resource.uri] = task
                task.add_done_callback(lambda task: self._gone(caller, following, resource.uri, task))
            return types.EmptyResult()

        async def tell(event: ServerEvent) -> None:
            if isinstance(event, ResourceUpdated):
                await ctx.session.send_resource_updated(event.uri)

        return await self._resources.answered(ctx, subscribed, params.uri)

    def _gone(self, caller: Caller, following: Following, uri: str, task: asyncio.Task[None]) -> None:
        self._left(caller, 1)
        if following.get(uri) is task:
            del following[uri]

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Whatever the URI says, there is no subscription to it afterwards."""
        if task := _following(ctx).pop(params.uri, None):
            task.cancel()
        return types.EmptyResult()

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """As 2026-07-28 has it: one request whose answer is the stream. It ends by itself when nothing is left to follow.

        Every resource is admitted before any is acknowledged: one that is refused is refused as by a read.
        """
        wanted = list(dict.fromkeys(params.notifications.resource_subscriptions or ()))
        lists = params.notifications.resources_list_changed is True
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}

        async def tell(event: ServerEvent) -> None:
            await ctx.session.send_notification(event_to_notification(event, meta), related_request_id=ctx.request_id)

        async def listened(caller: Caller) -> None:
            await self._fits(caller, max(1, len(wanted)))
            with self._counted(caller, max(1, len(wanted))):
                found = [(one, await self._begun(caller, one)) for one in await self._all(caller, wanted)]
                honored = types.SubscriptionFilter(
                    resources_list_changed=lists or None, resource_subscriptions=[one.uri for one, _ in found] or None
                )
                said = types.SubscriptionsAcknowledgedNotificationParams(notifications=honored, _meta=meta)
                acknowledged = types.SubscriptionsAcknowledgedNotification(params=said)
                await ctx.session.send_notification(acknowledged, related_request_id=ctx.request_id)
                async with anyio.create_task_group() as group:
                    for resource, mark in found:
                        group.start_soon(self._follow, caller, resource, mark, tell)
                    if lists:
                        group.start_soon(self._follow_list, caller, tell)
                    elif not found:
                        # ended at once, a client would only ask again
                        await anyio.sleep_forever()

        await self._resources.answered(ctx, listened, wanted[0] if len(wanted) == 1 else None)
        return types.SubscriptionsListenResult(_meta=meta)

    async def joined(self, ctx: Context, caller: Caller) -> None:
        """The caller has joined a conversation: its list of resources is longer."""
        for changed in self._lists.get(caller.agent, ()):
            changed.set()
        if ctx.request is None:
            # the revisions of 2025, which are told so at the start; later ones hear of it where they listen
            await ctx.session.send_resource_list_changed()

    async def _all(self, caller: Caller, uris: list[str]) -> list[Resource]:
        return [await self._resources.named(caller, uri) for uri in uris]

    async def _begun(self, caller: Caller, resource: Resource) -> Mark:
        return await self._hub.watches.begin(caller, resource, self._hub.limits.reads)

    async def _fits(self, caller: Caller, count: int) -> None:
        """Raises Refused when the agent would have more than `MOST` open."""
        if self._open[caller.agent] + count > MOST:
            raise await self._refused(
                caller, f"more than {MOST} subscriptions are too many", "unsubscribe from some first"
            )

    async def _refused(self, caller: Caller, sentence: str, hint: str) -> Refused:
        """The refusal, once its entry is written."""
        error = Refused(sentence, hint)
        await self._hub.journal.refused(caller, LOOK, error)
        return error

    @contextmanager
    def _counted(self, caller: Caller, count: int) -> Iterator[None]:
        self._open[caller.agent] += count
        try:
            yield
        finally:
            self._left(caller, count)

    def _left(self, caller: Caller, count: int) -> None:
        self._open[caller.agent] -= count
        if self._open[caller.agent] <= 0:
            del self._open[caller.agent]

    async def _follow(self, caller: Caller, resource: Resource, mark: Mark, tell: Tell, arrives: bool = True) -> None:
        """Tell of each movement, of several at once where they come faster, until the session may no longer look.

        Then it is told once more, so that its client looks and is told why, and this returns. Unless what is told surely
        `arrives`, no sender sees its mail as notified for it.
        """
        updated = ResourceUpdated(resource.uri)
        try:
            await self._followed(caller, resource, mark, lambda: tell(updated), arrives)
        except BridgeError as why:
            with suppress(Unavailable):
                await self._hub.watches.ended(caller, resource, why)
        except Exception:
            log.exception("a subscription ended")
        await tell(updated)
        for changed in self._lists.get(caller.agent, ()):
            changed.set()

    async def _followed(
        self, caller: Caller, resource: Resource, mark: Mark, tell: Callable[[], Awaitable[None]], arrives: bool
    ) -> None:
        """Raises NotAllowed, Refused or NotFound once it is over; a store that is down is waited for."""
        watches, wait = self._hub.watches, TICK_SECONDS
        async with self._hub.bell.listen(TOPICS[resource.kind](resource)) as ear:
            while True:
                with suppress(Unavailable):
                    seen = await watches.moved(caller, resource, mark)
                    mark, wait = seen.mark, min(TICK_SECONDS, seen.left + 0.01)
                    if seen.news:
                        await tell()
                        if arrives and resource.kind == "inbox":
                            await watches.told(caller, resource.seat, mark.message)
                await ear.wait(wait)

    async def _follow_list(self, caller: Caller, tell: Tell) -> None:
        changed = asyncio.Event()
        self._lists[caller.agent].add(changed)
        try:
            while await changed.wait():
                changed.clear()
                await tell(ResourcesListChanged())
        finally:
            self._lists[caller.agent].discard(changed)
            if not self._lists[caller.agent]:
                del self._lists[caller.agent]


def _following(ctx: Context) -> Following:
    """The subscriptions of a connection, which end with it. SDK 2.3 has no public way to what outlives a request."""
    connection = ctx.session._connection
    following: Following | None = connection.state.get(FOLLOWING)
    if following is None:
        following = connection.state[FOLLOWING] = {}
        connection.exit_stack.push_async_callback(_ended, following)
    return following


async def _ended(following: Following) -> None:
    tasks = list(following.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
