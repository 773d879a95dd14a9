"""The door: ./dev starts from anywhere with next to nothing, and asks for exactly what the lock holds."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.pages import ROOT
from tools import dev

FILE = {"hash": "sha256:" + "0" * 64}


def package(name: str, version: str = "1", **more: object) -> dict[str, object]:
    return {"name": name, "version": version, "source": {"registry": "r"}, "sdist": FILE, **more}


def lines(*packages: dict[str, object], needs: list[dict[str, object]]) -> dict[str, str]:
    """{name: marker} of what a project that needs `needs` asks for."""
    project = {"name": "p", "version": "0", "source": {"editable": "."}, "dependencies": needs, "dev-dependencies": {}}
    asked = dev.locked_requirements({"package": [project, *packages]}, ())
    found = [Requirement(line.split(" --hash=")[0]) for line in asked]
    return {f"{r.name}{r.specifier}": str(r.marker or "") for r in found}


def run(*words: str, script: Path = ROOT / "dev", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """./dev with an environment of one variable: no HOME, no locale."""
    return subprocess.run(
        [script, *words],
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_help_needs_neither_home_nor_the_right_folder_and_names_every_command(tmp_path: Path) -> None:
    link = tmp_path / "a link"
    link.symlink_to(ROOT / "dev")
    answer = run("help", script=link, cwd=tmp_path)
    assert answer.returncode == 0
    assert {line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ")} == {*dev.COMMANDS, "help"}


def test_an_unknown_command_is_a_usage_error_of_one_sentence() -> None:
    answer = run("tset")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)


def test_a_python_that_is_too_old_is_named_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = subprocess.run(
        [ROOT / "dev", "test"], env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)}, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert str(old) in answer.stderr


def test_a_package_that_two_paths_lead_to_is_wanted_on_either() -> None:
    asked = lines(
        package("left", dependencies=[{"name": "both", "marker": "sys_platform == 'win32'"}]),
        package("right", dependencies=[{"name": "both", "marker": "os_name == 'nt'"}]),
        package("both"),
        needs=[{"name": "left"}, {"name": "right", "marker": "python_version < '3.12'"}],
    )
    marker = Requirement(f"both ; {asked['both==1']}").marker
    assert marker is not None
    assert marker.evaluate({"sys_platform": "win32", "os_name": "posix", "python_version": "3.13"})
    assert marker.evaluate({"sys_platform": "linux", "os_name": "nt", "python_version": "3.11"})
    assert not marker.evaluate({"sys_platform": "linux", "os_name": "nt", "python_version": "3.13"})


def test_an_unconditional_path_wins_over_a_conditional_one_and_cycles_end() -> None:
    asked = lines(
        package("one", dependencies=[{"name": "two", "marker": "os_name == 'nt'"}]),
        package("two", dependencies=[{"name": "one"}]),
        needs=[{"name": "one"}, {"name": "two"}],
    )
    assert asked == {"one==1": "", "two==1": ""}


def test_a_package_locked_twice_is_asked_for_by_its_fork() -> None:
    asked = lines(
        package("forked", "1", **{"resolution-markers": ["python_full_version < '3.12'"]}),
        package("forked", "2", **{"resolution-markers": ["python_full_version >= '3.12'"]}),
        needs=[{"name": "forked"}],
    )
    assert asked == {"forked==1": 'python_full_version < "3.12"', "forked==2": 'python_full_version >= "3.12"'}


def test_an_extra_brings_its_own_packages() -> None:
    extra = package("rich", **{"optional-dependencies": {"x": [{"name": "only"}]}})
    assert set(lines(extra, package("only"), needs=[{"name": "rich", "extra": ["x"]}])) == {"rich==1", "only==1"}
    assert set(lines(extra, package("only"), needs=[{"name": "rich"}])) == {"rich==1"}


def test_every_line_of_the_real_lock_is_exact_and_hashed() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    asked = dev.locked_requirements(lock, ("test", "check"))
    assert len(asked) > 40
    for line in asked:
        requirement, *hashes = line.split(" --hash=")
        assert str(Requirement(requirement).specifier).startswith("==")
        assert hashes
        assert all(text.startswith("sha256:") for text in hashes)
    names = {line.split("==")[0] for line in asked}
    assert {line.split("==")[0] for line in dev.locked_requirements(lock, ())} < names


def test_a_group_that_the_lock_lacks_is_an_error() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    with pytest.raises(KeyError):
        dev.locked_requirements(lock, ("nonsense",))
