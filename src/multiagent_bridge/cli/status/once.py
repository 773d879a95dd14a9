"""`mab status`, once: every conversation that there is."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.system import SystemClock
from multiagent_bridge.cli import output, owner, running
from multiagent_bridge.cli.status.page import page
from multiagent_bridge.cli.status.seen import seen, stored


async def run(as_json: bool) -> None:
    """Print it. Raises what `wiring.open_hub` raises."""
    settings = config.load()
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(owner.hub()) if stored(settings) is not None else None
        at_hub = await asyncio.to_thread(running.look, settings.home)
        places = (await hub.conversations.list(owner.owner())).places if hub else ()
        newest = list(await hub.journal.newest(1)) if hub else []
    rows = [(place.conversation, (place.session, *place.partners)) for place in places]
    told = seen(settings, at_hub, rows, newest[0] if newest else None, SystemClock().now())
    if as_json:
        output.data(told)
        return
    for text, style in page(told, shared=wiring.store_file(settings) is None).lines():
        output.line(text, *style)
