"""Certificates: read at the start, read again when their files change. Connections that stand keep what they began with."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
from pathlib import Path

from multiagent_bridge.errors import BridgeError, Invalid, Unavailable

LOOK_SECONDS = 2.0

log = logging.getLogger(__name__)


class Certificates:
    """The context that new connections are taken with.

    Raises Unavailable when a file cannot be used, Invalid when certificate and key do not belong together.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._files = (certificate, key, client_ca)
        self._seen = self._marks()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        return self._context

    async def follow(self) -> None:
        """Take up what is in the files whenever they change, until cancelled; what is wrong leaves the old ones in use."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.renew()
            except BridgeError as error:
                # a renewal half done is looked at again when its other half comes; clients go on meanwhile
                log.error("the new certificate is not used: %s", error)

    def renew(self) -> bool:
        """Read the files again if they changed. Raises as the constructor does; the old ones stay in use then."""
        marks = self._marks()
        if marks == self._seen:
            return False
        self._seen = marks
        self._context = self._read()
        log.info("new TLS certificates are in use")
        return True

    def _marks(self) -> tuple[tuple[int, ...], ...]:
        found = []
        for path in self._files:
            try:
                status = path.stat() if path else None
            except OSError:
                status = None
            # the last one moves with a chmod, too: a key that was refused for its mode may be mended by no more than that
            found.append((status.st_mtime_ns, status.st_ino, status.st_size, status.st_ctime_ns) if status else ())
        return tuple(found)

    def _read(self) -> ssl.SSLContext:
        certificate, key, client_ca = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        assert certificate is not None
        assert key is not None
        try:
            if stat.S_IMODE(key.stat().st_mode) & 0o007:
                raise Unavailable(f"the TLS key {key} is open to everybody", f"chmod 600 {key}, and get a new key")
            context.load_cert_chain(certificate, key, password=_no_password)
            if client_ca is not None:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except ssl.SSLError as error:
            raise Invalid(
                f"the TLS certificate {certificate} and its key cannot be used",
                "both in PEM form, belonging together, the key without a password",
            ) from error
        except OSError as error:
            raise Unavailable(
                f"{error.filename or certificate}: {(error.strerror or 'not readable').lower()}",
                f"look at the files: ls -l {os.path.commonpath([certificate.absolute().parent, key.absolute().parent])}",
            ) from error
        return context


def _no_password() -> bytes:
    # nobody is at the terminal of a server that reads its key again
    return b""
