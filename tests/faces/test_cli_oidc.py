"""`[oidc]` as a person writes it."""

from __future__ import annotations

import pytest

from multiagent_bridge import config
from multiagent_bridge.errors import Invalid
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
        'keyz = "x"',
    ],
)
def test_a_setting_that_would_weaken_or_mean_nothing_is_refused(terminal: Terminal, line: str) -> None:
    (terminal.user / "bridge.toml").write_text(f"[oidc]\n{line}\n", "utf-8")
    with pytest.raises(Invalid):
        config.load()
