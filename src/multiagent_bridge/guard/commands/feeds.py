"""What flows into an interpreter or out to the network: downloads that run, code from a pipe, keys that leave."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text

_DOWNLOADERS = frozenset(["curl", "wget", "fetch", "aria2c", "http", "https", "xh", "lwp-download", "GET"])
NETWORK = _DOWNLOADERS | frozenset(
    [
        "nc",
        "ncat",
        "netcat",
        "socat",
        "telnet",
        "ftp",
        "tftp",
        "ssh",
        "scp",
        "sftp",
        "rsync",
        "openssl",
        "mail",
        "sendmail",
        "nslookup",
        "dig",
        "host",
        "ping",
        "drill",
        "getent",
    ]
)
_RUNNERS = frozenset(
    [
        "sh",
        "bash",
        "zsh",
        "dash",
        "ksh",
        "ash",
        "fish",
        "csh",
        "tcsh",
        "python",
        "python2",
        "python3",
        "perl",
        "ruby",
        "node",
        "php",
        "lua",
        "deno",
        "bun",
        "source",
        ".",
        "chmod",
        "exec",
        "pwsh",
    ]
)
_ENVIRONMENTS = frozenset({"env", "printenv", "set", "export", "declare", "compgen", "history"})
_RESOLVERS = frozenset({"dig", "nslookup", "host", "ping", "drill", "getent"})
_GUARD = re.compile(r"bridge|\bmab\b|yolo|multiagent|\bhub\b", re.IGNORECASE)
_NO_SCRIPT = frozenset(["--version", "-V", "-v", "--help", "-h"])


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


def inline_code(words: Sequence[Text], options: Sequence[str], *, bundled: bool) -> Text | None:
    """The code that an interpreter is given on the line, or None."""
    if not options:
        return next((word for word in words[1:] if not word.text.startswith("-")), None)
    for place, word in enumerate(words[1:], 1):
        text = word.text
        following = words[place + 1] if place + 1 < len(words) else None
        if text in options or (bundled and re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", text)):
            return following
        for option in options:
            if not bundled and option.startswith("--") and text.startswith(option + "="):
                return Text(text.partition("=")[2], word.inner, word.substituted)
            if (
                not bundled
                and len(option) == 2
                and re.fullmatch(rf"-[a-zA-Z0-9]*{option[1]}", text)
                and not text.startswith("--")
            ):
                return following
            if not bundled and len(option) == 2 and text.startswith(option) and len(text) > 2:
                return Text(text[2:], word.inner, word.substituted)
        if not text.startswith("-"):
            return None
    return None


def refuse_fed_interpreter(command: Command, name: str, words: Sequence[Text], *, shell: bool) -> None:
    """Raise Denied when an interpreter without a script is fed by a pipe, a process, or a download."""
    operands = [word for word in words[1:] if not word.text.startswith("-") or word.text == "-"]
    for word in operands[:1]:
        if word.process or (word.substituted and not word.text.replace("$()", "")):
            raise Denied("yolo.pipe-to-shell", f"{name} runs what another command makes")
        if re.match(r"/dev/(?:stdin|fd/)|/proc/self/fd/", word.text) and command.piped:
            raise Denied("yolo.pipe-to-shell", f"{name} runs what comes out of a pipe")
    reads = not operands or operands[0].text == "-" or any(word.text == "-s" for word in words[1:] if shell)
    if any(word.text in _NO_SCRIPT or word.text == "-m" for word in words[1:]):
        reads = False
    if reads and command.piped:
        raise Denied("yolo.pipe-to-shell", f"{name} runs what comes out of a pipe")
    if reads and any(operator == "<" and target.process for operator, target in command.redirects):
        raise Denied("yolo.pipe-to-shell", f"{name} runs what another command makes")
    if reads and any(operator == "<<<" and target.substituted for operator, target in command.redirects):
        raise Denied("yolo.pipe-to-shell", f"{name} runs what another command makes")


def remember_downloads(command: Command, words: Sequence[Text], downloads: set[str]) -> None:
    """Note the files that this command fetches: -o FILE, -O, or a redirection."""
    names = [_name(words), *(_name(one.words) for one in sources(command))]
    if not any(name in _DOWNLOADERS for name in names):
        return
    downloads.update(_plain(target.text) for operator, target in command.redirects if ">" in operator)
    texts = [word.text for word in words]
    if names[0] == "tee":
        downloads.update(map(_plain, texts[1:]))
    if names[0] not in _DOWNLOADERS:
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


def _plain(text: str) -> str:
    return text.removeprefix("./")


def refuse_downloaded(command: Command, words: Sequence[Text], downloads: set[str]) -> None:
    """Raise Denied when a file that the line has fetched is run by the line."""
    if not downloads:
        return
    fed = [target.text for operator, target in command.redirects if operator == "<"]
    name = words[0].text
    if "/" in name and not downloads.isdisjoint({_plain(name), name.rsplit("/", 1)[-1]}):
        raise Denied("yolo.pipe-to-shell", f"{name} was fetched by the same line")
    if name.rsplit("/", 1)[-1] in _RUNNERS:
        operands = [word.text for word in words[1:] if not word.text.startswith("-")]
        # an interpreter runs its first operand; the others are data to it
        for text in (*(operands if name == "chmod" else operands[:1]), *fed):
            if not downloads.isdisjoint({_plain(text), text.rsplit("/", 1)[-1]}):
                raise Denied("yolo.pipe-to-shell", f"{text} was fetched by the same line")


def refuse_exfiltration(command: Command, name: str, words: Sequence[Text]) -> None:
    """Raise Denied when an environment flows to the network, or a shell is bound to it."""
    if name not in NETWORK:
        return
    texts = [word.text for word in words]
    if name in ("nc", "ncat", "netcat") and any(
        re.fullmatch(r"-[a-zA-Z]*[ec]|--exec|--sh-exec|--lua-exec", text) for text in texts
    ):
        raise Denied("yolo.reverse-shell", f"{name} binds a program to the network")
    if name == "socat" and any(re.match(r"(?:exec|system|pty|shell)\b", text, re.IGNORECASE) for text in texts):
        raise Denied("yolo.reverse-shell", "socat binds a program to the network")
    if name in _RESOLVERS and any(word.substituted for word in words):
        raise Denied("yolo.exfiltration", "a look-up of a made-up name carries data out")
    if any(re.search(r"https?://[^ ]*/(?:[^ ]*/)?(?:approvals?|approve|yolo)\b", text) for text in texts):
        raise Denied("guard.self", "the approval of a command is asked for over HTTP")
    inner = [one for word in words for one in word.inner]
    if any(re.search(r"@/etc/", text) for text in texts):
        raise Denied("yolo.exfiltration", "a file of the system would leave the machine")
    for one in (*sources(command), *inner):
        bare = _name(one.words)
        if bare in _ENVIRONMENTS and (len(one.words) == 1 or one.words[1].text.startswith("-")):
            raise Denied("yolo.exfiltration", "the environment would leave the machine")
        if any(re.match(r"(?:/etc/|/home/[^/]*/?$|/root/?$|(?:~|\$HOME)/?$)", word.text) for word in one.words[1:]):
            raise Denied("yolo.exfiltration", "files of the system or a whole home would leave the machine")
        if any(".env" in word.text.rsplit("/", 1)[-1] for word in one.words[1:]):
            raise Denied("yolo.exfiltration", "a file of secrets would leave the machine")
    if any(re.search(r"@(?:[^@]*/)?\.env\b", text) for text in texts):
        raise Denied("yolo.exfiltration", "a file of secrets would leave the machine")


def refuse_killing_guard(command: Command, words: Sequence[Text]) -> None:
    """Raise Denied when the processes that are ended are found by the name of the guard, or are the runner's own."""
    found = [one for word in words for one in word.inner]
    for one in (*found, *sources(command)):
        if any(_GUARD.search(word.text) for word in one.words):
            raise Denied("guard.self", "the guard would be ended")
    if any(word.text in ("$PPID", "$PPID:") for word in words):
        raise Denied("guard.self", "the runner of the command would be ended")


def refuse_endless(command: Command, name: str, words: Sequence[Text]) -> None:
    """Raise Denied when a stream without end fills a file or spins in the background."""
    into = any(">" in operator for operator, _ in command.redirects)
    if name == "xargs" and command.source is not None and _name(command.source.words) == "yes":
        raise Denied("yolo.bomb", "commands are started without end")
    endless = name == "yes" or (
        name in ("cat", "tee", "cp", "dd", "base64", "hexdump", "od")
        and any(re.fullmatch(r"(?:if=)?/dev/(?:zero|u?random|full)", word.text) for word in words[1:])
        and not any(word.text.startswith("count=") for word in words)
    )
    if endless and (into or command.background or name == "cp"):
        raise Denied("yolo.bomb", f"{name} writes without end")
    if command.looped and command.background and name not in ("wait", "sleep"):
        raise Denied("yolo.bomb", "a loop starts jobs in the background")
