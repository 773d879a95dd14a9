"""Which sandboxes there are, and the one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.choice import sandboxes
from multiagent_bridge.adapters.sandbox.unconfined import UnconfinedSandbox
from multiagent_bridge.testing import sandboxes as laws
from multiagent_bridge.testing.sandboxes import SandboxLaw, Site
from tests.attacks.landlock_yard import yard

pytestmark = pytest.mark.anyio

KEPT = (
    laws.a_program_runs_in_the_workspace,
    laws.a_pipe_joins_output_to_input,
    laws.the_environment_of_the_caller_stays_out,
    laws.the_time_of_a_plan_is_bounded,
    laws.nothing_outlives_the_run,
    laws.a_cancelled_run_is_dead_when_it_lets_go,
    laws.a_name_means_a_program_and_its_digest,
    laws.another_folder_is_not_the_workspace,
)
"""What holds without any sandbox: supervision."""


def test_those_that_protect_best_stand_first(tmp_path: Path) -> None:
    image = "tools@sha256:" + "5e" * 32
    assert [one.name for one in sandboxes(tmp_path)] == ["bubblewrap", "landlock"]
    assert [one.name for one in sandboxes(tmp_path, docker_image=image)] == ["bubblewrap", "docker", "landlock"]
    assert [one.name for one in sandboxes(tmp_path, required=False)] == ["bubblewrap", "landlock", "none"]


async def test_no_sandbox_says_so_first_and_is_not_for_yolo(tmp_path: Path) -> None:
    profile = await UnconfinedSandbox(tmp_path).profile()
    assert profile.lacks[0].startswith("NO SANDBOX: ")
    assert profile.modes == ("safe", "restricted")


@pytest.mark.parametrize("law", KEPT, ids=lambda law: law.__name__)
async def test_without_a_sandbox_commands_are_supervised_all_the_same(law: SandboxLaw) -> None:
    with yard() as place:
        await law(Site(UnconfinedSandbox(place.top / "state"), place.site.folder))


async def test_without_a_sandbox_nobody_is_root_and_nothing_is_gained() -> None:
    with yard() as place:
        site = Site(UnconfinedSandbox(place.top / "state"), place.site.folder)
        outcome = await site.shell(
            "id -u; grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status; cat ../outside/read"
        )
        user, *said, outside = outcome.stdout.head.decode().split()
        assert int(user) != 0
        assert said == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
        assert outside == "read", "that is what its name says"
