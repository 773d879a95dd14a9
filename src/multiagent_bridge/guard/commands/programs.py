"""Programs that read files and show the machine: accepted options, from the manuals of coreutils, util-linux, procps and file.

Left out of a row on purpose: options that write (tree -o), read lists of file names from a file (--files0-from, file -f), change
the machine (date -s) or never end (tail -f).
"""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.programs_text import TEXT_PROGRAMS
from multiagent_bridge.guard.commands.verdict import Denied


def _listing_of_environment(given: Given) -> None:
    """`ps e` (without a dash) and the format `environ` print environments."""
    if any(not re.fullmatch(r"[auxfjlwh]{1,6}", word) for word in given.texts()):
        raise Denied("ps.environment", "only the letters a, u, x, f, j, l, w are accepted without a dash")
    if any("env" in value for values in given.options.values() for value in values):
        raise Denied("ps.environment", "environments of processes are not shown")


def _no_variable(given: Given) -> None:
    if given.operands and given.operands[0].text.startswith("-"):
        raise Denied("printf.option", "printf takes no option")


PROGRAMS: tuple[Program, ...] = (
    Program(
        "cat",
        "-AbeEnstTuv --show-all --number-nonblank --show-ends --number --squeeze-blank --show-tabs --show-nonprinting",
        "path*",
        allow=("cat -n notes.md",),
        refuse=("cat /etc/hosts",),
    ),
    Program(
        "head",
        "-n=number -c=number -qvz --lines=number --bytes=number --quiet --verbose",
        "path*",
        number=True,
        allow=("head -5 notes.md",),
        refuse=("head -z ../x",),
    ),
    Program(
        "tail",
        "-n=number -c=number -qvz --lines=number --bytes=number --quiet --verbose",
        "path*",
        number=True,
        allow=("tail -n +3 notes.md",),
        refuse=("tail -f app.log",),
    ),
    Program(
        "ls",
        "-aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1 -I=text -w=number -T=number --all --almost-all --author "
        "--block-size=number --classify?=word --color?=word --directory --full-time --group-directories-first "
        "--human-readable --inode --no-group --numeric-uid-gid --recursive --reverse --size --sort=word "
        "--time=word --time-style=text --hide=text --ignore=text --width=number --si --escape --literal "
        "--format=word",
        "path*",
        allow=("ls -la src",),
        refuse=("ls --dired",),
    ),
    Program(
        "wc",
        "-cmlLw --bytes --chars --lines --max-line-length --words --total=word",
        "path*",
        allow=("wc -l a.txt",),
        refuse=("wc --files0-from=list",),
    ),
    Program(
        "stat",
        "-fLt -c=text --format=text --printf=text --file-system --dereference --terse",
        "path*",
        allow=("stat -c %s a.txt",),
        refuse=("stat /root",),
    ),
    Program(
        "file",
        "-bhikLpN0rv -F=text -e=word --brief --mime --mime-type --mime-encoding --extension --keep-going "
        "--no-dereference --dereference --no-pad --exclude=word --separator=text",
        "path*",
        allow=("file -b --mime-type a.bin",),
        refuse=("file -m magic a", "file -z a.gz"),
    ),
    Program(
        "du",
        "-abcDhHkmlPSsx0 -d=number -t=number -B=number --all --apparent-size --bytes --total --human-readable "
        "--max-depth=number --summarize --one-file-system --exclude=text --si --separate-dirs --threshold=number "
        "--time",
        "path*",
        allow=("du -sh lib",),
        refuse=("du -X list",),
    ),
    Program(
        "df",
        "-ahHiklPT -t=word -x=word -B=number --all --human-readable --inodes --local --portability --print-type "
        "--total --output?=list --type=word --exclude-type=word --si",
        "path*",
        allow=("df -hT",),
        refuse=("df /root",),
    ),
    Program(
        "free",
        "-bkmghtwl --bytes --kibi --mebi --gibi --kilo --mega --giga --human --wide --total --si --lohi",
        allow=("free -h",),
        refuse=("free -s 1",),
    ),
    Program("uptime", "-psV --pretty --since", allow=("uptime -p",), refuse=("uptime x",)),
    Program(
        "ps",
        "-eAafFlHLTjw -o=list -p=list -u=word -C=word -g=word -t=word --sort=list --ppid=list --pid=list "
        "--user=word --forest --no-headers --width=number",
        "word*",
        check=_listing_of_environment,
        allow=(
            "ps -ef",
            "ps -eo pid,comm",
        ),
        refuse=("ps auxe", "ps -eo pid,environ"),
    ),
    Program("pwd", "-LP --logical --physical", allow=("pwd -P",), refuse=("pwd x",)),
    Program("whoami", allow=("whoami 2>&1",), refuse=("whoami x",)),
    Program("id", "-ugGnr --user --group --groups --name --real", "word", allow=("id -u",), refuse=("id -Z",)),
    Program("groups", "", "word", allow=("groups",), refuse=("groups -x",)),
    Program(
        "uname",
        "-asnrvmpio --all --kernel-name --kernel-release --machine --operating-system",
        allow=("uname -a",),
        refuse=("uname x",),
    ),
    Program("hostname", "", allow=("hostname",), refuse=("hostname box",)),
    Program("nproc", "--all --ignore=number", allow=("nproc",), refuse=("nproc x",)),
    Program("arch", allow=("arch",), refuse=("arch x",)),
    Program(
        "date",
        "-uR -I?=word -d=text -r=path --date=text --reference=path --utc --universal --rfc-email --rfc-3339=word "
        "--iso-8601?=word",
        "plus",
        allow=("date -d yesterday",),
        refuse=("date 010203042027", "date --set=now", "date -f list"),
    ),
    Program("cal", "-13ymj", "number number number", allow=("cal 2026",), refuse=("cal --x",)),
    Program("true", "", "text*", raw=True, allow=("true",), refuse=("true $x",)),
    Program("false", "", "text*", raw=True, allow=("false",), refuse=("false $x",)),
    Program("echo", "", "text*", raw=True, allow=("echo -n done",), refuse=("echo *",)),
    Program(
        "printf", "", "text*", raw=True, check=_no_variable, allow=("printf '%s\\n' a",), refuse=("printf -v HOME x",)
    ),
    Program("expr", "", "text*", raw=True, allow=("expr 3 - 1",), refuse=("expr 2 * 3",)),
    Program("test", "", "inside*", raw=True, allow=("test -f a.txt",), refuse=("test -f /etc/passwd",)),
    Program("[", "", "inside*", raw=True, allow=("[ -d src ]",), refuse=("[ -f ../x ]",)),
    Program(
        "seq",
        "-w -f=text -s=text --equal-width --separator=text --format=text",
        "number number number",
        number=True,
        allow=("seq 1 5",),
        refuse=("seq a b",),
    ),
    Program(
        "basename",
        "-az -s=text --multiple --suffix=text --zero",
        "text*",
        allow=("basename src/a.py .py",),
        refuse=("basename -x a",),
    ),
    Program("dirname", "-z --zero", "text*", allow=("dirname src/a.py",), refuse=("dirname -x a",)),
    Program(
        "realpath",
        "-emLPqsz --canonicalize-existing --canonicalize-missing --logical --physical --quiet --strip "
        "--no-symlinks --relative-to=path --relative-base=path",
        "path*",
        allow=("realpath --relative-to=. src",),
        refuse=("realpath ../x",),
    ),
    Program(
        "readlink",
        "-femnqsvz --canonicalize --canonicalize-existing --canonicalize-missing --no-newline",
        "path*",
        allow=("readlink -f lib",),
        refuse=("readlink /proc/self/exe",),
    ),
    Program("which", "-a", "word*", allow=("which git",), refuse=("which --read-alias",)),
    *TEXT_PROGRAMS,
)
