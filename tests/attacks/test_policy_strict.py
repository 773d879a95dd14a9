"""Safe and restricted: programs inside arguments, names that mean files, and values that a program reads in another way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from multiagent_bridge.guard.policy import judge

AWK_PIECES = [
    "{", "}", "print", " ", "$1", '"x"', ">", ">>", "|", "||", "&", '"touch pwned"', "system", "(", ")", "getline", "<",
    "/", "/a/", ";", "NR==1", "BEGIN", "END", ",", "!", "~", "\\", "printf", '"', "=", "x", "[", "]", "@", "close",
]  # fmt: skip


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(AWK_PIECES), max_size=14))
@example(["{", "print", '"x"', ">", '"pwned"', "}"])
@example(["/", "{", "/", "{", "print", ">", '"pwned"', "}"])
@example(["{", "print", " ", '"touch pwned"', "|", '"sh"', "}"])
@example(["$1", ">", '"x"', "{", "print", "}"])
def test_an_awk_program_that_is_accepted_makes_no_file(tmp_path: Path, pieces: list[str]) -> None:
    program = "".join(pieces)
    if "'" in program or not judge(f"awk '{program}'", "safe").allowed:
        return
    subprocess.run(
        ["awk", program], capture_output=True, cwd=tmp_path, timeout=60, input=b"a b\n1 2\n", check=False, env={}
    )
    assert list(tmp_path.iterdir()) == [], program


@pytest.mark.parametrize(
    "program", [
        '{print > "f"}', '{print >> "f"}', '{print | "sh"}', '{print |& "sh"}', '{"id" | getline}',
        'BEGIN{while((getline x < "/etc/passwd")>0)print x}', 'BEGIN{system("id")}', "{print ENVIRON[1]}",
        'BEGIN{ARGV[1]="/etc/passwd";ARGC=2}{print}', '@load "x"', '@include "x"', '{f="system";@f("id")}',
        'BEGIN{SYMTAB["ARGV"]}', '$1 > 3 {print} {print > "f"}', '/{/ {print > "f"}', '{print}||"id"|"sh"',
        "BEGIN{printf 1 >\"f\"}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["safe", "restricted"])
def test_awk_that_reaches_out_is_refused(program: str, mode: str) -> None:
    assert not judge(f"awk '{program}' a.txt", mode).allowed


@pytest.mark.parametrize(
    "program", ["NR==5", "/foo/", "END{print NR}", "{s+=$1} END {print s}", "length > 80", "$3 > 100", "!seen[$0]++",
                '{print NR": "$0}', "$1 == 2 || $2 >= 3 {n++; print $1, n}", 'BEGIN{FS=","; OFS="\\t"} {print $2, $1}'],
)  # fmt: skip
def test_awk_that_only_reads_is_allowed(program: str) -> None:
    assert judge(f"awk '{program}' a.txt", "safe").allowed


@pytest.mark.parametrize("name", ["src", "src/", "docs", "Makefile", "README", "a.py", "./a", "lib/", "tests"])
def test_checkout_of_what_may_be_a_file_is_refused_and_switch_is_the_way(name: str) -> None:
    assert not judge(f"git checkout {name}", "restricted").allowed
    if "." not in name and not name.endswith("/"):
        assert judge(f"git switch {name}", "restricted").allowed
        assert judge(f"git checkout -b {name}", "restricted").allowed


@pytest.mark.parametrize(
    "line",
    ["git branch --merged -D x", "git branch --contains -d x", "git tag --merged -d x", "git branch --merged=x -M y"],
)
def test_an_option_that_lists_lets_no_other_option_through(line: str) -> None:
    assert not judge(line, "restricted").allowed


@pytest.mark.parametrize(
    "line", ["fd x -x rm", "fd -Xrm", "fd --exec rm", "fd --exec-batch=rm x", "fd -L x", "fd x /etc", "fd x ..",
             "nm --plugin=./x a.o", "objdump @x", "readelf @x", "zcat ../x.gz", "python -m venv --clear src",
             "python -m venv ../x", "python -m venv", "lscpu -s /x"],
)  # fmt: skip
def test_the_programs_that_came_later_are_as_narrow_as_the_others(line: str) -> None:
    for mode in ("safe", "restricted"):
        assert not judge(line, mode).allowed
