"""What an agent's client waits for and pays for: starting `mab mcp`, and the memory it holds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, p50
from benchmarks.places import Place, served
from benchmarks.wire import MAB, META

ASK = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_conversations", "_meta": META}}
).encode()
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
LEGACY = b"\n".join(
    json.dumps(line).encode()
    for line in (
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_conversations"}},
    )
)


def _first_result(here: Place, asked: bytes) -> float:
    start = time.perf_counter()
    shim = subprocess.Popen([MAB, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=here.env)
    assert shim.stdin is not None
    assert shim.stdout is not None
    shim.stdin.write(asked + b"\n")
    shim.stdin.flush()
    while json.loads(shim.stdout.readline())["id"] != 1:
        pass
    took = time.perf_counter() - start
    shim.stdin.close()
    shim.wait(120)
    shim.stdout.close()
    return took


def _nothing(here: Place) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True, env=here.env)
    return time.perf_counter() - start


def spawn(quick: bool) -> list[Figure]:
    """Spawn to first tool result with the hub running, in turn with an interpreter that does nothing."""
    count = 15 if quick else 60
    modern, legacy, nothing = [], [], []
    with served() as here:
        _first_result(here, ASK)
        for _ in range(count):
            nothing.append(_nothing(here))
            modern.append(_first_result(here, ASK))
            legacy.append(_first_result(here, LEGACY))
    ratio = p50(modern) / p50(nothing)
    facts = {
        "ratio": ratio,
        "ratio_with_legacy_handshake": p50(legacy) / p50(nothing),
        "modern_p50_ms": p50(modern) * 1e3,
        "legacy_p50_ms": p50(legacy) * 1e3,
        "python_p50_ms": p50(nothing) * 1e3,
        "runs": count,
    }
    measured = (
        f"{ratio:.2f} x ({milliseconds(p50(modern))} / {milliseconds(p50(nothing))}); "
        f"with the 2025 handshake {p50(legacy) / p50(nothing):.2f} x"
    )
    what = "`mab mcp` spawn to first tool result, hub running, against `python -c pass`"
    return [Figure("spawn", what, "at most 4 x", measured, ratio <= 4, facts)]


def memory(quick: bool) -> list[Figure]:
    """Resident memory of a shim that has served a call, against an interpreter that waits for input."""
    with served() as here:
        wire = here.wire()
        for _ in range(20):
            wire.call("list_conversations")
        bare = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=here.env
        )
        assert bare.stdin is not None
        _settled(bare.pid)
        shim, plain = resident(wire.process.pid), resident(bare.pid)
        bare.stdin.close()
        bare.wait(120)
        wire.close()
    ratio = shim / plain
    facts = {"ratio": ratio, "shim_kib": shim, "python_kib": plain}
    measured = f"{ratio:.2f} x ({shim / 1024:.1f} / {plain / 1024:.1f} MiB)"
    what = "resident memory of the shim against `python -c 'input()'`"
    return [Figure("memory", what, "at most 1.5 x", measured, ratio <= 1.5, facts)]


def resident(process: int) -> int:
    """VmRSS in KiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {process} has no memory")


def _settled(process: int) -> None:
    """Wait until the interpreter has started: until its memory no longer grows."""
    before = -1
    while (now := resident(process)) != before:
        before = now
        time.sleep(0.2)
