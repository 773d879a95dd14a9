"""Programs that show, cut, sort and search text, and list archives: from the manuals of coreutils, binutils, grep, jq, awk, tar.

Left out of a row on purpose: what writes (sort -o), executes (sort --compress-program, tar -I), or reads names or options from
a file.
"""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.verdict import Denied

_SUM = "-bt --binary --text --tag -z --zero"


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


def _listing_only(given: Given) -> None:
    """tar t, f, v and a compression by letter, and one archive; a colon would name another host."""
    words = given.texts()
    if len(words) != 2 or not re.fullmatch(r"-?t[zjJv]{0,3}f|-?[zjJv]{1,2}tf", words[0]) or ":" in words[1]:
        raise Denied("tar.option", "only tar -tf ARCHIVE is accepted")


def _contents_only(given: Given) -> None:
    if not given.has("-l", "-v"):
        raise Denied("unzip.option", "only unzip -l ARCHIVE is accepted")


def _version_asked(given: Given) -> None:
    """An interpreter without a script runs what it is fed."""
    if not given.options:
        raise Denied("interpreter.script", "only the version of an interpreter is shown in this mode")


TEXT_PROGRAMS: tuple[Program, ...] = (
    Program(
        "diff",
        "-abBcEiNpqrstTuwy -U=number -C=number -W=number -x=text -I=text -F=text --brief "
        "--report-identical-files --unified?=number --context?=number --side-by-side --recursive --new-file "
        "--text --ignore-case --ignore-all-space --ignore-space-change --ignore-blank-lines "
        "--ignore-trailing-space --ignore-tab-expansion --strip-trailing-cr --minimal --color?=word "
        "--exclude=text --label=text --width=number --suppress-common-lines --left-column --show-c-function "
        "--no-dereference --expand-tabs",
        "path path",
        allow=("diff -ru old new",),
        refuse=("diff --from-file=a b", "diff -l a b"),
    ),
    Program(
        "cmp",
        "-bls -n=number -i=number --print-bytes --verbose --silent --quiet --bytes=number",
        "path path number number",
        allow=("cmp a b",),
        refuse=("cmp a /etc/passwd",),
    ),
    Program(
        "comm",
        "-123z --check-order --nocheck-order --output-delimiter=text --total --zero-terminated",
        "path path",
        allow=("comm -12 a b",),
        refuse=("comm a ../b",),
    ),
    Program(
        "cut",
        "-sz -b=list -c=list -d=text -f=list --bytes=list --characters=list --delimiter=text --fields=list "
        "--complement --only-delimited --output-delimiter=text --zero-terminated",
        "path*",
        allow=("cut -d: -f1 a.txt",),
        refuse=("cut -f1 /etc/passwd",),
    ),
    Program(
        "column",
        "-txenJLdr -s=text -o=text -c=number -N=text -R=text -H=text -E=text -W=text -T=text -O=text --table "
        "--separator=text --output-separator=text --output-width=number --table-columns=text --json --fillrows",
        "path*",
        allow=("column -t -s, a.csv",),
        refuse=("column -t ~/x",),
    ),
    Program(
        "sort",
        "-bcCdfghiMmnrRsuVz -k=list -t=text --key=list --field-separator=text --reverse --unique --numeric-sort "
        "--general-numeric-sort --human-numeric-sort --version-sort --month-sort --random-sort --ignore-case "
        "--ignore-leading-blanks --dictionary-order --stable --check?=word --zero-terminated --merge --debug "
        "--sort=word --parallel=number",
        "path*",
        allow=("sort -t, -k2,2n a.csv",),
        refuse=("sort -o b a", "sort -no b a", "sort --outp=b a", "sort -T /x a", "sort --compress-program=x a"),
    ),
    Program(
        "uniq",
        "-cdDiuz -f=number -s=number -w=number --count --repeated --all-repeated?=word --ignore-case --unique "
        "--skip-fields=number --skip-chars=number --check-chars=number --group?=word",
        "path",
        allow=("uniq -c a.txt",),
        refuse=("uniq one two",),
    ),
    Program(
        "tr",
        "-cCdst --complement --delete --squeeze-repeats --truncate-set1",
        "text text",
        allow=("tr -d ' '",),
        refuse=("tr a b c",),
    ),
    Program(
        "nl",
        "-p -b=text -f=text -h=text -i=number -l=number -n=word -s=text -v=number -w=number -d=text "
        "--body-numbering=text --number-format=word",
        "path*",
        allow=("nl -ba a.txt",),
        refuse=("nl /etc/x",),
    ),
    Program(
        "tac", "-br -s=text --before --regex --separator=text", "path*", allow=("tac a.txt",), refuse=("tac ../a",)
    ),
    Program("rev", "", "path*", allow=("rev a.txt",), refuse=("rev /x",)),
    Program(
        "fold",
        "-bs -w=number --bytes --spaces --width=number",
        "path*",
        allow=("fold -s -w 80 a.txt",),
        refuse=("fold /x",),
    ),
    Program(
        "fmt",
        "-cstu -w=number -p=text -g=number --width=number --split-only --uniform-spacing",
        "path*",
        allow=("fmt -w 72 a.txt",),
        refuse=("fmt /x",),
    ),
    Program("expand", "-i -t=list --initial --tabs=list", "path*", allow=("expand -t4 a.py",), refuse=("expand /x",)),
    Program(
        "unexpand",
        "-a -t=list --all --first-only --tabs=list",
        "path*",
        allow=("unexpand -a a.py",),
        refuse=("unexpand /x",),
    ),
    Program(
        "paste",
        "-sz -d=text --delimiters=text --serial --zero-terminated",
        "path*",
        allow=("paste -sd, a.txt",),
        refuse=("paste /x a",),
    ),
    Program(
        "join",
        "-iz -a=number -e=text -j=number -o=list -t=text -v=number -1=number -2=number --ignore-case --header "
        "--check-order --nocheck-order",
        "path path",
        allow=("join -t, a b",),
        refuse=("join a /b",),
    ),
    Program(
        "od",
        "-abcdfiloshxv -A=word -j=number -N=number -t=word -w?=number -S=number --address-radix=word "
        "--format=word --skip-bytes=number --read-bytes=number",
        "path*",
        allow=("od -An -tx1 a.bin",),
        refuse=("od /dev/mem",),
    ),
    Program(
        "hexdump",
        "-bcCdovx -n=number -s=number -e=text --canonical --length=number --skip=number --no-squeezing",
        "path*",
        allow=("hexdump -C a.bin",),
        refuse=("hexdump -f format a",),
    ),
    Program(
        "xxd",
        "-a -b -e -i -p -ps -plain -u -E -g=number -c=number -l=number -s=number -len=number -cols=number",
        "path",
        bundled=False,
        allow=("xxd -l 16 a.bin",),
        refuse=("xxd a b",),
    ),
    Program(
        "strings",
        "-af -n=number -t=word -e=word -d -w --all --bytes=number --radix=word --encoding=word --print-file-name "
        "--data",
        "operand*",
        number=True,
        allow=("strings -n 8 a.bin",),
        refuse=("strings @list",),
    ),
    Program("md5sum", _SUM, "path*", allow=("md5sum a",), refuse=("md5sum -c list",)),
    Program("sha1sum", _SUM, "path*", allow=("sha1sum a",), refuse=("sha1sum --check list",)),
    Program("sha224sum", _SUM, "path*", allow=("sha224sum a",), refuse=("sha224sum /x",)),
    Program("sha256sum", _SUM, "path*", allow=("sha256sum a",), refuse=("sha256sum -c list",)),
    Program("sha384sum", _SUM, "path*", allow=("sha384sum a",), refuse=("sha384sum /x",)),
    Program("sha512sum", _SUM, "path*", allow=("sha512sum a",), refuse=("sha512sum /x",)),
    Program("b2sum", _SUM + " -l=number --length=number", "path*", allow=("b2sum a",), refuse=("b2sum -c list",)),
    Program(
        "cksum", "-a=word --algorithm=word --untagged --tag -z", "path*", allow=("cksum a",), refuse=("cksum -c list",)
    ),
    Program("sum", "-rs --sysv", "path*", allow=("sum a",), refuse=("sum /x",)),
    Program(
        "base64",
        "-di -w=number --decode --ignore-garbage --wrap=number",
        "path",
        allow=("base64 -w0 a",),
        refuse=("base64 -o b a", "base64 a b"),
    ),
    Program(
        "base32",
        "-di -w=number --decode --ignore-garbage --wrap=number",
        "path",
        allow=("base32 a",),
        refuse=("base32 a b",),
    ),
    Program(
        "numfmt",
        "-z -d=text --to=word --from=word --field=list --delimiter=text --header?=number --padding=number "
        "--suffix=text --format=text --grouping",
        "text*",
        allow=("numfmt --to=iec 2048",),
        refuse=("numfmt --x 1",),
    ),
    Program(
        "jq",
        "-aceCjMnrsS --arg=pair --argjson=pair --indent=number --tab --compact-output --raw-output --raw-input "
        "--slurp --null-input --sort-keys --exit-status --ascii-output --join-output --color-output "
        "--monochrome-output --seq --stream -R",
        "text path*",
        check=_filter_without_modules,
        allow=("jq -r .scripts.env package.json",),
        refuse=("jq -n env", "jq -n '$ENV.PATH'", "jq -L lib . a", "jq --rawfile x /etc/passwd . a"),
    ),
    Program(
        "tree",
        "-adfipsughDtcUrvxACnNqQFJSX -L=number -I=text -P=text -T=text -H=text --dirsfirst --filesfirst "
        "--gitignore --prune --noreport --matchdirs --ignore-case --sort?=word --du --si --inodes --device "
        "--nolinks --charset=word --filelimit=number --timefmt=text",
        "path*",
        allow=("tree -L 2 -I dist",),
        refuse=("tree -o out", "tree -R", "tree --fromfile a", "tree -l"),
    ),
    Program(
        "grep",
        "-EFGPilLvwxcnHhoqsrRabITuUyzZ -e=text -f=path -m=number -A=number -B=number -C=number "
        "-d=read|skip|recurse -D=read|skip --regexp=text --file=path --extended-regexp --fixed-strings "
        "--basic-regexp --perl-regexp --ignore-case --no-ignore-case --invert-match --word-regexp --line-regexp "
        "--count --color?=word --colour?=word --files-with-matches --files-without-match --max-count=number "
        "--only-matching --quiet --silent --no-messages --byte-offset --with-filename --no-filename --label=text "
        "--line-number --initial-tab --null --after-context=number --before-context=number --context=number "
        "--text --binary-files=word --devices=read|skip --directories=read|skip|recurse --exclude=text "
        "--exclude-dir=text --exclude-from=path --include=text --recursive --dereference-recursive "
        "--line-buffered --null-data",
        "text path*",
        pattern="-e -f --regexp --file",
        number=True,
        allow=("grep -rn --include='*.py' 'def f' src",),
        refuse=("grep -f /etc/shadow a", "grep -e x /etc/passwd", "grep x ../../y"),
    ),
    Program(
        "egrep",
        "-ivnclLwxohqsHr -e=text -A=number -B=number -C=number -m=number --color?=word",
        "text path*",
        pattern="-e",
        number=True,
        allow=("egrep -n 'a|b' a",),
        refuse=("egrep x /y",),
    ),
    Program(
        "fgrep",
        "-ivnclLwxohqsHr -e=text -A=number -B=number -C=number -m=number --color?=word",
        "text path*",
        pattern="-e",
        number=True,
        allow=("fgrep -n a.b a",),
        refuse=("fgrep x /y",),
    ),
    Program(
        "awk",
        "-F=text",
        "text path*",
        check=_printing_only,
        allow=("awk -F: '{print $1, $NF}' a.txt",),
        refuse=(
            "awk '{print > \"x\"}' a",
            "awk 'BEGIN{system(\"id\")}'",
            "awk -f p.awk a",
            "awk '{print $1 | \"sh\"}' a",
            "awk -v x=1 '{print}' a",
        ),
    ),
    Program("cd", "", "path", allow=("cd src",), refuse=("cd ..", "cd -P src")),
    Program(
        "pgrep",
        "-acfilnovx -u=word -t=word -P=number -g=number -U=word -G=word --full --list-name --list-full --count "
        "--newest --oldest --exact",
        "text",
        allow=("pgrep -fl node",),
        refuse=("pgrep -F /x",),
    ),
    Program(
        "tar",
        "",
        "text path",
        raw=True,
        check=_listing_only,
        allow=("tar tzf a.tgz", "tar -tvf a.tar"),
        refuse=("tar xf a.tar", "tar tf a --to-command=x", "tar -I x -tf a", "tar tf host:a", "tar cf a b"),
    ),
    Program(
        "unzip",
        "-l -v",
        "path path*",
        check=_contents_only,
        allow=("unzip -l a.zip",),
        refuse=("unzip a.zip", "unzip -p a.zip", "unzip -d x a.zip"),
    ),
    Program(
        "python3",
        "-V --version",
        check=_version_asked,
        allow=("python3 --version",),
        refuse=("python3 -c 1", "python3"),
    ),
    Program(
        "python", "-V --version", check=_version_asked, allow=("python --version",), refuse=("python -c 1", "python")
    ),
    Program("node", "-v --version", check=_version_asked, allow=("node --version",), refuse=("node -e 1", "node")),
)
