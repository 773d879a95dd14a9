"""Files and shapes in which credentials are kept, each as it is written in practice: the value goes, the rest stays."""

from __future__ import annotations

import base64
import json

import pytest

from multiagent_bridge.guard.redact import Redactor
from tests.guard.redaction_samples import HEX, PEM_BODY, key

REDACTOR = Redactor()
TOKEN = key(40)
AWS_ID = "AKIA" + key(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


KUBECONFIG = f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://10.0.0.1:6443
  name: dev
users:
- name: by-certificate
  user:
    client-key-data: {coded("-----BEGIN RSA PRIVATE KEY-----" + chr(10) + PEM_BODY)}
    token: {key(48)}
- name: by-password
  user:
    username: admin
    password: s3cretPassw0rd
- name: by-provider
  user:
    auth-provider:
      config:
        access-token: {key(60)}
        refresh-token: {key(44)}
"""


def test_a_kubeconfig_keeps_its_shape_and_none_of_its_credentials() -> None:
    found = REDACTOR.redact(KUBECONFIG)
    before, after = KUBECONFIG.splitlines(), found.text.splitlines()
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        name = old.partition(":")[0]
        if name.strip() in ("client-key-data", "token", "password", "access-token", "refresh-token"):
            assert new.startswith(f"{name}: "), new
            assert new.endswith("_REDACTED"), new
        else:
            assert new == old


PLACES = {
    "netrc on one line": ("machine api.example.com login bob password {}", "Tr0ub4dor&3"),
    "netrc on three lines": ("machine ftp.example.com\nlogin bob\npassword {}\n", "sunshine"),
    "npmrc token": ("//registry.npmjs.org/:_authToken={}", key(36)),
    "npmrc auth": ("_auth={}", coded("bob:hunter2secret")),
    "npmrc password": ("//r.example.com/:_password={}", coded("hunter2secret")),
    "docker config": ('{{"auths": {{"ghcr.io": {{"auth": "{}"}}}}}}', coded("bob:hunter2secret")),
    "pypirc": ("[pypi]\nusername = __token__\npassword = {}", TOKEN),
    "env file": ("A=1\nDB_PASS='{}'\nB=2", "p@ss w0rd 7"),
    "postgres parameters": ("host=db user=bob password={} dbname=app", "s3kr1t9x"),
    "ado.net": ("Server=x;User ID=bob;Password={};Encrypt=True", "s3kr1t9x"),
    "jdbc": ("jdbc:postgresql://db/app?user=bob&password={}&ssl=true", "s3kr1t9x"),
    "mongodb": ("mongodb+srv://bob:{}@c0.example.net/?retryWrites=true", "s3kr%40t9x"),
    "azure storage": ("AccountName=x;AccountKey={};EndpointSuffix=core.windows.net", key(86) + "=="),
    "cookie header": ("Cookie: theme=dark; sessionid={}", key(32)),
    "cookie file": ("# Netscape HTTP Cookie File\n.example.com\tTRUE\t/\tTRUE\t0\tli_at\t{}", key(32)),
    "line of a cookie file": (".example.com\tTRUE\t/\tFALSE\t1893456000\tsessionid\t{}", key(32)),
    "digest authorization": (
        'Authorization: Digest username="bob", realm="x", nonce="dcd98b71", response="{}"', key(32, HEX),
    ),
    "signed request of aws": (
        f"Authorization: AWS4-HMAC-SHA256 Credential={AWS_ID}/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature={{}}",
        key(64, HEX),
    ),
    "list of arguments": ('["tool", "--password", "{}", "--verbose"]', "hunter2x"),
    "list of arguments in python": ("['tool', '--db-password', '{}']", "hunter2x"),
    "name and value in yaml": ("env:\n- name: DB_PASSWORD\n  value: {}\n- name: PORT\n  value: 80", "hunter2xyz"),
    "name and value in json": ('[{{"name": "DB_PASSWORD", "value": "{}"}}]', "hunter2xyz"),
    "name and value with a field between": ('{{"name": "API_TOKEN", "secure": true, "value": "{}"}}', TOKEN),
    "list in yaml": ("passwords:\n  - {}\nport: 80", "hunter2xyz"),
    "second of a list in json": ('{{"tokens": ["' + key(40, seed=5) + '", "{}"]}}', TOKEN),
    "mapping in json": ('{{"password": {{"value": "{}"}}}}', "hunter2xyz"),
    "mapping in yaml": ("password:\n  value: {}\n", "hunter2xyz"),
    "anchor in yaml": ("password: &pw {}\nother: *pw", "hunter2xyz9"),
    "tag in yaml": ("password: !!str {}", "hunter2xyz9"),
    "private part of a json web key": ('{{"kty": "EC", "crv": "P-256", "x": "' + key(43, seed=2) + '", "d": "{}"}}', key(43)),
    "file of the aws console": (f"Access key ID,Secret access key\n{AWS_ID},{{}}", key(40)),
    "terraform": ('variable "db_password" {{\n  default = "{}"\n}}', "hunter2xyz"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_the_value_goes_and_what_stands_around_it_stays(name: str) -> None:
    shape, value = PLACES[name]
    after = shape.partition("{}")[2].format()
    text = shape.format(value)
    found = REDACTOR.redact(text)
    assert value not in found.text
    assert found.text[:5] == text[:5]
    assert found.text.endswith("_REDACTED" + after)


def test_every_rule_that_explains_a_finding_is_one_that_can_be_listed() -> None:
    listed = {rule.name for rule in REDACTOR.rules()}
    for shape, value in PLACES.values():
        for finding in REDACTOR.explain(shape.format(value)):
            assert finding.rule.removeprefix("encoded-") in listed


def test_the_public_part_of_a_json_web_key_stays() -> None:
    text = json.dumps({"kty": "RSA", "n": key(86), "e": "AQAB", "kid": "2026-01"})
    assert REDACTOR.redact(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "mysql --password --user root app",
        'parser.add_argument("--password", "-p", help="asks when left out")',
        'click.option("--token", "token", required=True)',
        '["docker", "login", "--password-stdin"]',
        "env:\n- name: GITHUB_TOKEN\n  value: ${{ secrets.GITHUB_TOKEN }}",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db\n      key: password",
        '{"name": "password", "value": "Passwort"}',
        "secrets:\n  - db_password\n  - api_token",
        "secrets:\n  - source: db_password\n    target: /run/db",
        '{"tokens": ["the", "quick", "brown", "fox"]}',
        '"keys": ["id", "name", "created_at"]',
        "password: *default_password",
        "password:\n  min_length: 12\n  policy: strong",
        '"password": {"type": "string", "minLength": 8}',
        "the cookie file is written by curl -c jar.txt",
    ],
)
def test_what_only_looks_like_such_a_place_stays(text: str) -> None:
    assert REDACTOR.redact(text).text == text


@pytest.mark.parametrize("sign", ["\u00a0", "\u2009", "\u3000"])
def test_an_unusual_blank_behind_a_name_changes_nothing(sign: str) -> None:
    assert REDACTOR.redact(f"password:{sign}hunter2xyz").text == f"password:{sign}PASSWORD_REDACTED"
