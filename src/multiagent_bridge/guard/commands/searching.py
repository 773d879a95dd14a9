"""rg, find and sed: the searchers whose options and scripts write and execute."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.commands.kinds import kind_named
from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.paths import inside, pattern_inside
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

RG = Program(
    "rg",
    "-cFHiINlnopPqsSuUvwxa0. -A=number -B=number -C=number -d=number -e=text -E=word -f=path -g=text -j=number "
    "-m=number -M=number"
    " -r=text -t=word -T=word --after-context=number --before-context=number --block-buffered --byte-offset "
    "--case-sensitive"
    " --color=word --colors=text --column --context=number --context-separator=text --count --count-matches "
    "--crlf --encoding=word"
    " --engine=word --files --files-with-matches --files-without-match --fixed-strings --glob=text --iglob=text "
    "--glob-case-insensitive"
    " --heading --no-heading --hidden --no-hidden --ignore-case --invert-match --json --line-buffered "
    "--line-number --no-line-number"
    " --line-regexp --max-columns=number --max-columns-preview --max-count=number --max-depth=number --maxdepth=number"
    " --max-filesize=number --mmap --no-mmap --multiline --multiline-dotall --no-config --no-filename "
    "--with-filename --no-ignore"
    " --no-ignore-dot --no-ignore-vcs --no-ignore-parent --no-ignore-global --no-messages --no-require-git "
    "--null --one-file-system"
    " --only-matching --passthru --pcre2 --pretty --quiet --regexp=text --file=path --replace=text --smart-case "
    "--sort=word --sortr=word --stats"
    " --text --threads=number --trim --no-unicode --type=word --type-not=word --type-list --unrestricted "
    "--vimgrep --word-regexp --stop-on-nonmatch",
    "text path*",
    pattern="-e -f --regexp --file --files --type-list",
    allow=("rg -n 'def f' src", "rg --files src", "rg -uu -g '*.py' x", "rg x *.md"),
    refuse=(
        "rg --pre=./x y",
        "rg -z x",
        "rg -L x",
        "rg --hostname-bin=./x y",
        "rg --ignore-file=/x y",
        "rg --files /etc",
        "rg -e x /etc",
    ),
)
_FIND_ALONE = frozenset(
    [
        "-print",
        "-print0",
        "-ls",
        "-empty",
        "-true",
        "-false",
        "-not",
        "-a",
        "-o",
        "-and",
        "-or",
        "!",
        "(",
        ")",
        ",",
        "-depth",
        "-d",
        "-mount",
        "-xdev",
        "-prune",
        "-quit",
        "-daystart",
        "-readable",
        "-writable",
        "-executable",
        "-nouser",
        "-nogroup",
        "-noleaf",
        "-warn",
        "-nowarn",
        "-ignore_readdir_race",
        "-noignore_readdir_race",
    ]
)
_FIND_VALUE = {
    name: kind
    for kind, names in {
        "text": "-name -iname -path -ipath -wholename -iwholename -regex -iregex -regextype -lname -ilname "
        "-newermt -newerct -newerat -perm"
        " -printf -fstype -used -context",
        "word": "-type -xtype -user -group",
        "number": "-maxdepth -mindepth -size -mtime -mmin -atime -amin -ctime -cmin -uid -gid -links -inum",
        "path": "-newer -anewer -cnewer -samefile -neweraa -newermm -newercm",
    }.items()
    for name in names.split()
}


class Find:
    """find: start paths, then tests; every action but printing is refused (-exec, -ok, -delete, -fprint, -fls)."""

    name = "find"
    allow = ("find . -type f -name '*.py' -not -path './dist/*'", "find src \\( -name a -o -name b \\) -print0")
    refuse = (
        "find lib -delete",
        "find . -exec rm {} +",
        "find -L . -name x",
        "find /etc -name x",
        "find . -fprintf x y",
        "find . -files0-from x",
    )

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        queue = list(reversed(words))
        while queue and queue[-1].text in ("-H", "-P"):
            queue.pop()
        while queue and not queue[-1].text.startswith("-") and queue[-1].text not in ("(", ")", "!", ","):
            word = queue.pop()
            inside(word.text, workspace)
            if word.glob:
                pattern_inside(word.text)
        while queue:
            word = queue.pop()
            if word.glob:
                raise Denied("shell.glob", "a pattern stands in a test of find; quote it")
            if word.text in _FIND_ALONE:
                continue
            kind = _FIND_VALUE.get(word.text)
            if kind is None:
                raise Denied("find.option", f"{word.text} is not among the tests of find that this mode accepts")
            if not queue or queue[-1].glob:
                raise Denied("shell.glob", f"{word.text} needs a value; quote a pattern")
            kind_named(kind)(queue.pop().text, workspace)


_ADDRESS = re.compile(r"(?:[0-9]{1,9}(?:~[0-9]{1,9})?|\$)")
_COUNT = re.compile(r"[+~][0-9]{1,9}")
_SUBSTITUTE_FLAGS = re.compile(r"[gpiIm0-9]{0,6}")
_PLAIN_COMMANDS = frozenset("pdqQ=hHgGxnNDPlz")


class _Script:
    """A sed script of addresses and commands that print, delete or substitute; anything else raises Denied.

    sed programs differ in whether a delimiter, or a backslash, inside brackets is plain: `brackets` reads them as plain,
    `escapes` lets a backslash escape there.
    """

    def __init__(self, text: str, *, brackets: bool = True, escapes: bool = False) -> None:
        self.text = text
        self.at = 0
        self.brackets = brackets
        self.escapes = escapes

    def judge(self) -> None:
        depth = 0
        while self.at < len(self.text):
            if self.text[self.at] in " ;":
                self.at += 1
                continue
            if self.text[self.at] == "}":
                depth -= 1
                self.at += 1
                continue
            self._addresses()
            depth += self._command()
        if depth:
            raise self._refusal("braces do not match")

    def _refusal(self, why: str, command: str = "") -> Denied:
        rule = "sed.write" if command and command in "wWrRe" else "sed.script"
        return Denied(rule, f"the sed script is refused: {why}; only p, d, q, s, y and their like are accepted")

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _spaces(self) -> None:
        while self._peek() == " ":
            self.at += 1

    def _addresses(self) -> None:
        if self._address():
            self._spaces()
            if self._peek() == ",":
                self.at += 1
                self._spaces()
                if found := _COUNT.match(self.text, self.at):
                    self.at = found.end()
                elif not self._address():
                    raise self._refusal("an address is missing")
        self._spaces()
        while self._peek() in ("!", " "):
            self.at += 1

    def _address(self) -> bool:
        if found := _ADDRESS.match(self.text, self.at):
            self.at = found.end()
            return True
        if self._peek() == "/":
            self.at += 1
            self._until("/")
            while self._peek() in ("I", "M"):
                self.at += 1
            return True
        return False

    def _until(self, delimiter: str, *, pattern: bool = True) -> None:
        """Over the rest of a pattern or a replacement, its closing delimiter included."""
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "[" and pattern and self.brackets:
                self._bracket()
                continue
            self.at += 2 if c == "\\" else 1
            if c == delimiter:
                return
        raise self._refusal("a pattern is not closed")

    def _bracket(self) -> None:
        """Over a bracket expression (POSIX XBD 9.3.5): a first `]` is plain, classes such as [:alpha:] nest."""
        self.at += 1
        self.at += self._peek() == "^"
        self.at += self._peek() == "]"
        while self.at < len(self.text):
            two = self.text[self.at : self.at + 2]
            if two in ("[:", "[.", "[="):
                end = self.text.find(two[1] + "]", self.at + 2)
                self.at = end + 2 if end > 0 else self.at + 2
                continue
            self.at += 2 if two[0] == "\\" and self.escapes else 1
            if two[0] == "]":
                return
        raise self._refusal("a bracket is not closed")

    def _command(self) -> int:
        c = self._peek()
        self.at += 1
        if c == "{":
            return 1
        if c in _PLAIN_COMMANDS and c:
            pass
        elif c in ("s", "y"):
            delimiter = self._peek()
            if not delimiter or delimiter.isalnum() or delimiter in "\\ ;":
                raise self._refusal("an unusual delimiter")
            self.at += 1
            self._until(delimiter, pattern=c == "s")
            self._until(delimiter, pattern=False)
            if c == "s" and (found := _SUBSTITUTE_FLAGS.match(self.text, self.at)):
                self.at = found.end()
        else:
            raise self._refusal(f"the command {c!r}", c)
        self._spaces()
        if self._peek() not in ("", ";", "}"):
            raise self._refusal(f"{self._peek()!r} after a command", self._peek())
        return 0


def _scripts(given: Given) -> None:
    scripts = [value for name in ("-e", "--expression") for value in given.options.get(name, [])]
    if not scripts:
        if not given.operands:
            raise Denied("sed.script", "sed has no script")
        scripts = [given.operands[0].text]
    for script in scripts:
        _Script(script).judge()
        if "[" in script:
            _refuse_other_readings(script)


def _refuse_other_readings(script: str) -> None:
    """Raise Denied when another sed would read a command that writes, reads or executes into the script.

    A reading that ends in an error is harmless: sed reads the whole script before it runs any of it.
    """
    for reading in (_Script(script, brackets=False), _Script(script, escapes=True)):
        try:
            reading.judge()
        except Denied as denied:
            if denied.rule == "sed.write":
                raise


SED = Program(
    "sed",
    "-nErsuz -e=text --quiet --silent --regexp-extended --expression=text --separate --unbuffered --null-data "
    "--sandbox --posix -l=number",
    "text path*",
    pattern="-e --expression",
    check=_scripts,
    allow=(
        "sed -n 5,9p a.txt",
        "sed 's/a/b/g' a.txt",
        "sed -e '/^#/d' -e 's|x|y|' a.txt",
        "sed -n '/start/,/end/{p}' a.txt",
    ),
    refuse=(
        "sed 's/a/b/w out' f",
        "sed 's/a/b/e' f",
        "sed '1r /etc/x' f",
        "sed 1e f",
        "sed -f s.sed f",
        "sed --in-pl s/a/b/ f",
    ),
)
