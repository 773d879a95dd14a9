"""What flows into an interpreter or out to the network: downloads that run, code from a pipe, keys that leave."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text

_GUARD_NAMES = ("mab serve", "mab mcp", "multiagent_bridge", "multiagent-bridge", "yolo_guard")
_GUARD = re.compile(r"bridge|\bmab\b|yolo|multiagent|\bhub\b", re.IGNORECASE)
_ENDLESS = re.compile(r"/dev/(?:zero|u?random|full)")
_SECRET_WORD = re.compile(
    r"(?:.*[/=@:,])?\.env(?:\.(?!example$|sample$|template$|dist$|test$)[\w.-]+)?|.*@/etc/.*"
    r"|(?:~|\$HOME|/home/[^/]+|/root)/?"
)
_SECRET_FILE = re.compile(rf"{_SECRET_WORD.pattern}|/etc/.*")
_UPLOADS = frozenset(["-T", "--upload-file", "--post-file", "--body-file"])
_LEAVES_OUT = frozenset(
    ["--exclude", "--include", "--filter", "--exclude-from", "-e", "--rsh", "-H", "--header", "-o", "--output"]
)
_THIS_MACHINE = re.compile(r"(?:[\w.-]+@)?(?:localhost|127\.[0-9.]+|::1|\[::1\]|0\.0\.0\.0|ip6-localhost)")
_PROGRAM = re.compile(r"(?:/usr)?(?:/local)?/s?bin/[\w.+-]+")
_MAKEFILES = frozenset(["Makefile", "makefile", "GNUmakefile"])
_COPIES = frozenset(["cp", "mv", "ln", "install", "cat", "tee"])


def _name(words: Sequence[Text]) -> str:
    return words[0].text.rsplit("/", 1)[-1] if words else ""


def sources(command: Command) -> list[Command]:
    """The commands whose output reaches this one, nearest first."""
    found: list[Command] = []
    source = command.source
    while source is not None and len(found) < 64:
        found.append(source)
        source = source.source
    return found


def what_feeds(command: Command) -> str:
    """The text that xargs is given where the line shows it: a here-string, echo's words, find's start. Else an unknown."""
    if command.fed is not None:
        return command.fed
    if command.source is None:
        return "$STDIN"
    words = [word.text for word in command.source.words]
    name = _name(command.source.words)
    if name in ("echo", "printf"):
        return " ".join(word for word in words[1:] if not word.startswith("-"))
    if name in ("find", "fd", "ls", "git", "rg", "grep") and not any(
        word.startswith(("/", "~", "$", "..")) for word in words[1:]
    ):
        # names below the workspace, found by a test; a bare find lists everything
        return "./found/by/test" if name != "find" or len(words) > 2 else "."
    if (
        name in ("grep", "sort", "head", "tail", "uniq", "sed", "awk", "cut", "tr")
        and command.source.source is not None
    ):
        return what_feeds(command.source.source) if command.source.source.words else "$STDIN"
    return next((word for word in words[1:] if word.startswith(("/", "~", "$"))), "$STDIN")


def downloads(command: Command, downloaders: frozenset[str]) -> bool:
    """Whether something that fetches feeds this command."""
    return any(_name(one.words) in downloaders for one in sources(command))


def is_this_machine(text: str) -> bool:
    return _THIS_MACHINE.fullmatch(text) is not None


def remember_written(command: Command, words: Sequence[Text], written: dict[str, str]) -> None:
    """Note the text that echo, printf or cat with a here-document writes to a file."""
    name = _name(words)
    targets = [target.text for operator, target in command.redirects if operator in (">", ">>", ">|", "&>")]
    source = command
    if name == "tee" and command.source is not None:
        targets += [word.text for word in words[1:] if not word.text.startswith("-")]
        source = command.source
    if not targets:
        return
    text = source.fed
    if text is None and _name(source.words) in ("echo", "printf"):
        text = " ".join(word.text for word in source.words[1:] if not word.text.startswith("-")).replace("\\n", "\n")
    if text is not None:
        for target in targets:
            written[_plain(target)] = (written.get(_plain(target), "") + "\n" + text).strip()


def remember_names(name: str, texts: Sequence[str], renamed: dict[str, str]) -> None:
    """A program copied or linked to another name is still that program."""
    operands = [text for text in texts[1:] if not text.startswith("-")]
    if name in ("cp", "ln", "install") and len(operands) == 2 and _PROGRAM.fullmatch(operands[0]):
        renamed[_plain(operands[1])] = operands[0]


def value_of(words: Sequence[Text], short: str, long: str) -> str:
    """The value of an option, behind it or glued on; "" without it."""
    for place, word in enumerate(words[1:], 1):
        if word.text in (short, long):
            return words[place + 1].text if place + 1 < len(words) else ""
        if word.text.startswith(long + "="):
            return word.text[len(long) + 1 :]
        if word.text.startswith(short) and len(word.text) > 2:
            return word.text[2:]
    return ""


def with_placeholder(words: Sequence[Text], inner: list[Text]) -> list[Text]:
    """The program of xargs with `{}` for the word of its own choice that stands for what it is fed."""
    chosen = value_of(words[: len(words) - len(inner)], "-I", "--replace") or value_of(words, "-J", "--replace-str")
    if not chosen or chosen == "{}":
        return inner
    return [replace(word, text=word.text.replace(chosen, "{}")) for word in inner]


def lines_of_git(texts: Sequence[str]) -> list[str]:
    """The command of `git bisect run` and `git submodule foreach`."""
    for place, text in enumerate(texts):
        if text in ("run", "foreach") and {"bisect", "submodule"} & set(texts[:place]):
            rest = [word for word in texts[place + 1 :] if not word.startswith("--")]
            return [rest[0] if len(rest) == 1 else shlex.join(rest)] if rest else []
    return []


def remember_downloads(
    command: Command, words: Sequence[Text], downloads: set[str], downloaders: frozenset[str]
) -> None:
    """Note the files that this command fetches: -o FILE, -O, or a redirection."""
    names = [_name(words), *(_name(one.words) for one in sources(command))]
    _follow_copies(command, names[0], [word.text for word in words], downloads)
    if not any(name in downloaders for name in names):
        return
    downloads.update(_plain(target.text) for operator, target in command.redirects if ">" in operator)
    texts = [word.text for word in words]
    if names[0] == "tee":
        downloads.update(map(_plain, texts[1:]))
    if names[0] not in downloaders:
        return
    for place, text in enumerate(texts):
        if text in ("-o", "--output", "-O", "--output-document", "-d", "--out") or re.fullmatch(
            r"-[a-zA-Z]*[oO]", text
        ):
            downloads.update(map(_plain, texts[place + 1 : place + 2]))
        elif found := re.match(r"(?:--output=|--output-document=|-[a-zA-Z]*[oO])(.+)", text):
            downloads.add(_plain(found[1]))
        if "://" in text or (place and not text.startswith("-")):
            downloads.add(_plain(text.rstrip("/").rsplit("/", 1)[-1].partition("?")[0]))
    downloads.discard("")


def _follow_copies(command: Command, name: str, texts: Sequence[str], downloads: set[str]) -> None:
    """A copy of what was fetched is what was fetched."""
    sent = [word.text for one in sources(command) if _name(one.words) in _COPIES for word in one.words[1:]]
    if not downloads or name not in _COPIES or downloads.isdisjoint(map(_plain, (*texts[1:], *sent))):
        return
    downloads.update(_plain(target.text) for operator, target in command.redirects if ">" in operator)
    if name != "cat":
        downloads.add(_plain(texts[-1]))


def _plain(text: str) -> str:
    return text.removeprefix("./")


def refuse_downloaded(command: Command, words: Sequence[Text], downloads: set[str], runners: frozenset[str]) -> None:
    """Raise Denied when a file that the line has fetched is run by the line."""
    if not downloads:
        return
    if _name(words) in ("make", "gmake") and not downloads.isdisjoint(_MAKEFILES):
        raise Denied("yolo.pipe-to-shell", "the Makefile was fetched by the same line")
    fed = [target.text for operator, target in command.redirects if operator == "<"]
    name = words[0].text
    if "/" in name and not downloads.isdisjoint({_plain(name), name.rsplit("/", 1)[-1]}):
        raise Denied("yolo.pipe-to-shell", f"{name} was fetched by the same line")
    if name.rsplit("/", 1)[-1] in runners:
        operands = [word.text for word in words[1:] if not word.text.startswith("-")]
        # an interpreter runs its first operand; the others are data to it
        for text in (*(operands if name == "chmod" else operands[:1]), *fed):
            if not downloads.isdisjoint({_plain(text), text.rsplit("/", 1)[-1]}):
                raise Denied("yolo.pipe-to-shell", f"{text} was fetched by the same line")


def refuse_exfiltration(
    command: Command, name: str, words: Sequence[Text], groups: Mapping[str, frozenset[str]]
) -> None:
    """Raise Denied when secrets, the environment or files of the system flow to the network, or a shell is bound to it."""
    if name not in groups["network"]:
        return
    texts = [word.text for word in words]
    if name in ("nc", "ncat", "netcat") and any(
        re.match(r"-[a-zA-Z]*[ec]|--(?:exec|sh-exec|lua-exec)\b", text) for text in texts
    ):
        raise Denied("yolo.reverse-shell", f"{name} binds a program to the network")
    if name == "socat" and any(re.match(r"(?:exec|system|pty|shell)\b", text, re.IGNORECASE) for text in texts):
        raise Denied("yolo.reverse-shell", "socat binds a program to the network")
    if name in groups["resolvers"] and any(word.substituted for word in words):
        raise Denied("yolo.exfiltration", "a look-up of a made-up name carries data out")
    if any(re.search(r"https?://[^ ]*/(?:[^ ]*/)?(?:approvals?|approve|yolo)\b", text) for text in texts):
        raise Denied("guard.self", "the approval of a command is asked for over HTTP")
    # what stands last for a copying program is where it goes to
    given = _given(texts)[: -1 if name in ("scp", "rsync") else None]
    if any(_SECRET_WORD.fullmatch(text) for text in given) or any(
        _SECRET_FILE.fullmatch(text) for text in _sent(command, name, texts)
    ):
        raise Denied("yolo.exfiltration", "a file of secrets or of the system would leave the machine")
    given_words = (*words, *(target for _, target in command.redirects))
    for one in (*sources(command), *(one for word in given_words for one in word.inner)):
        bare = _name(one.words)
        if bare in groups["environments"] and (len(one.words) == 1 or one.words[1].text.startswith("-")):
            raise Denied("yolo.exfiltration", "the environment would leave the machine")
        if any(_SECRET_FILE.fullmatch(word.text) for word in one.words[1:]):
            raise Denied("yolo.exfiltration", "files of secrets, of the system or a whole home would leave the machine")
        if any(_SECRET_FILE.fullmatch(target.text) for operator, target in one.redirects if operator == "<"):
            raise Denied("yolo.exfiltration", "a file of secrets or of the system would leave the machine")


def _given(texts: Sequence[str]) -> list[str]:
    """The arguments without the patterns of what is left out, and without headers and outputs."""
    return [
        text
        for before, text in pairwise(texts)
        if before not in _LEAVES_OUT and text.partition("=")[0] not in _LEAVES_OUT
    ]


def _sent(command: Command, name: str, texts: Sequence[str]) -> list[str]:
    """The files that are sent as they are: fed, uploaded, or copied to another machine."""
    found = [target.text for operator, target in command.redirects if operator in ("<", "<>")]
    found += [text for before, text in pairwise(texts) if before in _UPLOADS]
    found += [text.partition("=")[2] for text in texts if text.partition("=")[0] in _UPLOADS]
    if name in ("scp", "rsync") and ":" in texts[-1]:
        found += [text for text in _given(texts)[:-1] if not text.startswith("-")]
    return found


def refuse_finding_guard(words: Sequence[Text]) -> None:
    """Raise Denied when a program is pointed at the processes of the guard: a debugger, or a reader of /proc."""
    for one in (inner for word in words for inner in word.inner):
        if _name(one.words) in ("pgrep", "pidof") and any(_GUARD.search(word.text) for word in one.words[1:]):
            raise Denied("guard.self", "the guard's own processes are looked for")


def refuse_killing_guard(command: Command, words: Sequence[Text]) -> None:
    """Raise Denied when the processes that are ended are found by the name of the guard, or are the runner's own."""
    found = [one for word in words for one in word.inner]
    for one in (*found, *sources(command)):
        if any(_GUARD.search(word.text) for word in one.words):
            raise Denied("guard.self", "the guard would be ended")
    if words[0].text.rsplit("/", 1)[-1] != "kill" and any(_finds_guard(word.text) for word in words[1:]):
        raise Denied("guard.self", "the pattern finds the guard as well")
    if any(word.text in ("$PPID", "$PPID:") for word in words):
        raise Denied("guard.self", "the runner of the command would be ended")


def _finds_guard(pattern: str) -> bool:
    """Whether a pattern of pkill stands for a name of the guard: by dots, brackets or stars, or by being so short."""
    if pattern.startswith("-"):
        return False
    if not re.search(r"[.\[*?+^$(|\\]", pattern):
        return len(pattern) <= 2 and any(pattern in name for name in _GUARD_NAMES)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "?", pattern.replace(".*", "*").replace(".+", "*"))
    plain = re.sub(r"\\(.)|[\^$(){}+]", r"\1", plain.replace(".", "?"))
    return any(fnmatch.fnmatchcase(name, f"*{one}*") for one in plain.split("|") if one for name in _GUARD_NAMES)


def refuse_endless(command: Command, name: str, words: Sequence[Text], endless_readers: frozenset[str]) -> None:
    """Raise Denied when a stream without end fills a file or spins in the background."""
    into = any(">" in operator for operator, _ in command.redirects)
    if name == "xargs" and command.source is not None and _name(command.source.words) == "yes":
        raise Denied("yolo.bomb", "commands are started without end")
    endless = name == "yes" or (
        name in endless_readers
        and any(_ENDLESS.fullmatch(word.text.removeprefix("if=")) for word in words[1:])
        and not any(word.text.startswith("count=") for word in words)
    )
    fed_endless = any(operator == "<" and _ENDLESS.fullmatch(target.text) for operator, target in command.redirects)
    endless |= fed_endless and name in ("cat", "tee", "base64", "gzip", "xxd", "tr")
    if endless and (into or command.background or name == "cp"):
        raise Denied("yolo.bomb", f"{name} writes without end")
    if command.looped and command.background and name not in ("wait", "sleep"):
        raise Denied("yolo.bomb", "a loop starts jobs in the background")
