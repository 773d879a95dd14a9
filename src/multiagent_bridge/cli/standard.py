"""Standard input and output of this process as streams of the event loop."""

from __future__ import annotations

import asyncio
import os
import stat

from multiagent_bridge.errors import Invalid


async def standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Standard input and output of this process. Raises Invalid unless each is a pipe, a socket or a terminal."""
    if not (_waits(0) and _waits(1)):
        raise Invalid(
            "standard input or output is a file",
            "an MCP client starts this with pipes; by hand: cat FILE | mab mcp ... | cat",
        )
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", 0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(os.dup(1), "wb", 0))
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def _waits(handle: int) -> bool:
    """Whether the event loop can wait for it: a file is always ready, and the kernel refuses to watch one."""
    try:
        mode = os.fstat(handle).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(handle)
