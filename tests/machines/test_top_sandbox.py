"""From an agent's request to its result, with a person before `mab top`: a real hub, a real terminal, a real sandbox."""

from __future__ import annotations

import re

import pytest

from tests.attacks.sites import enabled
from tests.machines.screens import screen

pytestmark = [pytest.mark.machines, pytest.mark.sandbox, pytest.mark.timeout(180)]

CODE = re.compile(r"Type the code (\w{6}) to approve this command")
NOTE = "what the person sees is what runs\n"


def test_what_a_person_approves_by_keys_runs_in_the_sandbox() -> None:
    with enabled("safe") as site:
        (site.workspace / "notes.txt").write_text(NOTE)
        asked = site.alice.good("execute_command", command="cat notes.txt", dry_run=False)
        number = str(asked["command_id"])
        assert asked["state"] == "pending"
        with screen(site.place.home, "top", **site.place.env) as top:
            top.until(lambda text: '["cat", "notes.txt"]' in text, "the request")
            before = len(top.text)
            top.press("a")
            shown = top.until(CODE.search, "all of it, and the code", before)
            for what in (str(site.workspace), "network   no", "sandbox ", "digest ", str(asked["digest"])):
                assert what in shown, what
            top.press(f"{CODE.findall(shown)[-1]}\r")
            top.until(lambda text: f"approved {number} until" in text, "the approval", before)
            done = site.alice.good("execute_command", command_id=number, dry_run=False, wait_seconds=50)
            assert (done["state"], done["stdout"]) == ("done", NOTE)
            top.until(lambda text: f"command.finish {number}" in text, "its end in the journal", before)
            top.press("q")
            assert top.ended() == 0
