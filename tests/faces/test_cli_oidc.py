"""`[oidc]` as a person writes it."""

from __future__ import annotations

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.oidc.issuer import OidcIssuer
from multiagent_bridge.errors import Invalid
from multiagent_bridge.testing.clock import FakeClock
from tests.faces.terminal import Terminal

WRITTEN = """
[oidc]
issuer = "https://login.example.org/realms/team"
audience = ["https://bridge.example.org/mcp"]
roles_claim = "realm_access.roles"
agent = ["bridge-agent", "bridge-both"]
operator = ["bridge-operator", "bridge-both"]
leeway_seconds = 5
"""


def test_the_settings_of_the_user_say_how_claims_are_read(terminal: Terminal) -> None:
    (terminal.user / "bridge.toml").write_text(WRITTEN, "utf-8")
    found = config.load().oidc
    assert (found.issuer, found.audience) == (
        "https://login.example.org/realms/team",
        ("https://bridge.example.org/mcp",),
    )
    claiming = found.claiming
    assert (claiming.roles_claim, claiming.leeway, claiming.conversations_claim) == ("realm_access.roles", 5, "")
    assert claiming.roles == {
        "agent": {"bridge-agent", "bridge-both"},
        "operator": {"bridge-operator", "bridge-both"},
        "auditor": frozenset(),
        "admin": frozenset(),
    }


def test_without_settings_nobody_is_believed_and_no_value_gives_a_role(terminal: Terminal) -> None:
    found = config.load().oidc
    assert found.issuer == ""
    assert not any(found.claiming.roles.values())


def test_people_sign_in_there_once_the_hub_is_a_client_whose_secret_is_shown_nowhere(terminal: Terminal) -> None:
    assert config.load().oidc.client_id == ""
    more = 'client_id = "bridge-dashboard"\nclient_secret = "s3cret-of-the-client"\nscopes = ["openid", "roles"]\n'
    (terminal.user / "bridge.toml").write_text(WRITTEN + more, "utf-8")
    found = config.load().oidc
    assert (found.client_id, found.scopes) == ("bridge-dashboard", ("openid", "roles"))
    assert found.client_secret is not None
    assert found.client_secret.get_secret_value() == "s3cret-of-the-client"
    assert "s3cret" not in repr(found)
    assert "s3cret" not in terminal.mab("config", "show").out


def test_a_workspace_names_no_issuer(terminal: Terminal) -> None:
    (terminal.project / "bridge.toml").write_text(WRITTEN, "utf-8")
    with pytest.raises(Invalid):
        config.load()


@pytest.mark.parametrize(
    "line",
    [
        'algorithms = ["none"]',
        'algorithms = ["HS256"]',
        "algorithms = []",
        'agent = "everybody"',
        'owner = ["boss"]',
        'roles_claim = ""',
        "leeway_seconds = 121",
        "keys_seconds = 9",
        "sign_in_seconds = 43_201",
        "sign_in_seconds = 60",
        'scopes = "openid"',
        'keyz = "x"',
    ],
)
def test_a_setting_that_would_weaken_or_mean_nothing_is_refused(terminal: Terminal, line: str) -> None:
    (terminal.user / "bridge.toml").write_text(f"[oidc]\n{line}\n", "utf-8")
    with pytest.raises(Invalid):
        config.load()


def test_a_client_of_no_issuer_or_with_a_secret_that_cannot_be_read_is_refused(terminal: Terminal) -> None:
    client = {"client_id": "bridge-dashboard", "client_secret": f"file:{terminal.user / 'secret'}"}
    alone = config.load(oidc=client)
    with pytest.raises(Invalid):
        wiring.authorization_server_of(alone, FakeClock(), None)
    whole = config.load(oidc={**client, "issuer": "https://login.example.org", "audience": ["https://hub.example.org"]})
    issuer = OidcIssuer(whole.oidc.issuer, whole.oidc.audience, FakeClock())
    with pytest.raises(Invalid):
        wiring.authorization_server_of(whole, FakeClock(), issuer)
    (terminal.user / "secret").write_text("s3cret-of-the-client\n", "utf-8")
    found = wiring.authorization_server_of(whole, FakeClock(), issuer)
    assert found is not None
    assert found.name == "https://login.example.org"
    assert wiring.authorization_server_of(config.load(), FakeClock(), None) is None
