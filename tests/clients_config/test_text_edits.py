"""Whatever a configuration file looks like, our entry goes in and out and nothing else moves."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multiagent_bridge.clients import documents, jsonc
from multiagent_bridge.clients.difference import difference
from multiagent_bridge.errors import Conflict, Invalid

PATH = ("mcpServers", "mab")
ENTRY: dict[str, object] = {"command": "/opt/ünï/mab", "args": ["mcp", "--as", "x"], "env": {"MAB_HOME": "/s"}, "t": 1}

_keys = st.sampled_from(["mcpServers", "theme", "a", "b", "mab", "sch\\u00e9", "//no", "/*", ""]) | st.text(max_size=4)
_words = st.sampled_from(
    ["1", "-2.5e3", "true", "null", '"x"', '"//"', '"{,}"', '"\\\\"', '"\\""', "[]", "{}", "[1, {}]"]
)
_space = st.sampled_from(["", " ", "\n", "\n  ", "\t", "\n\n\t", "  "])
_gap = st.one_of(
    _space,
    st.tuples(_space, st.sampled_from(["/* c */", "// c }\n", '// "mab": 1,\n', "/* ,\n */", "//\n"]), _space).map(
        "".join
    ),
)


@st.composite
def json_objects(draw: st.DrawFn, depth: int = 0, hold: tuple[str, ...] = ()) -> str:
    """An object in some hand's formatting: comments anywhere, a trailing comma or none; `hold` is a path in it."""
    parts = []
    names = draw(st.lists(_keys, max_size=4, unique=True))
    if hold:
        names = draw(st.permutations([*(name for name in names if name != hold[0]), hold[0]]))
    for name in names:
        try:
            key = f'"{name}"' if "\\" in name and json.loads(f'"{name}"') else json.dumps(name)
        except ValueError:
            key = json.dumps(name)
        inner = hold[1:] if name in hold[:1] else ()
        nested = depth < 2 and (name in PATH or draw(st.booleans()))
        value = draw(json_objects(depth + 1, inner)) if nested else draw(_words)
        parts.append(draw(_gap) + key + draw(_gap) + ":" + draw(_gap) + value + draw(_gap))
    comma = "," + draw(_gap) if parts and draw(st.booleans()) else ""
    return "{" + (",".join(parts) or draw(_gap)) + comma + "}"


@st.composite
def json_texts(draw: st.DrawFn, holding: bool = False) -> str:
    text = (
        draw(_gap) + draw(json_objects(hold=PATH if holding else ())) + draw(_gap) + draw(st.sampled_from(["", "\n"]))
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text


def ink(text: str) -> list[str]:
    """Comments and tokens of a JSON text, without space; commas apart, since one joins our entry to the rest."""
    tokens = re.findall(r'//[^\r\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[{}\[\]:]|[^\s{}\[\]:,"/]+', text, re.DOTALL)
    return [token for token in tokens if token != "\ufeff"]


def without(tokens: list[str], gone: list[str]) -> list[str]:
    """`tokens` with the run `gone` cut out once."""
    for at in range(len(tokens) - len(gone) + 1):
        if tokens[at : at + len(gone)] == gone:
            return tokens[:at] + tokens[at + len(gone) :]
    raise AssertionError("our entry is not one run of tokens")


def readable(text: str) -> bool:
    """Whether the path can be followed at all (no other kind of value on the way)."""
    value = jsonc.loads(text)
    return isinstance(value.get("mcpServers", {}), dict)


def kept_in_order(before: str, after: str) -> bool:
    """Whether every character of `before` stands in `after` in the same order."""
    rest = iter(after)
    return all(character in rest for character in before)


@given(json_texts())
def test_json_text_generator_and_reader_agree_with_a_strict_parser(text: str) -> None:
    plain = re.sub(r'("(?:[^"\\]|\\.)*")|//[^\r\n]*|/\*.*?\*/|\ufeff', lambda m: m[1] or " ", text, flags=re.DOTALL)
    plain = re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda m: m[1] or "", plain)
    assert jsonc.loads(text) == json.loads(plain)


@given(json_texts())
def test_adding_to_json_keeps_every_character_and_changes_only_our_entry(text: str) -> None:
    assume(readable(text) and documents.read("json", text, PATH) is None)
    after = documents.put("json", text, PATH, ENTRY)
    want = jsonc.loads(text)
    want.setdefault("mcpServers", {})["mab"] = ENTRY  # type: ignore[index]
    assert jsonc.loads(after) == want
    stripped = re.sub(r"[ \t\r\n]", "", text)
    assert kept_in_order(stripped, re.sub(r"[ \t\r\n]", "", after))
    assert after.endswith("\n") == text.endswith("\n") or not text.strip("\ufeff \t\r\n")
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")
    own = ink(json.dumps({"mab": ENTRY}, ensure_ascii=False))[1:-1]
    assert ink(text) == (ink(after) if own == [] else _out(ink(after), own, made="mcpServers" not in jsonc.loads(text)))


def _out(tokens: list[str], own: list[str], *, made: bool) -> list[str]:
    return without(tokens, ['"mcpServers"', ":", "{", *own, "}"] if made else own)


@given(json_texts())
def test_what_was_added_to_json_comes_out_again_and_every_comment_stays(text: str) -> None:
    assume(readable(text) and documents.read("json", text, PATH) is None)
    missing = documents.containers_missing("json", text, PATH)
    after = documents.put("json", text, PATH, ENTRY)
    back = documents.remove("json", after, PATH, missing)
    assert jsonc.loads(back) == jsonc.loads(text)
    assert ink(back) == ink(text)


@given(json_texts(holding=True))
def test_removing_from_json_takes_one_member_and_no_comment_outside_it(text: str) -> None:
    after = documents.remove("json", text, PATH)
    want = jsonc.loads(text)
    del want["mcpServers"]["mab"]  # type: ignore[attr-defined]
    assert jsonc.loads(after) == want
    assert kept_in_order("".join(ink(after)), "".join(ink(text)))


@given(json_texts(), st.dictionaries(st.sampled_from(["command", "args", "t", "new"]), st.integers(), max_size=4))
def test_updating_json_touches_only_the_keys_that_differ(text: str, entry: dict[str, object]) -> None:
    assume(readable(text))
    after = documents.update("json", text, PATH, {**entry})
    assert documents.read("json", after, PATH) == entry
    assert documents.update("json", after, PATH, {**entry}) == after


PRETTY = '{\n  // first\n  "mcpServers": {\n    "x": {\n      "command": "y"\n    }\n  },\n  "last": 1\n}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "mcpServers": {\n    "mab": {\n      "c": 1\n    }\n  }\n}\n'),
        ("// mine", '// mine\n{\n  "mcpServers": {\n    "mab": {\n      "c": 1\n    }\n  }\n}\n'),
        ("{}\n", '{\n  "mcpServers": {\n    "mab": {\n      "c": 1\n    }\n  }\n}\n'),
        ('{"a":1}', '{"a":1,"mcpServers":{"mab":{"c":1}}}'),
        ('{"a": 1}', '{"a": 1, "mcpServers": {"mab": {"c": 1}}}'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"mcpServers": {\n\t\t"mab": {\n\t\t\t"c": 1\n\t\t}\n\t}\n}'),
        ('{\n "a": 1, // c\n}', '{\n "a": 1, // c\n "mcpServers": {\n  "mab": {\n   "c": 1\n  }\n },\n}'),
        ('{\n "a": 1 // c\n}', '{\n "a": 1, // c\n "mcpServers": {\n  "mab": {\n   "c": 1\n  }\n }\n}'),
        ('{\n  "mcpServers": {}\n}', '{\n  "mcpServers": {\n    "mab": {\n      "c": 1\n    }\n  }\n}'),
        (PRETTY, PRETTY.replace('    }\n  },', '    },\n    "mab": {\n      "c": 1\n    }\n  },')),
    ],
)  # fmt: skip
def test_our_json_entry_looks_as_if_the_owner_had_typed_it(before: str, after: str) -> None:
    assert documents.put("json", before, PATH, {"c": 1}) == after


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '"x"', "{,}", '{"a":}', '{"a" 1}', '{"a":1,,}', '{"a":NaN}', "{'a':1}", '{"a":"\n"}',
        '{"a":1}{}', "/*",
        '{"a":[,]}', '{"a":01}', '{"mcpServers":[]}', '{"mcpServers":null}', '{"mcpServers":{},"mcpServers":{}}',
        '{"mcpServers":{},"mcp\\u0053ervers":{}}', "[" * 100_000, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":' + "9" * 5000 + "}", "\ufeff\ufeff{}", '{"a": 1 / 2}',
    ],
)  # fmt: skip
def test_what_is_not_a_json_object_we_can_edit_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        documents.put("json", text, PATH, ENTRY)
    assert "\n" not in caught.value.sentence


TABLE = ("mcp_servers", "mab")
BLOCK: dict[str, object] = {"command": "C:\\x\\mab", "args": ["mcp", "--as", "x"], "env": {"A": "b"}, "required": True}
_statements = st.sampled_from(
    [
        "a = 1", "b = '''\n[mcp_servers.mab]\n'''", 'c = """\n[x]\\\n"""', "d = [\n  1, # one ]\n  2,\n]", "# note",
        "", "  e.f = { g = 1, h = [1] } # inline", "[t]", "  [t.'u v'] # sub", '[t."w.x"]', "[[list]]",
        "k = 2020-01-01",
        "[mcp_servers]", "[mcp_servers.other]", "command = 'x'", '["mcp_servers"."q"]',
        "# [mcp_servers.mab]", 's = "a#b"',
        "mcp_servers.dotted.command = 'y'", "mcp_servers = { in = { command = 'z' } }", 'z = """a"""""', "y = ''''b'''",
    ]
)  # fmt: skip


@st.composite
def toml_texts(draw: st.DrawFn) -> str:
    text = "\n".join(draw(st.lists(_statements, max_size=7))) + draw(st.sampled_from(["", "\n", "\n\n"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    return draw(st.sampled_from(["", "", "\ufeff"])) + text


@given(toml_texts())
def test_adding_to_toml_is_one_insertion(text: str) -> None:
    after = documents.put("toml", text, TABLE, BLOCK)
    head = next((i for i, (a, b) in enumerate(zip(text, after, strict=False)) if a != b), min(len(text), len(after)))
    assert after.endswith(text[head:])
    assert documents.read("toml", after, TABLE) == BLOCK
    assert after.endswith("\n") == text.endswith("\n") or text in ("", "\ufeff")
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")


@given(toml_texts(), st.sampled_from(["", "\n# next\n[after]\nq = 1\n", "# next\n[after]\n"]))
def test_what_was_added_to_toml_comes_out_again_and_every_line_stays(text: str, later: str) -> None:
    newline = "\r\n" if "\r\n" in text else "\n"
    after = documents.put("toml", text, TABLE, BLOCK)
    assume(not later or after.endswith("\n"))
    back = documents.remove("toml", after + later.replace("\n", newline), TABLE)
    lines = [line for line in (text + later).replace("\r\n", "\n").split("\n") if line.strip()]
    assert [line for line in back.replace("\r\n", "\n").split("\n") if line.strip()] == lines
    assert later or back == text or back + newline == text


def test_a_comment_before_the_next_table_stays_when_ours_goes() -> None:
    before = (
        '[mcp_servers.mab]\n# ours\ncommand = "x"\n[mcp_servers.mab.env]\nA = "b"\n\n# theirs\n[mcp_servers.o]\nc = 1\n'
    )
    assert documents.remove("toml", before, TABLE) == "\n# theirs\n[mcp_servers.o]\nc = 1\n"


@pytest.mark.parametrize(
    "text",
    ["a = ", "[x", "a = 1\na = 2\n", "mcp_servers = 1\n", "[[mcp_servers]]\nx = 1\n", "a = " + "[" * 100_000, "\x00"],
)
def test_what_is_not_toml_we_can_edit_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises((Invalid, Conflict)) as caught:
        documents.put("toml", text, TABLE, BLOCK)
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize(
    "before",
    [
        "mcp_servers = { mab = { command = 'mab' } , x = { command = 'y' } }",
        "mcp_servers = { mab.command = 'mab', x.command = 'y' }\n",
        "mcp_servers.mab = {}",
        "mcp_servers.mab = { command = 'mab', args = ['a, }', \"b\"], required = false } # ours\n",
        "mcp_servers = { other = { command = 'x' }, mab = { command = 'mab', required = false } } # one line\n",
        "[mcp_servers]\nother = { command = 'x' }\nmab = { command = 'mab', required = false }\n",
        "mcp_servers.mab.command = 'mab'\nmcp_servers.mab.required = false\n# c\n",
        "[mcp_servers.mab]\nrequired = false\ncommand = 'mab'",
    ],
)
def test_our_toml_entry_is_updated_in_whatever_form_it_has(before: str) -> None:
    wanted: dict[str, object] = {"required": False, "command": "/new/mab"}
    after = documents.update("toml", before, TABLE, wanted)
    assert documents.read("toml", after, TABLE) == wanted
    assert [line for line in before.splitlines() if "mab" not in line] == [
        line for line in after.splitlines() if "mab" not in line
    ]


def test_all_that_is_added_to_a_file_of_one_line_is_shown() -> None:
    before = json.dumps({"other": ["x" * 40] * 40})
    hooks = {f"Event{number}": [{"command": f"mab hook stop --as agent-{number}"}] for number in range(12)}
    after = json.dumps({"other": ["x" * 40] * 40, "hooks": hooks})
    shown = difference(Path("settings.json"), before, after)[-1]
    assert all(f"mab hook stop --as agent-{number}" in shown for number in range(12))
    assert len(shown) < len(after) - 1000
