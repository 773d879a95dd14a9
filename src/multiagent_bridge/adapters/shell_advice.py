"""A second reader of yolo lines: tree-sitter's grammar of bash, for advice to the person who approves.

It is of other make than the guard's own reader. What it cannot read, or reads otherwise, is refused by the policy; what it
sees is put into sentences for a person and decides nothing. It is no boundary: the sandbox is.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.guard.commands.shell import commands_of
from multiagent_bridge.guard.commands.verdict import Denied

UNREAD = "a part of the line cannot be read as a shell line; look at every character before you say yes"
_DEEPEST = 3
_LONGEST_NAME = 40


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KINDS = _words(
    """ansi_c_string arithmetic_expansion array binary_expression brace_expression c_style_for_statement case_item
    case_statement
    command command_name command_substitution comment compound_statement concatenation declaration_command do_group elif_clause
    else_clause expansion extglob_pattern file_descriptor file_redirect for_statement function_definition heredoc_body
    heredoc_content heredoc_end heredoc_redirect heredoc_start herestring_redirect if_statement list negated_command number
    parenthesized_expression pipeline postfix_expression process_substitution program raw_string redirected_statement regex
    simple_expansion special_variable_name string string_content subscript subshell ternary_expression test_command test_operator
    translated_string unary_expression unset_command variable_assignment variable_assignments variable_name while_statement
    word"""
)
"""The named nodes of tree-sitter-bash 0.25; a node of another kind is one that nobody here has thought about."""
_READ_OTHERWISE = frozenset(["time", "coproc", ""])
"""What this grammar takes for names of programs and bash does not."""
_BEYOND = re.compile("[^\\x00-\\xff]")
_PLAIN = re.compile(r"[\w./+@%:,=-]+")
_FETCHES = _words("curl wget fetch aria2c http https xh lwp-download GET")
_REACHES = _FETCHES | _words("ssh scp sftp rsync nc ncat netcat socat telnet ftp openssl git npm pip cargo docker")
_INTERPRETS = _words(
    "sh bash zsh dash ksh ash fish python python2 python3 perl ruby node php lua deno bun source . eval"
)
_INSTALLS = re.compile(
    r"(?:npm|pnpm|yarn|pip3?|uv|cargo|go|gem|apt|apt-get|brew|apk|dnf|yum)\s(?:.*\s)?(?:install|add|i|ci|get)\b"
)
_REWRITES = re.compile(
    r"git\s(?:.*\s)?(?:push\s.*(?:-f\b|--force)|reset\s.*--hard|clean\s|rebase\b|filter-branch|branch\s.*-D|checkout\s.*--\s|stash\s(?:drop|clear))"
)
_HIDES = re.compile(
    r"\b(?:base64|base32|xxd|openssl\s+enc|rev|tr)\b[^|;&]*\|[^|;&]*\b(?:sh|bash|zsh|python3?|perl|node)\b"
)


class ShellReader:
    """Implements `guard.policy.ShellReader`. The grammar is loaded when the first line of yolo comes."""

    def __init__(self) -> None:
        try:
            self.name = f"tree-sitter-bash {importlib.metadata.version('tree-sitter-bash')}"
        except importlib.metadata.PackageNotFoundError:
            self.name = "tree-sitter-bash is missing"

    def unreadable(self, command: str) -> str:
        """Why a line is refused as unreadable, "" when this reader understands it as the guard's own does.

        Raises Unavailable when the grammar is not installed: without it no line of yolo is judged.
        """
        command = tamed(command)
        root = _tree(command)
        if root.has_error:
            return "a second reader cannot read the line as one of bash"
        strange = next((node.type for node in _nodes(root) if node.is_named and node.type not in _KINDS), "")
        if strange:
            return f"a second reader finds {strange} in the line, which no rule knows"
        try:
            seen = {one.words[0].text for one in commands_of(command) if one.words}
        except Denied as denied:
            return denied.reason
        for name in _plain_names(root):
            if name not in seen and name not in _READ_OTHERWISE:
                return f"two readers differ about what the line runs: {name[:_LONGEST_NAME]}"
        return ""


def advise(command: str) -> tuple[str, ...]:
    """Sentences about a yolo line for the person who approves it, the most serious first. Raises Unavailable.

    Nothing is decided by them, and a line without any is not thereby harmless.
    """
    found: dict[str, None] = {}
    for sentence in sorted(_sentences(command, 0), key=lambda one: one[0]):
        found[sentence[1]] = None
    return tuple(found)


@cache
def _parser() -> Any:
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module("tree_sitter_bash")
    except ImportError as error:
        raise Unavailable(
            "the second reader of shell lines is not installed", "install tree-sitter and tree-sitter-bash"
        ) from error
    return tree_sitter.Parser(tree_sitter.Language(grammar.language()))


def tamed(command: str) -> str:
    """The line with every character beyond Latin-1 as one letter of Latin-1: tree-sitter-bash 0.25 asks the C library's table of
    256 classes about others, too, and may crash the process (two of two fuzzers within a minute; none in a million lines so).
    """
    return command if command.isascii() else _BEYOND.sub("\xff", command)


def _tree(command: str) -> Any:
    return _parser().parse(tamed(command).encode("utf-8", "replace")).root_node


def _nodes(root: Any) -> Iterator[Any]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def _text(node: Any) -> str:
    return str(node.text.decode("utf-8", "replace"))


def _plain_names(root: Any) -> Iterator[str]:
    """The names of programs that stand there without quotes, patterns and expansions."""
    for node in _nodes(root):
        if node.type == "command_name" and len(node.children) == 1 and node.children[0].type == "word":
            name = _text(node)
            if _PLAIN.fullmatch(name):
                yield name


def _sentences(command: str, depth: int) -> Iterator[tuple[int, str]]:
    root = _tree(command)
    if root.has_error:
        yield 0, UNREAD
    for node in _nodes(root):
        if node.type == "pipeline":
            yield from _of_pipeline(node)
        elif node.type == "command":
            yield from _of_command(node, depth)
        elif node.type == "file_redirect":
            yield from _of_redirect(node)
        elif node.type == "&":
            yield 6, "starts something in the background; it ends with the sandbox"
        elif node.type == "function_definition":
            yield 7, "defines a function: a name in the line may not mean the program of that name"
    if _HIDES.search(command):
        yield 1, "decodes or turns text and runs the result"
    if _INSTALLS.search(command):
        yield 5, "installs packages, whose own scripts run"
    if _REWRITES.search(command):
        yield 3, "discards or rewrites work of the repository"


def _of_pipeline(node: Any) -> Iterator[tuple[int, str]]:
    names = [_head(one) for one in node.named_children if one.type in ("command", "redirected_statement")]
    for place, name in enumerate(names):
        if name in _INTERPRETS and place:
            fetched = next((one for one in names[:place] if one in _FETCHES), "")
            yield (
                1,
                f"downloads with {fetched} and runs it with {name}"
                if fetched
                else f"runs with {name} what comes out of a pipe",
            )


def _of_command(node: Any, depth: int) -> Iterator[tuple[int, str]]:
    name_node = node.child_by_field_name("name")
    if name_node is None:
        return
    if any(one.type in _COMPUTED for one in _nodes(name_node)):
        yield 1, f"the name of a program is computed while the line runs: {_text(name_node)[:_LONGEST_NAME]}"
        return
    name = _head(node)
    words = [_text(one) for one in node.children_by_field_name("argument")]
    if name in ("rm", "shred", "unlink") or (name == "find" and "-delete" in words):
        yield 3, f"removes files: {_text(node)[: 2 * _LONGEST_NAME]}"
    if name in ("sudo", "su", "doas", "pkexec"):
        yield 0, f"runs as another user with {name}"
    if name in _REACHES and (name in _FETCHES or name not in ("git", "npm", "pip", "cargo")):
        yield 4, f"reaches the network with {name}, when the network is approved"
    if name == "eval":
        yield 1, "runs text that is put together while the line runs"
    code = _inline(name, words)
    if code is not None:
        yield 2, f"runs code that stands in the line with {name}"
        if name in ("sh", "bash", "zsh", "dash", "ksh") and depth < _DEEPEST:
            yield from _sentences(code, depth + 1)
    for word in words:
        yield from _of_path(word)


_COMPUTED = frozenset(
    ["simple_expansion", "expansion", "command_substitution", "process_substitution", "brace_expression"]
)
_OUTSIDE = re.compile(
    r"['\"]?(/(?!dev/(?:null|std(?:in|out|err)|tty|zero|u?random)\b|tmp/)[^\s'\"]+|~[^\s'\"]*|\$\{?HOME\}?[^\s'\"]*)"
)
_DEVICE = re.compile(
    r"['\"]?(?:[a-z]+=)?(/dev/(?!null\b|std(?:in|out|err)\b|tty\b|zero\b|u?random\b|fd/|shm/)[^\s'\"]+)"
)


def _of_path(word: str) -> Iterator[tuple[int, str]]:
    if device := _DEVICE.match(word):
        yield 0, f"names the device {device[1][:_LONGEST_NAME]}"
    elif outside := _OUTSIDE.match(word):
        yield 5, f"names something outside the workspace: {outside[1][:_LONGEST_NAME]}"


def _of_redirect(node: Any) -> Iterator[tuple[int, str]]:
    target = node.child_by_field_name("destination")
    if target is None or not any(">" in _text(one) for one in node.children if not one.is_named):
        return
    word = _text(target)
    if device := _DEVICE.match(word):
        yield 0, f"writes to the device {device[1][:_LONGEST_NAME]}"
    elif outside := _OUTSIDE.match(word):
        yield 2, f"writes outside the workspace: {outside[1][:_LONGEST_NAME]}"


def _head(node: Any) -> str:
    """The bare name of the program of a command, "" when it has none."""
    command = node if node.type == "command" else node.child_by_field_name("body")
    name = command.child_by_field_name("name") if command is not None and command.type == "command" else None
    return _text(name).strip("'\"\\").rsplit("/", 1)[-1] if name is not None else ""


def _inline(name: str, words: list[str]) -> str | None:
    """The code behind -c or -e of an interpreter, its quotes taken off."""
    if name not in _INTERPRETS:
        return None
    for place, word in enumerate(words[:-1]):
        if re.fullmatch(r"-[a-zA-Z]*[ce]|--eval|--print|-p|-r", word):
            try:
                return "".join(shlex.split(words[place + 1]))
            except ValueError:
                return words[place + 1]
    return None
