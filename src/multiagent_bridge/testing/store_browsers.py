"""Laws of browsers and sign-in links: a link opens once, a browser ends once, nobody shares a digest."""

from __future__ import annotations

from dataclasses import replace

from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.browsers import Browser, Link
from multiagent_bridge.ports import Store
from multiagent_bridge.testing.laws import HOUR, NOW, agree, refused, together

LINK = Link(b"\x00\xff" * 16, "Zoë", ("operator", "auditor"), None, "", None, NOW + 60, "5eal")
OF_KEY = Link(b"\x01" * 32, "pipeline", ("operator",), ("conv_1", "conv_2"), "key_1", NOW + HOUR, NOW + 61, "ab" * 32)
PLAIN = Browser("browser_1", b"\x00\xff" * 16, "Zoë", ("operator",), None, "", NOW, NOW + HOUR, "5eal", NOW)
CONFINED = Browser(
    "browser_2", b"\x01" * 32, "pipeline", ("operator", "auditor"), ("conv_1",), "key_1", NOW - 1, NOW + 9, "ab", NOW
)


async def put(store: Store, *browsers: Browser) -> None:
    for one in browsers:
        await store.write(lambda tx, b=one: tx.browsers.add(b))  # type: ignore[misc]


async def of_many_who_take_a_link_one_gets_it(store: Store) -> None:
    for link in (LINK, OF_KEY, replace(OF_KEY, digest=b"\x02" * 32, conversations=())):
        await store.write(lambda tx, k=link: tx.browsers.add_link(k))  # type: ignore[misc]
        taken = await together([lambda k=link: store.write(lambda tx: tx.browsers.take_link(k.digest))] * 8)  # type: ignore[misc]
        agree([one for one in taken if one is not None], [link], "one of eight gets it, as it was stored")
        agree(await store.write(lambda tx, k=link: tx.browsers.take_link(k.digest)), None, "and nobody afterwards")  # type: ignore[misc]
    for other in (b"\x03" * 32, b"", LINK.digest[:16]):
        agree(await store.write(lambda tx, o=other: tx.browsers.take_link(o)), None, "a digest that nobody has")  # type: ignore[misc]


async def no_two_links_share_a_digest(store: Store) -> None:
    await store.write(lambda tx: tx.browsers.add_link(LINK))
    twin = replace(OF_KEY, digest=LINK.digest)
    await refused(store.write(lambda tx: tx.browsers.add_link(twin)), Conflict, "a digest is one link's")
    agree(await store.write(lambda tx: tx.browsers.take_link(LINK.digest)), LINK, "and the first stays")


async def a_browser_comes_back_as_it_was_stored(store: Store) -> None:
    nowhere = replace(PLAIN, id="browser_3", digest=b"\x02" * 32, conversations=())
    await put(store, PLAIN, CONFINED, nowhere)
    for wanted in (PLAIN, CONFINED, nowhere):
        agree(await store.read(lambda tx, w=wanted: tx.browsers.get(w.id)), wanted, "by its id")  # type: ignore[misc]
        agree(await store.read(lambda tx, w=wanted: tx.browsers.by_digest(w.digest)), wanted, "by its digest")  # type: ignore[misc]
    agree(list(await store.read(lambda tx: tx.browsers.list())), [PLAIN, CONFINED, nowhere], "in the order of adding")
    agree(await store.read(lambda tx: tx.browsers.get("browser_9")), None, "an id that nobody has")
    agree(await store.read(lambda tx: tx.browsers.by_digest(b"\x03" * 32)), None, "a digest that nobody has")


async def no_two_browsers_share_an_id_or_a_digest(store: Store) -> None:
    await put(store, PLAIN)
    for twin in (replace(CONFINED, id=PLAIN.id), replace(CONFINED, digest=PLAIN.digest)):
        await refused(store.write(lambda tx, t=twin: tx.browsers.add(t)), Conflict, "id and digest are its own")  # type: ignore[misc]
    agree(list(await store.read(lambda tx: tx.browsers.list())), [PLAIN], "and nothing of the twin is left")


async def of_many_who_end_a_browser_one_does(store: Store) -> None:
    await put(store, PLAIN, CONFINED)
    won = await together([lambda: store.write(lambda tx: tx.browsers.end("browser_1", NOW + 5))] * 8)
    agree(won.count(True), 1, "a browser ends once")
    agree(await store.write(lambda tx: tx.browsers.end("browser_9", NOW)), False, "one that is not there does not end")
    ended = replace(PLAIN, ended_at=NOW + 5)
    agree(list(await store.read(lambda tx: tx.browsers.list())), [ended, CONFINED], "the others go on")


async def a_browser_was_last_seen_when_the_clock_said_so(store: Store) -> None:
    await put(store, PLAIN, CONFINED)
    for at in (NOW + 7, NOW + 3):
        await store.write(lambda tx, a=at: tx.browsers.touch("browser_1", a))  # type: ignore[misc]
        agree(await store.read(lambda tx: tx.browsers.get("browser_1")), replace(PLAIN, seen_at=at), "also set back")
    await store.write(lambda tx: tx.browsers.touch("browser_9", NOW))
    agree(await store.read(lambda tx: tx.browsers.get("browser_2")), CONFINED, "another was not seen")


async def what_is_over_is_swept(store: Store) -> None:
    for link in (LINK, OF_KEY):
        await store.write(lambda tx, k=link: tx.browsers.add_link(k))  # type: ignore[misc]
    ended = replace(PLAIN, id="browser_3", digest=b"\x02" * 32, ended_at=NOW)
    await put(store, PLAIN, CONFINED, ended)
    agree(await store.write(lambda tx: tx.browsers.sweep(NOW + 60)), 3, "a link, an expired and an ended browser")
    agree(list(await store.read(lambda tx: tx.browsers.list())), [PLAIN], "the one that stands stays")
    agree(await store.write(lambda tx: tx.browsers.take_link(LINK.digest)), None, "the old link is gone")
    agree(await store.write(lambda tx: tx.browsers.take_link(OF_KEY.digest)), OF_KEY, "the younger is not")


BROWSER_LAWS = (
    of_many_who_take_a_link_one_gets_it,
    no_two_links_share_a_digest,
    a_browser_comes_back_as_it_was_stored,
    no_two_browsers_share_an_id_or_a_digest,
    of_many_who_end_a_browser_one_does,
    a_browser_was_last_seen_when_the_clock_said_so,
    what_is_over_is_swept,
)
