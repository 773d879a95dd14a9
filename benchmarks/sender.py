"""One client of the throughput row: `python -m benchmarks.sender TOOL NUMBER SECONDS`.

Says `ready`, reads on standard input when all begin (`time.monotonic`), and reports as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

from benchmarks.wire import Failed, Wire


def main(tool: str, number: int, seconds: float) -> None:
    """One client: a closed loop from the common start on, then a report."""
    wire = Wire(os.environ)
    wire.call("create_conversation", my_role="sender", partner_role="reader")
    sent: list[str] = []
    calls, error = 0, ""
    print("ready", flush=True)
    began = float(sys.stdin.readline())
    time.sleep(max(0.0, began - time.monotonic()))
    try:
        while time.monotonic() < began + seconds:
            if tool == "noop":
                wire.call("noop")
            else:
                text = f"client {number}, message {calls}: the build is green again; the flaky test was the clock"
                wire.call(tool, message=text)
                sent.append(text)
            calls += 1
    except (Failed, EOFError) as failed:
        error = str(failed)
    json.dump({"calls": calls, "texts": sent, "error": error}, sys.stdout)
    sys.stdout.flush()
    wire.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
