"""Certificates: renewed while connections stand, refused when they are wrong, asked of clients."""

from __future__ import annotations

import ssl
from pathlib import Path

import anyio
import httpx2
import pytest

from multiagent_bridge.errors import BridgeError, Invalid, Unavailable
from multiagent_bridge.web.tls import Certificates

from .http_yard import ALICE, BOB, certified, fields, yard

pytestmark = pytest.mark.anyio


def serial(port: int, ca: Path) -> int:
    """The number of the certificate that new connections are shown."""
    from cryptography import x509

    shown = ssl.get_server_certificate(("127.0.0.1", port), ca_certs=str(ca))
    return x509.load_pem_x509_certificate(shown.encode()).serial_number


async def test_a_new_certificate_is_taken_up_and_no_connection_breaks(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiagent_bridge.web.tls.LOOK_SECONDS", 0.05)
    async with yard(tmp_path / "tls") as here:
        assert here.certificate is not None
        await here.pair(era)
        before = await anyio.to_thread.run_sync(serial, here.port, here.certificate)
        async with here.client(ALICE, era) as alice, here.client(BOB, era) as bob:
            found: list[object] = []

            async def wait() -> None:
                found.append((await fields(bob, "check_messages", wait_seconds=50))["messages"][0]["message"])

            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    while not any(exchange.busy for exchange in here.endpoint._exchanges):
                        await anyio.sleep(0.01)
                    authority = (here.certificate, tmp_path / "tls" / "ca.key")
                    certificate, key = certified(tmp_path / "new", "server", authority)
                    certificates = here.face._certificates
                    assert certificates is not None
                    first, seen = certificates.context(), certificates._seen
                    key.replace(tmp_path / "tls" / "server.key")
                    # for a moment the two do not belong together
                    while certificates._seen == seen:
                        await anyio.sleep(0.01)
                    assert certificates.context() is first
                    certificate.replace(tmp_path / "tls" / "server.pem")
                    while certificates.context() is first:
                        await anyio.sleep(0.01)
                    await fields(alice, "send_to_partner", message="the same connection")
        assert found == ["the same connection"]
        assert await anyio.to_thread.run_sync(serial, here.port, here.certificate) != before


async def test_a_renewal_that_is_wrong_leaves_the_old_certificate_in_use(tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    held = Certificates(certificate, key)
    before = held.context()
    certificate.write_text("half a file")
    with pytest.raises(Invalid):
        held.renew()
    assert held.context() is before
    assert held.renew() is False
    certified(tmp_path)
    assert held.renew() is True
    assert held.context() is not before


async def test_a_renewal_whose_key_was_open_to_everybody_is_taken_up_after_the_chmod_that_is_advised(
    tmp_path: Path,
) -> None:
    certificate, key = certified(tmp_path)
    held = Certificates(certificate, key)
    before = held.context()
    certified(tmp_path)
    key.chmod(0o644)
    with pytest.raises(Unavailable) as refused:
        held.renew()
    assert refused.value.hint.startswith("chmod 600")
    assert held.context() is before
    key.chmod(0o600)
    assert held.renew() is True
    assert held.context() is not before


async def test_a_client_without_the_certificate_that_is_asked_for_gets_no_answer(tmp_path: Path) -> None:
    authority = certified(tmp_path / "ca", "ca")
    theirs = certified(tmp_path / "client", "client", authority)
    stranger = certified(tmp_path / "stranger", "stranger")
    async with yard(tmp_path / "tls", tls_client_ca=str(authority[0])) as here:
        for shown in (None, stranger, theirs):
            context = ssl.create_default_context(cafile=str(here.certificate))
            if shown is not None:
                context.load_cert_chain(*shown)
            async with httpx2.AsyncClient(verify=context, trust_env=False, timeout=60) as http:
                if shown is theirs:
                    assert (await http.get(f"{here.face.url}/healthz")).status_code == 200
                else:
                    with pytest.raises(httpx2.TransportError):
                        await http.get(f"{here.face.url}/healthz")


async def test_a_client_of_an_old_protocol_or_of_none_is_let_go(tmp_path: Path) -> None:
    async with yard(tmp_path / "tls") as here:
        old = ssl.create_default_context(cafile=str(here.certificate))
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx2.AsyncClient(verify=old, trust_env=False, timeout=60) as http:
            with pytest.raises(httpx2.TransportError):
                await http.get(f"{here.face.url}/healthz")
        assert not (await here.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")).startswith(b"HTTP")
        async with here.http() as http:
            assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("wrong", ["missing", "open", "other", "text"])
async def test_files_that_cannot_serve_are_named_at_the_start(wrong: str, tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    other, _ = certified(tmp_path, "other")
    expected: type[BridgeError] = Unavailable if wrong in ("missing", "open") else Invalid
    if wrong == "missing":
        key.unlink()
    elif wrong == "open":
        key.chmod(0o604)
    elif wrong == "other":
        certificate = other
    else:
        key.write_text("no key")
    with pytest.raises(expected) as refused:
        Certificates(certificate, key)
    assert refused.value.hint
