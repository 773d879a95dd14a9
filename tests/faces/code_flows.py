"""A browser that signs in at the issuer, as bytes on the wire see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from multiagent_bridge.services.code_flow import RETURN
from multiagent_bridge.web.code_flow import DONE, START
from tests.faces.browsing import Site, site
from tests.faces.http_yard import UNLIMITED
from tests.oidc_issuer import Issuer, trusting

FROM_THERE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What a browser says of itself when the issuer sends it back."""


@asynccontextmanager
async def stage(issuer: Issuer, signs_in: Mapping[str, Any] | None = None, **more: Any) -> AsyncIterator[Site]:
    """A dashboard where people sign in at the issuer, as operators unless it says otherwise."""
    issuer.identity.setdefault("roles", ["mab-operator"])
    place = more.pop("place", {})
    world = trusting(issuer, signs_in=signs_in or {}, **({"limits": UNLIMITED} | more))
    async with site(world, **place) as here:
        yield here


async def begun(browser: httpx2.AsyncClient) -> str:
    """Off to the issuer: the address there."""
    answer = await browser.get(START)
    assert answer.status_code == 303
    return answer.headers["location"]


async def back(browser: httpx2.AsyncClient, answer: Mapping[str, str]) -> httpx2.Response:
    """The browser comes back with this authorization response."""
    return await browser.get(RETURN, params=dict(answer), headers=FROM_THERE)


async def signed_in(issuer: Issuer, browser: httpx2.AsyncClient) -> httpx2.Response:
    """The whole way there and back."""
    answer = await back(browser, issuer.agreed(await begun(browser)))
    assert (answer.status_code, answer.headers["location"]) == (303, DONE)
    return answer


def word(answer: httpx2.Response) -> str:
    """Why nobody was signed in, as our address says it; no cookie opens anything then."""
    where = answer.headers["location"]
    assert answer.status_code == 303, answer.status_code
    assert where.startswith("/sign-in?failed="), where
    assert not any(line.startswith("mab_browser") for line in answer.headers.get_list("set-cookie"))
    return where.partition("=")[2]
