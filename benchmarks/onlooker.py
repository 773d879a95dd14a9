"""Open dashboards, for benchmarks/dashboard.py: each holds its stream of events and fetches the parts that moved.

Run as `python -m benchmarks.onlooker URL PAGES`, with a JSON list of cookies on the first line of stdin, among whom the pages are
dealt; says `open` when every stream is, and at the end of stdin how many parts were fetched and how many fetches failed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress

import httpx2

PARTS = {
    "mab-journal": ("/live/timeline",),
    "mab-messages": ("/live/conversations",),
    "mab-conversations": ("/live/conversations",),
    "mab-status": ("/live/conversations",),
    "mab-approvals": ("/live/approvals",),
}
"""What the page *Live* fetches when a topic moved."""


class Onlookers:
    def __init__(self, url: str, cookies: Sequence[str]) -> None:
        here = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self.browsers = [
            httpx2.AsyncClient(
                base_url=url, headers={**here, "cookie": cookie}, trust_env=False, timeout=300, limits=limits
            )
            for cookie in cookies
        ]
        self.fetched = self.errors = self.open = 0

    async def look(self, number: int) -> None:
        """One open page, until it is cancelled."""
        browser = self.browsers[number % len(self.browsers)]
        async with browser.stream("GET", "/events", timeout=None) as answer:
            assert answer.status_code == 200, answer.status_code
            self.open += 1
            moved: set[str] = set()
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    moved.update(PARTS.get(line[7:], ()))
                elif not line and moved:
                    for part in sorted(moved):
                        found = await browser.get(part)
                        self.fetched += 1
                        self.errors += found.status_code != 200
                    moved.clear()


async def main(url: str, pages: int) -> None:
    loop = asyncio.get_running_loop()
    cookies = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    onlookers = Onlookers(url, cookies)
    looking = [asyncio.create_task(onlookers.look(number)) for number in range(pages)]
    while onlookers.open < pages:
        await asyncio.sleep(0.05)
        for one in looking:
            if one.done():
                one.result()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    for one in looking:
        if one.done() and not one.cancelled():
            onlookers.errors += 1
        one.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*looking, return_exceptions=True)
    for browser in onlookers.browsers:
        await browser.aclose()
    sys.stdout.write(json.dumps([onlookers.fetched, onlookers.errors]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
