"""Ask the hub of this container whether it serves: status 0 when `/healthz` says so.

A proxy in front brings TLS, or the hub itself does. Its certificate is for its name outside, so it is not looked at here,
where nothing but loopback is crossed and nothing secret is sent.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request

SECONDS = 4.0


def main() -> int:
    port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAB_HTTP__LISTEN", "").rpartition(":")[2] or "8765"
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    # no proxy of the environment: it is asked for by its address on this machine
    asking = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unverified)
    )
    scheme = "https" if os.environ.get("MAB_HTTP__TLS_CERT") else "http"
    try:
        with asking.open(f"{scheme}://127.0.0.1:{port}/healthz", timeout=SECONDS) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
