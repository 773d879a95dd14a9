"""Programs that read: their accepted options, from the manual pages of coreutils, util-linux, procps, binutils and others.

Left out of a row on purpose: options that write (sort -o, tree -o), execute (sort --compress-program), read lists of file names
or further options from a file (--files0-from, file -f), change the machine (date -s) or never end (tail -f).
"""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.verdict import Denied

_SUM = "-bt --binary --text --tag -z --zero"


def _listing_of_environment(given: Given) -> None:
    """`ps e` (without a dash) and the format `environ` print environments."""
    if any(not re.fullmatch(r"[auxfjlwh]{1,6}", word) for word in given.texts()):
        raise Denied("ps.environment", "only the letters a, u, x, f, j, l, w are accepted without a dash")
    if any("env" in value for values in given.options.values() for value in values):
        raise Denied("ps.environment", "environments of processes are not shown")


def _filter_without_modules(given: Given) -> None:
    """A jq filter must not import modules or read the environment; `.env` is a key."""
    if given.operands and re.search(
        r"\$ENV|(?<![.\w\"])(?:env|import|include|input_filename|debug|get_search_list|modulemeta)\b",
        given.operands[0].text,
    ):
        raise Denied("jq.filter", "the filter reads the environment or other files")


_FIELD = r"(?:\$(?:NF|[0-9]{1,3})|NF|NR|\"[^\"\\]*\")"
_AWK = re.compile(
    rf"\s*(?:(?:NR|NF|\$[0-9]{{1,3}}) ?(?:==|!=|<=|>=|<|>) ?(?:[0-9]{{1,9}}|\"[^\"\\]*\") ?|/[^/\\\"]*/ ?)?"
    rf"\{{ ?print(?: {_FIELD}|{_FIELD})?(?:,? ?{_FIELD})* ?;? ?\}}\s*"
)


def _printing_only(given: Given) -> None:
    """awk writes, executes and reads files from its program: one rule that prints fields is the whole of what is accepted."""
    if not given.operands or not _AWK.fullmatch(given.operands[0].text):
        raise Denied("awk.program", "only one rule that prints fields is accepted: awk '{print $1, $2}' FILE")


def _no_variable(given: Given) -> None:
    if given.operands and given.operands[0].text.startswith("-"):
        raise Denied("printf.option", "printf takes no option")


def _no_outside(given: Given) -> None:
    if given.operands and given.operands[0].text.startswith("-h"):
        raise Denied("hostname.option", "hostname only prints")


PROGRAMS: tuple[Program, ...] = (
    Program("cat", "-AbeEnstTuv --show-all --number-nonblank --show-ends --number --squeeze-blank --show-tabs --show-nonprinting", "path*", allow=("cat -n notes.md",), refuse=("cat /etc/hosts",)),
    Program("head", "-n=number -c=number -qvz --lines=number --bytes=number --quiet --verbose", "path*", number=True, allow=("head -5 notes.md",), refuse=("head -z ../x",)),
    Program("tail", "-n=number -c=number -qvz --lines=number --bytes=number --quiet --verbose", "path*", number=True, allow=("tail -n +3 notes.md",), refuse=("tail -f app.log",)),
    Program("ls", "-aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1 -I=text -w=number -T=number --all --almost-all --author --block-size=number --classify?=word --color?=word --directory --full-time --group-directories-first --human-readable --inode --no-group --numeric-uid-gid --recursive --reverse --size --sort=word --time=word --time-style=text --hide=text --ignore=text --width=number --si --escape --literal --format=word", "path*", allow=("ls -la src",), refuse=("ls --dired",)),
    Program("wc", "-cmlLw --bytes --chars --lines --max-line-length --words --total=word", "path*", allow=("wc -l a.txt",), refuse=("wc --files0-from=list",)),
    Program("stat", "-fLt -c=text --format=text --printf=text --file-system --dereference --terse", "path*", allow=("stat -c %s a.txt",), refuse=("stat /root",)),
    Program("file", "-bhikLpN0rv -F=text -e=word --brief --mime --mime-type --mime-encoding --extension --keep-going --no-dereference --dereference --no-pad --exclude=word --separator=text", "path*", allow=("file -b --mime-type a.bin",), refuse=("file -m magic a", "file -z a.gz")),
    Program("du", "-abcDhHkmlPSsx0 -d=number -t=number -B=number --all --apparent-size --bytes --total --human-readable --max-depth=number --summarize --one-file-system --exclude=text --si --separate-dirs --threshold=number --time", "path*", allow=("du -sh src",), refuse=("du -X list",)),
    Program("df", "-ahHiklPT -t=word -x=word -B=number --all --human-readable --inodes --local --portability --print-type --total --output?=list --type=word --exclude-type=word --si", "path*", allow=("df -h",), refuse=("df /root",)),
    Program("free", "-bkmghtwl --bytes --kibi --mebi --gibi --kilo --mega --giga --human --wide --total --si --lohi", allow=("free -m",), refuse=("free -s 1",)),
    Program("uptime", "-psV --pretty --since", allow=("uptime -p",), refuse=("uptime x",)),
    Program("ps", "-eAafFlHLTjw -o=list -p=list -u=word -C=word -g=word -t=word --sort=list --ppid=list --pid=list --user=word --forest --no-headers --width=number", "word*", check=_listing_of_environment, allow=("ps aux", "ps -ef", "ps -eo pid,comm"), refuse=("ps auxe", "ps -eo pid,environ")),
    Program("pwd", "-LP --logical --physical", allow=("pwd -P",), refuse=("pwd x",)),
    Program("whoami", allow=("whoami",), refuse=("whoami x",)),
    Program("id", "-ugGnr --user --group --groups --name --real", "word", allow=("id -u",), refuse=("id -Z",)),
    Program("groups", "", "word", allow=("groups",), refuse=("groups -x",)),
    Program("uname", "-asnrvmpio --all --kernel-name --kernel-release --machine --operating-system", allow=("uname -a",), refuse=("uname x",)),
    Program("hostname", "", allow=("hostname",), refuse=("hostname box",)),
    Program("nproc", "--all --ignore=number", allow=("nproc",), refuse=("nproc x",)),
    Program("arch", allow=("arch",), refuse=("arch x",)),
    Program("date", "-uRI?=word -R -u -I?=word -d=text -r=path --date=text --reference=path --utc --universal --rfc-email --rfc-3339=word --iso-8601?=word", "plus", allow=("date +%F", "date -d yesterday"), refuse=("date 010203042027", "date --set=now", "date -f list")),
    Program("cal", "-13ymj", "number number number", allow=("cal 2026",), refuse=("cal --x",)),
    Program("true", "", "text*", raw=True, allow=("true",), refuse=("true $x",)),
    Program("false", "", "text*", raw=True, allow=("false",), refuse=("false $x",)),
    Program("echo", "", "text*", raw=True, allow=("echo -n done",), refuse=("echo *",)),
    Program("printf", "", "text*", raw=True, check=_no_variable, allow=("printf '%s\\n' a",), refuse=("printf -v PATH x",)),
    Program("expr", "", "text*", raw=True, allow=("expr 1 + 2",), refuse=("expr 2 * 3",)),
    Program("test", "", "inside*", raw=True, allow=("test -f a.txt",), refuse=("test -f /etc/passwd",)),
    Program("[", "", "inside*", raw=True, allow=("[ -d src ]",), refuse=("[ -f ../x ]",)),
    Program("seq", "-w -f=text -s=text --equal-width --separator=text --format=text", "number number number", number=True, allow=("seq 1 5",), refuse=("seq a b",)),
    Program("basename", "-az -s=text --multiple --suffix=text --zero", "text*", allow=("basename src/a.py .py",), refuse=("basename -x a",)),
    Program("dirname", "-z --zero", "text*", allow=("dirname src/a.py",), refuse=("dirname -x a",)),
    Program("realpath", "-emLPqsz --canonicalize-existing --canonicalize-missing --logical --physical --quiet --strip --no-symlinks --relative-to=path --relative-base=path", "path*", allow=("realpath --relative-to=. src",), refuse=("realpath ../x",)),
    Program("readlink", "-femnqsvz --canonicalize --canonicalize-existing --canonicalize-missing --no-newline", "path*", allow=("readlink -f src",), refuse=("readlink /proc/self/exe",)),
    Program("which", "-a", "word*", allow=("which git",), refuse=("which --read-alias",)),
    Program("diff", "-abBcEiNpqrstTuwy -U=number -C=number -W=number -x=text -I=text -F=text --brief --report-identical-files --unified?=number --context?=number --side-by-side --recursive --new-file --text --ignore-case --ignore-all-space --ignore-space-change --ignore-blank-lines --ignore-trailing-space --ignore-tab-expansion --strip-trailing-cr --minimal --color?=word --exclude=text --label=text --width=number --suppress-common-lines --left-column --show-c-function --no-dereference --expand-tabs", "path path", allow=("diff -ru old new",), refuse=("diff --from-file=a b", "diff -l a b")),
    Program("cmp", "-bls -n=number -i=number --print-bytes --verbose --silent --quiet --bytes=number", "path path number number", allow=("cmp a b",), refuse=("cmp a /etc/passwd",)),
    Program("comm", "-123z --check-order --nocheck-order --output-delimiter=text --total --zero-terminated", "path path", allow=("comm -12 a b",), refuse=("comm a ../b",)),
    Program("cut", "-sz -b=list -c=list -d=text -f=list --bytes=list --characters=list --delimiter=text --fields=list --complement --only-delimited --output-delimiter=text --zero-terminated", "path*", allow=("cut -d: -f1 a.txt",), refuse=("cut -f1 /etc/passwd",)),
    Program("column", "-txenJLdr -s=text -o=text -c=number -N=text -R=text -H=text -E=text -W=text -T=text -O=text --table --separator=text --output-separator=text --output-width=number --table-columns=text --json --fillrows", "path*", allow=("column -t -s, a.csv",), refuse=("column -t ~/x",)),
    Program("sort", "-bcCdfghiMmnrRsuVz -k=list -t=text --key=list --field-separator=text --reverse --unique --numeric-sort --general-numeric-sort --human-numeric-sort --version-sort --month-sort --random-sort --ignore-case --ignore-leading-blanks --dictionary-order --stable --check?=word --zero-terminated --merge --debug --sort=word --parallel=number", "path*", allow=("sort -t, -k2,2n a.csv",), refuse=("sort -o b a", "sort -no b a", "sort --outp=b a", "sort -T /x a", "sort --compress-program=x a")),
    Program("uniq", "-cdDiuz -f=number -s=number -w=number --count --repeated --all-repeated?=word --ignore-case --unique --skip-fields=number --skip-chars=number --check-chars=number --group?=word", "path", allow=("uniq -c a.txt",), refuse=("uniq a b",)),
    Program("tr", "-cCdst --complement --delete --squeeze-repeats --truncate-set1", "text text", allow=("tr -d ' '",), refuse=("tr a b c",)),
    Program("nl", "-p -b=text -f=text -h=text -i=number -l=number -n=word -s=text -v=number -w=number -d=text --body-numbering=text --number-format=word", "path*", allow=("nl -ba a.txt",), refuse=("nl /etc/x",)),
    Program("tac", "-br -s=text --before --regex --separator=text", "path*", allow=("tac a.txt",), refuse=("tac ../a",)),
    Program("rev", "", "path*", allow=("rev a.txt",), refuse=("rev /x",)),
    Program("fold", "-bs -w=number --bytes --spaces --width=number", "path*", allow=("fold -s -w 80 a.txt",), refuse=("fold /x",)),
    Program("fmt", "-cstu -w=number -p=text -g=number --width=number --split-only --uniform-spacing", "path*", allow=("fmt -w 72 a.txt",), refuse=("fmt /x",)),
    Program("expand", "-i -t=list --initial --tabs=list", "path*", allow=("expand -t4 a.py",), refuse=("expand /x",)),
    Program("unexpand", "-a -t=list --all --first-only --tabs=list", "path*", allow=("unexpand -a a.py",), refuse=("unexpand /x",)),
    Program("paste", "-sz -d=text --delimiters=text --serial --zero-terminated", "path*", allow=("paste -sd, a.txt",), refuse=("paste /x a",)),
    Program("join", "-iz -a=number -e=text -j=number -o=list -t=text -v=number -1=number -2=number --ignore-case --header --check-order --nocheck-order", "path path", allow=("join -t, a b",), refuse=("join a /b",)),
    Program("od", "-abcdfiloshxv -A=word -j=number -N=number -t=word -w?=number -S=number --address-radix=word --format=word --skip-bytes=number --read-bytes=number", "path*", allow=("od -An -tx1 a.bin",), refuse=("od /dev/mem",)),
    Program("hexdump", "-bcCdovx -n=number -s=number -e=text --canonical --length=number --skip=number --no-squeezing", "path*", allow=("hexdump -C a.bin",), refuse=("hexdump -f format a",)),
    Program("xxd", "-a -b -e -i -p -ps -plain -u -E -g=number -c=number -l=number -s=number -len=number -cols=number", "path", bundled=False, allow=("xxd -l 16 a.bin",), refuse=("xxd -r a b", "xxd a b")),
    Program("strings", "-af -n=number -t=word -e=word -d -w --all --bytes=number --radix=word --encoding=word --print-file-name --data", "operand*", number=True, allow=("strings -n 8 a.bin",), refuse=("strings @list",)),
    Program("md5sum", _SUM, "path*", allow=("md5sum a",), refuse=("md5sum -c list",)),
    Program("sha1sum", _SUM, "path*", allow=("sha1sum a",), refuse=("sha1sum --check list",)),
    Program("sha224sum", _SUM, "path*", allow=("sha224sum a",), refuse=("sha224sum /x",)),
    Program("sha256sum", _SUM, "path*", allow=("sha256sum a",), refuse=("sha256sum -c list",)),
    Program("sha384sum", _SUM, "path*", allow=("sha384sum a",), refuse=("sha384sum /x",)),
    Program("sha512sum", _SUM, "path*", allow=("sha512sum a",), refuse=("sha512sum /x",)),
    Program("b2sum", _SUM + " -l=number --length=number", "path*", allow=("b2sum a",), refuse=("b2sum -c list",)),
    Program("cksum", "-a=word --algorithm=word --untagged --tag -z", "path*", allow=("cksum a",), refuse=("cksum -c list",)),
    Program("sum", "-rs --sysv", "path*", allow=("sum a",), refuse=("sum /x",)),
    Program("base64", "-di -w=number --decode --ignore-garbage --wrap=number", "path", allow=("base64 -w0 a",), refuse=("base64 -o b a", "base64 a b")),
    Program("base32", "-di -w=number --decode --ignore-garbage --wrap=number", "path", allow=("base32 a",), refuse=("base32 a b",)),
    Program("numfmt", "-z -d=text --to=word --from=word --field=list --delimiter=text --header?=number --padding=number --suffix=text --format=text --grouping", "text*", allow=("numfmt --to=iec 2048",), refuse=("numfmt --x 1",)),
    Program("jq", "-aceCjMnrsS --arg=pair --argjson=pair --indent=number --tab --compact-output --raw-output --raw-input --slurp --null-input --sort-keys --exit-status --ascii-output --join-output --color-output --monochrome-output --seq --stream -R", "text path*", check=_filter_without_modules, allow=("jq -r .scripts.env package.json",), refuse=("jq -n env", "jq -n '$ENV.PATH'", "jq -L lib . a", "jq --rawfile x /etc/passwd . a")),
    Program("tree", "-adfiIpsughDtcUrvxACnNqQFJSX -L=number -I=text -P=text -T=text -H=text --dirsfirst --filesfirst --gitignore --prune --noreport --matchdirs --ignore-case --sort?=word --du --si --inodes --device --nolinks --charset=word --filelimit=number --timefmt=text -L=number", "path*", allow=("tree -L 2 -I dist",), refuse=("tree -o out", "tree -R", "tree --fromfile a", "tree -l")),
    Program("grep", "-EFGPilLvwxcnHhoqsrRabITuUyzZ -e=text -f=path -m=number -A=number -B=number -C=number -d=read|skip|recurse -D=read|skip --regexp=text --file=path --extended-regexp --fixed-strings --basic-regexp --perl-regexp --ignore-case --no-ignore-case --invert-match --word-regexp --line-regexp --count --color?=word --colour?=word --files-with-matches --files-without-match --max-count=number --only-matching --quiet --silent --no-messages --byte-offset --with-filename --no-filename --label=text --line-number --initial-tab --null --after-context=number --before-context=number --context=number --text --binary-files=word --devices=read|skip --directories=read|skip|recurse --exclude=text --exclude-dir=text --exclude-from=path --include=text --recursive --dereference-recursive --line-buffered --null-data", "text path*", pattern="-e -f --regexp --file", number=True, allow=("grep -rn --include='*.py' 'def f' src",), refuse=("grep -f /etc/shadow a", "grep -e x /etc/passwd", "grep x ../../y")),
    Program("egrep", "-ivnclLwxohqsHr -e=text -A=number -B=number -C=number -m=number --color?=word", "text path*", pattern="-e", number=True, allow=("egrep -n 'a|b' a",), refuse=("egrep x /y",)),
    Program("fgrep", "-ivnclLwxohqsHr -e=text -A=number -B=number -C=number -m=number --color?=word", "text path*", pattern="-e", number=True, allow=("fgrep -n a.b a",), refuse=("fgrep x /y",)),
    Program("awk", "-F=text", "text path*", check=_printing_only, allow=("awk -F: '{print $1, $NF}' a.txt",), refuse=("awk '{print > \"x\"}' a", "awk 'BEGIN{system(\"id\")}'", "awk -f p.awk a", "awk '{print $1 | \"sh\"}' a", "awk -v x=1 '{print}' a")),
    Program("cd", "", "path", allow=("cd src",), refuse=("cd ..", "cd -P src")),
    Program("python3", "-V --version", allow=("python3 --version",), refuse=("python3 -c 1", "python3")),
    Program("python", "-V --version", allow=("python --version",), refuse=("python -c 1", "python")),
    Program("node", "-v --version", allow=("node --version",), refuse=("node -e 1", "node")),
)
