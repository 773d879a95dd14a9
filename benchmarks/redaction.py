"""What the redactor costs: one ordinary 50 KB message, adversarial texts, doubling, import time and memory.

    python benchmarks/redaction.py [--json FILE] [--rounds N]

Absolute times belong to the machine, so each is also given as a multiple of one plain `re` run scan over the ordinary text,
measured in the same run. Best of N rounds. Texts are made here from fixed seeds; no key in them was ever issued.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import string
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from multiagent_bridge.errors import Refused
from multiagent_bridge.guard.redact import Redactor

SIZE = 50_000
RUN_SCAN = re.compile(r"[A-Za-z0-9_-]{16,}")
BASE62 = string.ascii_letters + string.digits
PROSE = (
    "the bridge keeps every message in order and marks it read once the partner has seen it so we can restart the worker "
    "without losing mail please look at the failing test before lunch and tell me whether the retry loop is still needed"
)
WORDS = tuple(re.findall("[a-z]+", PROSE))


def ordinary(seed: int = 7, size: int = SIZE) -> str:
    """Chat, code, logs, JSON, a lock file and a diff, with eight keys among them."""
    rng = random.Random(seed)

    def word(alphabet: str, length: int) -> str:
        return "".join(rng.choice(alphabet) for _ in range(length))

    def prose() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(60)) + ".\n\n"

    def code() -> str:
        name = rng.choice(("token_count", "session_id", "load_settings", "check_password", "cache_key"))
        return (
            f"def {name}(self, connection: Connection, *, timeout: float = {rng.randint(1, 90)}) -> dict[str, int]:\n"
            f"    result = connection.execute(STATEMENTS.{name}, limit=timeout)\n"
            f"    if result is None:\n        raise NotFound('no row for ' + self.{name})\n    return dict(result)\n\n"
        )

    def log() -> str:
        return (
            f"2026-03-02T10:{rng.randint(10, 59)}:07Z INFO bridge.services.messages request_id={word('0123456789abcdef', 32)} "
            f"path=/api/v1/conversations/{rng.randint(1, 999)}/messages status=200 took={rng.randint(1, 99)}ms\n"
        )

    def record() -> str:
        return (
            json.dumps(
                {"id": rng.randint(1, 9999), "state": "working", "files": ["src/app/main.py", "tests/test_app.py"]}
            )
            + "\n"
        )

    def lock() -> str:
        digest = base64.b64encode(rng.randbytes(64)).decode()
        version = f"1.{rng.randint(0, 9)}.0"
        return f'"node_modules/pkg-{rng.randint(1, 99)}": {{"version": "{version}", "integrity": "sha512-{digest}"}},\n'

    keys = iter(
        [
            "export GITHUB_TOKEN=" + "ghp_" + word(BASE62, 36),
            "aws_access_key_id = " + "AKIA" + word(string.ascii_uppercase + string.digits, 16),
            'client = OpenAI(api_key="' + "sk-proj-" + word(BASE62, 80) + '")',
            "postgres://app:" + word(BASE62, 14) + "@db.internal:5432/app",
            "Authorization: Bearer " + word(BASE62, 40),
            "slack " + "xoxb-" + word(string.digits, 12) + "-" + word(BASE62, 24),
            "the password is " + word(BASE62, 12) + "!",
            '{"client_secret": "' + word(BASE62, 32) + '"}',
        ]
    )
    out: list[str] = []
    length = 0
    makers: list[Callable[[], str]] = [prose, prose, prose, code, code, log, record, lock]
    step = size // 9
    due = step
    while length < size:
        piece = rng.choice(makers)()
        if length > due:
            piece += next(keys, "") + "\n"
            due += step
        out.append(piece)
        length += len(piece)
    return "".join(out)[:size]


def _filled(unit: str, size: int = SIZE) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _nested(size: int) -> str:
    text = b"password: hunter2hunter2 "
    while len(text) * 4 // 3 < size:
        text = base64.b64encode(text)
    return text.decode()[:size]


def _wrapped(size: int) -> str:
    text = "password: hunter2hunter2 "
    while len(json.dumps(text)) < size:
        text = json.dumps(text + text if len(text) * 2 < size else text)
    return text[:size]


def adversarial(size: int = SIZE) -> dict[str, str]:
    """Texts written to make a redactor slow."""
    rng = random.Random(3)
    noise = "".join(rng.choice(BASE62) for _ in range(size))
    return {
        "key= without end": _filled("key=", size),
        "key= with spaces": _filled("key= ", size),
        "password:": _filled("password: ", size),
        "password is password": _filled("password is ", size),
        "quoted keys": _filled('"api_key": "', size),
        "A": _filled("A", size),
        "one unfinished PEM header": ("-----BEGIN RSA PRIVATE KEY-----\n" + _filled("A", size))[:size],
        "PEM headers": _filled("-----BEGIN RSA PRIVATE KEY-----\n", size),
        "BEGIN": _filled("BEGIN ", size),
        "dashes": _filled("-", size),
        "nested base64": _nested(size),
        "base64 lines": "\n".join(noise[i : i + 76] for i in range(0, size, 77)),
        "combining marks": _filled("a\u0301\u0302\u0303", size),
        "zero width": _filled("a\u200b", size),
        "escapes": _filled("\\u0041", size),
        "percent": _filled("%41", size),
        "percent of percent": _filled("%2525252541", size),
        "backslashes": _filled("\\", size),
        "quotes": _filled("'", size),
        "spaced letters": _filled("a ", size),
        "userinfo": _filled("a://b:c", size),
        "userinfo with at signs": "http://" + _filled("a:b@", size - 7),
        "short heads": _filled("sk-", size),
        "jwt heads": _filled("eyJ", size),
        "jwt parts": _filled("eyJhbGciOi.", size),
        "github heads": _filled("ghp_", size),
        "led anchors": _filled("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaQ~", size),
        "slack heads": _filled("xoxb-1", size),
        "bearer": _filled("Bearer ", size),
        "cookie": _filled("cookie: a=b; ", size),
        "uuid": _filled("123e4567-e89b-12d3-a456-426614174000 ", size),
        "noise": noise,
        "noise words": " ".join(noise[i : i + 20] for i in range(0, size, 21)),
        "brackets": _filled("[{(", size),
        "deep JSON": "[" * (size // 2) + "]" * (size // 2),
        "lone surrogates": _filled("\ud800key=", size),
        "newlines": _filled("\n", size),
        "string joints": _filled('ghp_a" + "', size),
        "escape codes": _filled("\x1b[31m", size),
        "unfinished escape codes": _filled("\x1b]0;", size),
        "literals": _filled('"a\\n" ', size),
        "names in literals": _filled('"key=\\n", ', size),
        "one unfinished literal": _filled('"key=\\t', size),
        "escaped quotes": _filled('\\"', size),
        "JSON in JSON": _wrapped(size),
        "lists": _filled('tokens: ["tokens: ["', size),
        "lists below": _filled("password:\n - a\n", size),
        "pairs": _filled("name: token\n value: ", size),
        "arguments": _filled('"--token", ', size),
        "PEM ends": _filled("-----END PRIVATE KEY-----\n", size),
        "bodies and PEM ends": _filled(noise[:64] + "\n-----END PRIVATE KEY-----\n", size),
        "cookie files": _filled("Cookie File\ta\tb\tc\td\te\t" + noise[:20] + "\n", size),
        "AWS key ids": _filled("AKIA" + "Q7RTYU2OPASDFGHJ" + " ", size),
        "members of a web key": _filled('"kt", "d": "' + noise[:43] + '", ', size),
        "wide brackets": _filled("\u6771\uff08", size),
    }


def best(action: Callable[[], object], rounds: int) -> float:
    """Best time of some rounds, in milliseconds of this thread's processor: what others do meanwhile does not count."""
    least = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        action()
        least = min(least, time.thread_time() - begun)
    return least * 1e3


def attempt(redactor: Redactor, text: str) -> str:
    """Redact, a refusal counting as an answer."""
    try:
        redactor.redact(text)
    except Refused:
        return "refused"
    return "done"


def start_cost() -> tuple[float, float, float]:
    """Import and first construction in fresh processes: milliseconds each, and megabytes of resident memory added (Linux)."""
    program = (
        "import time,re,json,dataclasses,base64,unicodedata,bisect,functools,zlib,typing,collections\n"
        "def resident():\n with open('/proc/self/statm') as f: return int(f.read().split()[1])*4096\n"
        "m=resident();t=time.process_time()\n"
        "from multiagent_bridge.guard.redact import Redactor\n"
        "i=time.process_time();Redactor()\n"
        "print((i-t)*1e3,(time.process_time()-i)*1e3,(resident()-m)/2**20)"
    )
    times: list[float] = []
    constructed: list[float] = []
    memory = 0.0
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        imported, built, memory = map(float, done.stdout.split())
        times.append(imported)
        constructed.append(built)
    return min(times), min(constructed), memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    redactor = Redactor()
    text = ordinary()
    scan = best(lambda: RUN_SCAN.findall(text), chosen.rounds)
    message = best(lambda: redactor.redact(text), chosen.rounds)
    long_text = ordinary(size=10_000_000)
    long_time = best(lambda: attempt(redactor, long_text), 1)
    started, built, memory = start_cost()
    print(f"run scan (the unit)        {scan:8.2f} ms")
    print(
        f"ordinary 50 KB, 8 keys     {message:8.2f} ms  {message / scan:6.1f} x  kinds {len(redactor.redact(text).kinds)}"
    )
    print(f"ordinary 10 MB             {long_time:8.0f} ms  {long_time / message / 200:6.2f} of linear")
    print(f"import, construction       {started:8.1f} ms  {built:6.1f} ms  {memory:6.1f} MB")
    print(f"\n{'adversarial 50 KB':28}{'ms':>9}{'x scan':>9}{'double':>9}  answer")
    rows: dict[str, dict[str, float | str]] = {}
    twice = adversarial(2 * SIZE)
    for name, hostile in adversarial().items():
        once = best(lambda hostile=hostile: attempt(redactor, hostile), 3)
        both = best(lambda name=name: attempt(redactor, twice[name]), 3)
        rows[name] = {"ms": once, "scan": once / scan, "double": both / once, "answer": attempt(redactor, hostile)}
        print(f"{name:28}{once:9.2f}{once / scan:9.1f}{both / once:9.2f}  {rows[name]['answer']}")
    if chosen.json:
        result = {
            "scan_ms": scan, "message_ms": message, "message_scans": message / scan, "long_ms": long_time,
            "import_ms": started,
            "construction_ms": built, "import_mb": memory, "adversarial": rows,
        }  # fmt: skip
        chosen.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
