"""What authenticators answer, judged by py_webauthn (extra `passkeys`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from multiagent_bridge.errors import NotApproved

SECONDS = 120
"""How long a person may take."""


def here() -> WebAuthn | None:
    """None where the extra is not installed."""
    return WebAuthn() if find_spec("webauthn") is not None else None


class WebAuthn:
    """`ports.Authenticators`. Imports its library at the first use: it costs more than most commands."""

    def __init__(self) -> None:
        self._loaded: Any = None

    @property
    def _library(self) -> Any:
        if self._loaded is None:
            self._loaded = import_module("webauthn")
        return self._loaded

    def creation(self, rp: str, challenge: str, name: str, known: Sequence[bytes]) -> str:
        library, structs = self._library, import_module("webauthn.helpers.structs")
        options = library.generate_registration_options(
            rp_id=rp,
            rp_name="Multiagent Bridge",
            user_name=name,
            challenge=challenge.encode(),
            timeout=SECONDS * 1_000,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=self._descriptors(known),
        )
        return str(library.options_to_json(options))

    def request(self, rp: str, challenge: str, known: Sequence[bytes]) -> str:
        library, structs = self._library, import_module("webauthn.helpers.structs")
        options = library.generate_authentication_options(
            rp_id=rp,
            challenge=challenge.encode(),
            timeout=SECONDS * 1_000,
            allow_credentials=self._descriptors(known),
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return str(library.options_to_json(options))

    def created(self, answer: str, challenge: str, rp: str, origin: str) -> tuple[bytes, bytes, int]:
        _own_page(self._parsed("registration", answer).response.client_data_json)
        try:
            found = self._library.verify_registration_response(
                credential=answer,
                expected_challenge=challenge.encode(),
                expected_rp_id=rp,
                expected_origin=origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise _wrong() from error
        return found.credential_id, found.credential_public_key, found.sign_count

    def credential(self, answer: str) -> bytes:
        return bytes(self._parsed("authentication", answer).raw_id)

    def asserted(self, answer: str, challenge: str, rp: str, origin: str, public_key: bytes, count: int) -> int:
        _own_page(self._parsed("authentication", answer).response.client_data_json)
        try:
            found = self._library.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge.encode(),
                expected_rp_id=rp,
                expected_origin=origin,
                credential_public_key=public_key,
                credential_current_sign_count=count,
                require_user_verification=True,
            )
        except Exception as error:
            raise _wrong() from error
        return int(found.new_sign_count)

    def _parsed(self, kind: str, answer: str) -> Any:
        helpers = import_module("webauthn.helpers")
        try:
            return getattr(helpers, f"parse_{kind}_credential_json")(answer)
        except Exception as error:
            raise _wrong() from error

    def _descriptors(self, known: Sequence[bytes]) -> list[Any]:
        structs = import_module("webauthn.helpers.structs")
        return [structs.PublicKeyCredentialDescriptor(id=one) for one in known]


def _own_page(client: bytes) -> None:
    """The answer was asked for by the page itself and by no frame within another (level 2, 5.8.1); the library does not look."""
    try:
        found = json.loads(client)
        embedded = found.get("crossOrigin") not in (None, False) or found.get("topOrigin") is not None
    except (ValueError, AttributeError) as error:
        raise _wrong() from error
    if embedded:
        raise _wrong()


def _wrong() -> NotApproved:
    # one sentence for all: what exactly was wrong helps only who made it up; the cause is kept
    return NotApproved(
        "the answer of the authenticator is not what was asked for", "try again on the page, or type the code"
    )
