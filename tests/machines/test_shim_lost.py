"""What the shim does with a line that met a closed connection: it is the next hub's, and is not answered as interrupted."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from multiagent_bridge.shim import pump

LINE = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_conversations"}}\n'


def test_a_line_that_no_hub_took_is_handed_to_the_next_one_and_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(pump, "_write", written.append)
    hub: Any = None
    shim = pump.Pump(hub)
    ours, theirs = socket.socketpair()
    theirs.close()
    shim._connection = ours
    given_up = threading.Event()
    wait = shim._lock.wait

    def waits(*words: Any) -> bool:
        given_up.set()
        return wait(*words)

    monkeypatch.setattr(shim._lock, "wait", waits)
    handing = threading.Thread(target=shim._hand_over, args=(LINE,))
    handing.start()
    assert given_up.wait(60)
    shim._lost(ours)
    near, far = socket.socketpair()
    with near, far:
        with shim._lock:
            shim._connection = near
            shim._lock.notify_all()
        handing.join(60)
        far.settimeout(60)
        assert far.recv(1_000) == LINE
    assert written == []
