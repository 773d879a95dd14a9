"""`exercise_store`: every law of `ports.Store` and its transactions, for whoever writes an adapter.

@asynccontextmanager
async def opened():
    store = MyStore(...)
    yield store
    await store.close()

await exercise_store(opened)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from multiagent_bridge.ports import Store
from multiagent_bridge.testing.store_api_keys import API_KEY_LAWS
from multiagent_bridge.testing.store_browsers import BROWSER_LAWS
from multiagent_bridge.testing.store_commands import COMMAND_LAWS
from multiagent_bridge.testing.store_master_keys import MASTER_KEY_LAWS
from multiagent_bridge.testing.store_messages import MESSAGE_LAWS
from multiagent_bridge.testing.store_nouns import NOUN_LAWS
from multiagent_bridge.testing.store_passkeys import PASSKEY_LAWS
from multiagent_bridge.testing.store_renewals import RENEWAL_LAWS
from multiagent_bridge.testing.store_reseals import RESEAL_LAWS
from multiagent_bridge.testing.store_silences import SILENCE_LAWS
from multiagent_bridge.testing.store_tasks import TASK_LAWS
from multiagent_bridge.testing.store_transactions import TRANSACTION_LAWS
from multiagent_bridge.testing.store_yolo import YOLO_LAWS

StoreLaw = Callable[[Store], Awaitable[None]]

STORE_LAWS: tuple[StoreLaw, ...] = (
    *TRANSACTION_LAWS,
    *NOUN_LAWS,
    *MESSAGE_LAWS,
    *COMMAND_LAWS,
    *YOLO_LAWS,
    *TASK_LAWS,
    *SILENCE_LAWS,
    *API_KEY_LAWS,
    *BROWSER_LAWS,
    *PASSKEY_LAWS,
    *MASTER_KEY_LAWS,
    *RENEWAL_LAWS,
    *RESEAL_LAWS,
)
"""Each takes an empty store and raises `laws.Broken` when it does not hold."""


async def exercise_store(opened: Callable[[], AbstractAsyncContextManager[Store]]) -> None:
    """Hold an adapter to every law, each with a fresh and empty store. Raises `laws.Broken` for the first that fails."""
    for law in STORE_LAWS:
        async with opened() as store:
            await law(store)
