"""A hub with everything in it that agents can write, as bad as they can make it."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.attacks.sites import Site, opened
from tests.browser.visits import hub_of, signed_in
from tests.machines.places import UNLIMITED, made

SCRIPT = "</title></textarea><script>window.planted=1</script>"
IMAGE = '"\'><img src=x onerror="window.planted=1">'
LINK = '<a href="javascript:window.planted=1">javascript:window.planted=1</a>'
FETCH = '<b hx-get="/sign-in" hx-trigger="load" hx-on:click="window.planted=1" autofocus onfocus="window.planted=1">'
PLANTED = SCRIPT + IMAGE + LINK + FETCH + "{{7*7}}"

TURNED = "\u202eturned\u2066\u200b\ufeff\u0645\u0631\u062d\u0628\u0627"
"""Text that turns around what follows, shows nothing, and reads from right to left."""

ARABIC = "\u0645\u0631\u062d\u0628\u0627"

LONG = "x" * 50_000
WIDE = "w" * 100


@dataclass(frozen=True)
class Content:
    """`paths` are the pages by name; `state` is a browser that is signed in."""

    site: Site
    url: str
    state: Any
    paths: dict[str, str]


@contextmanager
def filled(chromium: Browser) -> Iterator[Content]:
    """A hub with what real agents wrote, in a conversation whose commands ask a person first."""
    workspace = Path(tempfile.mkdtemp(prefix="shop-"))
    try:
        with made(**UNLIMITED) as place:
            place.serve("--http", "127.0.0.1:0")
            site = opened(place, workspace, "restricted")
            paths = written(site)
            page = signed_in(chromium, place, [])
            url, state = hub_of(page), page.context.storage_state()
            page.context.close()
            yield Content(site, url, state, paths)
            place.verified()
    finally:
        shutil.rmtree(workspace)


def written(site: Site) -> dict[str, str]:
    """Fill every field that an agent controls; the pages where it shows."""
    alice, bob, mine = site.alice, site.bob, site.conversation
    carol, dave = site.place.agent(), site.place.agent()
    other = carol.good("create_conversation", my_role=SCRIPT, partner_role=IMAGE, more_roles=[LINK, ARABIC, WIDE])
    dave.good("join_conversation", invite=other["sessions"][1]["invite"])
    for one, words in ((alice, PLANTED), (bob, TURNED), (carol, PLANTED), (dave, LONG)):
        one.good("send_to_partner", message=words, files_involved=[PLANTED, ARABIC, f"{WIDE * 4}.py"])
        one.good("update_my_status", status="working", note=words[:400])
    carol.good("send_to_partner", message=LONG, action_type="question")
    dave.good("check_messages")
    tasks: list[str] = []
    for title, words in ((PLANTED[:200], PLANTED), (ARABIC, TURNED), (WIDE * 2, LONG[:5_000])):
        task = carol.good("assign_task", title=title, description=words, depends_on=tasks[-1:], priority="P0")
        tasks.append(task["task_id"])
    fence = dave.good("update_task", task_id=tasks[0], action="accept")["fence"]
    dave.good("update_task", task_id=tasks[0], action="progress", progress=PLANTED + WIDE * 4, fence=fence)
    dave.good("update_task", task_id=tasks[0], action="complete", result=PLANTED + TURNED, fence=fence)
    dave.good("update_task", task_id=tasks[1], action="accept")
    # what is refused is an entry, too
    assert bob.call("update_task", task_id=PLANTED, action="accept").failed
    assert bob.call("send_to_partner", message="x", to=[PLANTED]).failed
    asked = [site.asks(shlex.join(["python3", "count.py", words, WIDE * 3])) for words in (SCRIPT, IMAGE, LINK)]
    site.place.mab("yolo", "deny", asked[2])
    second = other["conversation_id"]
    return {
        "live": "/",
        "conversations": "/conversations",
        "conversation": f"/conversations/{second}",
        "its search": f"/conversations/{second}?q=planted",
        "tasks": "/tasks",
        "task": f"/tasks/{second}/{tasks[0]}",
        "approvals": "/approvals",
        "approval": f"/approvals/{asked[0]}",
        "approvals together": f"/approvals/chosen?id={asked[0]}&id={asked[1]}",
        "passkeys": "/approvals/passkeys",
        "journal": "/journal",
        "entry": f"/journal/entries/{len(site.place.entries()) - 3}",
        "verification": "/journal/verification",
        "health": "/health",
        "error": f"/conversations/{mine}/nothing",
    }
