"""Resources: what a bound session may follow, read without marking anything."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from multiagent_bridge.errors import BridgeError, NotAllowed, NotFound
from multiagent_bridge.guard.resources import KINDS, Resource, named
from multiagent_bridge.mcp.connection import current
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.watches import LOOK

Context = ServerRequestContext[Any, Any]
T = TypeVar("T")
Fields = Mapping[str, object]

NOT_FOUND_LEGACY = -32002
"""The revisions of 2025 have a code of their own for a resource that is not there; later it is an invalid parameter."""

REFUSED = -32000
UNEXPECTED = "failed: the bridge met an error of its own (it is in hub.log; mab doctor helps to report it)"
JSON = "application/json"

DESCRIPTIONS: Mapping[str, str] = {
    "inbox": "How many messages wait, and from which sessions. check_messages brings them.",
    "tasks": "The tasks of the conversation by id and state. list_tasks says what they are.",
    "status": "What each partner is doing and whether it is alive. check_partner_status has their notes.",
}

TASK = ("task_id", "state", "priority", "ready", "creator", "assignee", "updated_at")
PARTNER = ("session_id", "status", "last_heartbeat", "age_seconds", "alive", "unread")

log = logging.getLogger(__name__)


class Resources:
    """Each names ids, counts and states alone: no word that an agent wrote, so that a client may show them to its model
    without a frame. Reading marks nothing. `asks` says who asks, or raises NotAllowed.
    """

    def __init__(self, hub: Hub, asks: Callable[[], Awaitable[Caller]]) -> None:
        self._hub = hub
        self._asks = asks
        self._reads: Mapping[str, Callable[[Caller, Resource], Awaitable[Fields]]] = {
            "inbox": self._inbox,
            "tasks": self._tasks,
            "status": self._status,
        }

    async def listed(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        """Those of every session that the caller is bound to."""

        async def found(caller: Caller) -> types.ListResourcesResult:
            places = await self._hub.conversations.list(caller)
            seats = [(place.conversation.id, place.session.id) for place in places.places]
            return types.ListResourcesResult(
                resources=[
                    types.Resource(
                        uri=Resource(kind, conversation, session).uri,
                        name=f"{kind} of session {session} in {conversation}",
                        description=DESCRIPTIONS[kind],
                        mime_type=JSON,
                    )
                    for conversation, session in seats
                    for kind in KINDS
                ]
            )

        return await self.answered(ctx, found)

    async def templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """The same for everybody: they say nothing of who is there."""
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=f"mab://{kind}/{{conversation_id}}/{{session_id}}",
                    name=kind,
                    description=DESCRIPTIONS[kind],
                    mime_type=JSON,
                )
                for kind in KINDS
            ]
        )

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """What waits for the session, what tasks there are, what its partners do."""

        async def found(caller: Caller) -> types.ReadResourceResult:
            resource = await self.named(caller, params.uri)
            fields = {"conversation_id": resource.conversation_id, "session_id": resource.session_id}
            text = json.dumps({**fields, **await self._reads[resource.kind](caller, resource)}, indent=1)
            content = types.TextResourceContents(uri=resource.uri, mime_type=JSON, text=text)
            return types.ReadResourceResult(contents=[content])

        return await self.answered(ctx, found, params.uri)

    async def _inbox(self, caller: Caller, resource: Resource) -> Fields:
        waiting = await self._hub.watches.inbox(caller, resource.seat, self._hub.limits.reads)
        senders = [{"session_id": sender, "messages": count} for sender, count in waiting.senders.items()]
        call = f"check_messages(conversation_id={waiting.conversation_id!r})" if waiting.unread else None
        return {"unread": waiting.unread, "from": senders, "next": call}

    async def _tasks(self, caller: Caller, resource: Resource) -> Fields:
        found = [one.fields() for one in await self._hub.tasks.list(caller, resource.seat)]
        return {"tasks": [{name: fields[name] for name in TASK} for fields in found]}

    async def _status(self, caller: Caller, resource: Resource) -> Fields:
        found = [one.fields() for one in (await self._hub.status.partners(caller, resource.seat)).seen]
        return {"partners": [{name: fields[name] for name in PARTNER} for fields in found]}

    async def named(self, caller: Caller, uri: str) -> Resource:
        """The resource of that URI. Raises NotFound for what cannot be one, once that is written down."""
        try:
            return named(uri)
        except NotFound as error:
            await self._hub.journal.refused(caller, LOOK, error)
            raise

    async def answered(self, ctx: Context, act: Callable[[Caller], Awaitable[T]], uri: str | None = None) -> T:
        """What `act` answers to who asks. A refusal becomes an error of the protocol, the same for somebody else's resource
        as for one that never was.
        """
        connection = current.get()
        try:
            caller = await self._asks()
            if connection is not None:
                await connection.pace()
            return await act(caller)
        except BridgeError as error:
            if connection is not None:
                connection.refused()
            raise self._fault(ctx, error, uri) from error
        except Exception as error:
            log.exception("%s failed", ctx.method)
            raise MCPError(types.INTERNAL_ERROR, UNEXPECTED) from error

    def _fault(self, ctx: Context, error: BridgeError, uri: str | None) -> MCPError:
        missing = types.INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else NOT_FOUND_LEGACY
        code = missing if isinstance(error, (NotFound, NotAllowed)) else REFUSED
        try:
            said = self._hub.redaction.text(str(error)).text
        except BridgeError:
            said = f"{error.code}: withheld, it could not be checked for secrets"
        shown = None
        with suppress(NotFound):
            # anything else may be a text of any kind, and is not repeated
            shown = named(uri).uri if uri is not None else None
        return MCPError(code, said, {"uri": shown} if shown else None)
