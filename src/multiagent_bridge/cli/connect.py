"""`mab mcp --connect URL`: where the hub is, what it is asked with, and how its name is checked."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from multiagent_bridge.cli.connect_pump import LOOPBACK, Remote, RemotePump
from multiagent_bridge.cli.standard import standard_streams
from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Unavailable

VARIABLE = "MAB_API_KEY"
FILE = "api.key"
"""In the state directory, unless the environment or `--key-file` says otherwise."""


def remote(
    url: str, name: str | None, key_file: Path | None, ca: Path | None, certificate: Path | None, home: Path
) -> Remote:
    """Check what was said. Raises Invalid, NotAllowed without a key, Unavailable for a file that cannot be used."""
    from multiagent_bridge.mcp.socket import identity

    if name is not None:
        # refuses what is no name
        identity("0" * 32, name, 0)
    where = _checked(url)
    return Remote(where, _key(key_file, home), name or "", _tls(where, ca, certificate))


def _checked(url: str) -> str:
    """The URL of `/mcp`. Raises Invalid where a credential would go out in clear, or to nobody knows whom."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid("that is no URL of a hub", "https://HOST:PORT") from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "\\" in url:
        raise Invalid("that is no URL of a hub", "https://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise Invalid("a credential in an address is known to everybody by now", f"revoke it; set {VARIABLE}")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise Invalid("the key would go out in clear", f"say https://{parts.netloc}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/mcp'}"


def _key(key_file: Path | None, home: Path) -> str:
    from multiagent_bridge.adapters.state import read_secret

    # nothing that is started from here needs it
    given = os.environ.pop(VARIABLE, "")
    if key_file is not None or not given:
        path = key_file.expanduser() if key_file else home / FILE
        content = read_secret(path)
        if content is None and key_file is not None:
            raise Unavailable(f"there is no key file {path}", "mab key create on the hub's machine makes a key")
        given = content.decode("utf-8", "replace") if content else ""
    key = given.strip()
    if not key:
        raise NotAllowed("there is no key for that hub", f"set {VARIABLE}, or put it into {home / FILE} (chmod 600)")
    if not key.isascii() or not key.isprintable() or " " in key or len(key) > 8_192:
        raise Invalid("the key for that hub is not one line of plain characters", "copy it again")
    return key


def _tls(url: str, ca: Path | None, certificate: Path | None) -> ssl.SSLContext | None:
    if not url.startswith("https:"):
        if ca or certificate:
            raise Invalid("certificates need https", "https://HOST:PORT")
        return None
    try:
        context = ssl.create_default_context(cafile=str(ca.expanduser()) if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate.expanduser(), password=lambda: b"")
    except ssl.SSLError as error:
        raise Invalid("a certificate file cannot be used", "PEM; that of a client with its key, no password") from error
    except OSError as error:
        what = error.filename or ca or certificate
        raise Unavailable(f"{what}: {(error.strerror or 'cannot be read').lower()}", "look at the file") from error
    return context


async def serve(url: str, name: str | None, key_file: Path | None, ca: Path | None, certificate: Path | None) -> int:
    """Serve one client over the standard streams from the hub at `url`. Returns the exit status."""
    from multiagent_bridge import config
    from multiagent_bridge.mcp.stream import refuse

    reader, writer = await standard_streams()
    try:
        found = remote(url, name, key_file, ca, certificate, config.home())
    except BridgeError as failed:
        await refuse(reader, writer, failed)
        raise
    with suppress(ConnectionError):
        # the client went away, and so do we
        await RemotePump(found, reader, writer).run()
    return 0
