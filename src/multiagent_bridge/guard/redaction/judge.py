"""The judge of values: is what stands after a secret's name a secret, or a placeholder, variable, call, path or word?"""

from __future__ import annotations

import re
import string

from multiagent_bridge.guard.redaction.names import KEY, PASSWORD, SECRET
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER_MARK
from multiagent_bridge.guard.redaction.words import looks_like_language, word_set

_WORDS_KEPT = word_set(
    "true false yes no on off none null nil undefined void nan empty unset default string str bytes int integer "
    "number float bool boolean object array list dict map any unknown never text char varchar required optional "
    "enabled disabled include omit same-origin hidden visible readonly masked redacted removed hidden secret "
    "secrets password passwd pass pwd passphrase token tokens key keys apikey api_key api-key access_key "
    "secret_key auth authorization credential credentials username user login name value values example sample "
    "placeholder changeit todo tbd fixme xxx foo bar baz foobar qux test testing tests dummy fake mock mocked "
    "none, invalid missing expired wrong incorrect valid correct bad good strong weak new old current please "
    "enter input prompt type self this return const let var new function async await basic bearer digest oauth "
    "oauth2 jwt ldap sso saml kerberos plain plaintext bcrypt argon2 scrypt sha1 sha256 sha512 md5 hs256 rs256 "
    "es256 rsa dsa ecdsa ed25519 aes pem hex base64 utf8 utf-8 ascii json yaml xml html csv env file files path "
    "url uri header cookie session query body form param params field column row north south east west left right "
    "center ctrl shift cmd alt enter escape tab space date time id uuid index and or not is are was the a an in "
    "of for to from with by as it its if else then when while be been has have had will would can could should "
    "must may might see use used using via per was were did does do done ok okay pass fail "
)
_TEMPLATE = re.compile(
    r"^(?:\.?\$\{|\.\$|\$\(|\$[A-Za-z_]|\{\{|\{%|<[A-Za-z_/ $!.-]+>|%\(|%[A-Z_a-z]+%|#\{|@\{|\[\[|\(\(|\{[A-Za-z_][\w.\[\]'\"]*\}"
    r"|"
    r"__[A-Za-z_]+__|:[A-Za-z_]+$|!(?:Ref|Sub|GetAtt|secret|vault|env|ENV)\b|env[:.]|ENV\[|os\.|process\.env|secrets?\.|vars?\.|vault:|op://|ref\+|"
    r"ssm:|arn:aws|\*{3,}|x{3,}|X{3,}|\.{3}|-{3,}|_{3,}|•+|…|\?{2,}|#{3,}|<redacted|\[redacted|\[REDACTED|\[hidden|\[filtered|\[FILTERED)"
)
_CALL = re.compile(r"^[A-Za-z_$@&*][\w.$:>\-]*(?:\(|\[['\"\w])")
_DOTTED = re.compile(r"^[A-Za-z_$@][\w$]*(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*)+$")
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z_]*\d{0,2}$")
_PATH = re.compile(r"^(?:\.{0,2}/|~/|[A-Za-z]:\\)[\w.@%+\-/\\ ]*$")
_RELATIVE = re.compile(r"^[a-z][\w.\-]*(?:/[\w.#\-]+)+$")
_CRYPT = re.compile(r"^\$(?:1|2[abxy]?|5|6|y|apr1|argon2\w*|pbkdf2\S*|scrypt)\$")
_URL = re.compile(r"^[a-z][a-z0-9+.\-]{1,15}://")
_SAMPLE = re.compile(
    r"your[\s_-]?|<|change[\s_-]?(?:me|this)|example|replace|placeholder|dummy|redacted|insert[\s_-]|"
    r"(?:some|my|the|any|fake|test|sample|mock)[\s_-]?(?:\w{1,12}[\s_-]?)?(?:pass(?:word|phrase)?|pwd|secret|token|key|api|credential|string|value)|"
    r"(?:pass(?:word|phrase)?|secret|token|key|credential)s?[\s_-]?(?:here|value|goes|string|name|\d{0,2}$)|^x+$|^\*+$|^\.+$|xxxx|\*\*\*\*"
)
_PASSWORD_SAMPLE = re.compile(
    r"your[\s_-]|your(?:pass|secret)|^<|change[\s_-]?(?:me|this)|^(?:example|placeholder|dummy|redacted|insert)\b|xxxx|\*\*\*|\.\.\.|"
    r"^(?:my|the|any|some|fake|test|sample|mock|db|user|smtp|new|old|admin|root)?[_-]?(?:pass(?:word|wd|phrase)?|pwd|secret|token|key)s?[_-]?\d{0,2}$|"
    r"(?:password|secret)[_-]?(?:here|goes|value)"
)
_ALGORITHM = re.compile(r"^(?i:rsa|dsa|ec|ed25519|aes|hmac|sha|hs|rs|es)[:_-]?\d{0,5}(?:[_-][A-Za-z0-9]{2,8})?$")
_OTHER_FLAG = re.compile(r"^--[a-z]+(?:-[a-z]+)*$|^\*[a-z]+(?:_[a-z]+)*$")  # the next flag; an alias of YAML
_CONSTANT = re.compile(r"^[A-Z]+(?:_[A-Z]+)+$")
_CAMEL = re.compile(r"^[a-z]{2,}(?:[A-Z][a-z]+)+$")
_HEX = string.hexdigits.encode()
_DIGITS = string.digits.encode()
_UPPER = string.ascii_uppercase.encode()
_LOWER = string.ascii_lowercase.encode()
_NUMBER = re.compile(r"^0x[0-9a-fA-F]{1,16}$|^[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?[a-zA-Z%]{0,2}$")
_VERSION_OR_DATE = re.compile(r"^v?\d+(?:[.\-/:T]\d+)+[\w.+:-]{0,12}$")
_SYMBOLS_OF_CODE = re.compile(r"[(){}\[\];<>]|=>|->|&&|\|\||::")
UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def is_reference(value: str) -> bool:
    """A variable, template, call, attribute, path or URL: it names where the secret is, it is not the secret."""
    if _TEMPLATE.match(value) or PLACEHOLDER_MARK in value:
        return True
    if value.isalnum():
        return False
    if ("(" in value or "[" in value) and _CALL.match(value):
        return True
    if (
        ("." in value or ":" in value or ">" in value)
        and _DOTTED.match(value)
        and not any(is_random(piece, 16) for piece in value.split("."))
    ):
        return True
    if "/" in value or "\\" in value:
        return bool(_PATH.match(value) or _URL.match(value) or (_RELATIVE.match(value) and looks_like_language(value)))
    return False


def is_sample(value: str) -> bool:
    """A value written to be replaced: `your-api-key`, `changeme`, `xxxx`, one character again and again."""
    return bool(_SAMPLE.search(value.lower())) or len(set(value)) < 3


def is_random(value: str, least: int = 16) -> bool:
    """True for text that nobody typed as words: `least` characters or more, of mixed classes, many different ones."""
    length = len(value)
    if length < least:
        return False
    different = len(set(value))
    if different < min(8, length // 2):
        return False
    plain = value.encode("ascii", "replace")
    digits = length - len(plain.translate(None, _DIGITS))
    if not plain.translate(None, _HEX):
        return digits * 10 >= length and (length - digits) * 10 >= length
    if digits == 0:
        if length < 20 or different < 12:
            return False
        upper = length - len(plain.translate(None, _UPPER))
        lower = length - len(plain.translate(None, _LOWER))
        return upper >= 3 and lower >= 3 and not looks_like_language(value)
    if digits == length:
        return False
    if digits * 20 >= length:
        return digits >= 2 and (digits >= 4 or not looks_like_language(value))
    return length >= 24 and not looks_like_language(value)


def _is_monotonous(value: str) -> bool:
    """True when one of its first characters makes more than six tenths of it."""
    length = len(value)
    # Then the different ones are at most the others and that one.
    return len(set(value)) * 10 <= length * 4 + 10 and max(map(value.count, set(value[:64]))) * 10 > length * 6


def is_secret_value(value: str, meaning: str, quoted: bool, strong: bool) -> bool:
    """The verdict on one value.

    `meaning` is what the field's name says, `quoted` whether quotes bound the value, `strong` whether the place alone
    makes it a secret (an upper-case environment name, a command flag, a credentials file, user information of a URL).
    """
    length = len(value)
    if length < 3:
        return False
    low = value.lower()
    if low in _WORDS_KEPT or is_reference(value) or low.strip("\"'`.,:!?") in _WORDS_KEPT:
        return False
    random = is_random(value, 20)
    if meaning == KEY and not random:
        return False
    if meaning != PASSWORD and length >= 8 and _is_monotonous(value):
        return False
    if random:
        pass
    elif meaning == PASSWORD:
        if _PASSWORD_SAMPLE.search(low) or len(set(value)) < 2:
            return False
    elif is_sample(value):
        return False
    if _NUMBER.match(value):
        if meaning == PASSWORD:
            return value.isdigit() and length >= 5 and (quoted or strong)
        return meaning == SECRET and value.isdigit() and length >= 20 and len(set(value)) >= 6
    if _CRYPT.match(value) or _ALGORITHM.match(value) or _OTHER_FLAG.match(value):
        return False
    if meaning == PASSWORD:
        return _password(value, quoted, strong)
    if " " in value:
        return False
    if _VERSION_OR_DATE.match(value):
        return False
    if _SYMBOLS_OF_CODE.search(value) and not is_random(value, 24):
        return False
    if meaning == SECRET:
        return _secret(value, quoted, strong)
    return UUID.fullmatch(value) is None and not _IDENTIFIER.match(value)


def _password(value: str, quoted: bool, strong: bool) -> bool:
    if " " in value:
        if not quoted or value.count(" ") > 4:
            return False
        return any(c.isdigit() for c in value) and not looks_like_language(value)
    if _VERSION_OR_DATE.match(value):
        return False
    digits = any(c.isdigit() for c in value)
    symbols = any(not (c.isalnum() or c in "_-.") for c in value)
    if not quoted and _SYMBOLS_OF_CODE.search(value):
        return False
    if digits or symbols:
        if value[:1] in "<{[(" and value[-1:] in ">}])":
            return False
        return not (not quoted and not strong and value[-1:] in ",;" and looks_like_language(value[:-1]) and not digits)
    if _CONSTANT.match(value) and looks_like_language(value):
        return False
    if quoted:
        return True
    if strong:
        return not (_CAMEL.match(value) and looks_like_language(value))
    mixed = not (value.islower() or value.isupper() or value.istitle())
    if mixed and _IDENTIFIER.match(value):
        return not looks_like_language(value)
    return len(value) >= 4 and not looks_like_language(value)


def _secret(value: str, quoted: bool, strong: bool) -> bool:
    length = len(value)
    if UUID.fullmatch(value):
        return True
    if is_random(value, 10):
        return True
    if length < 8:
        return False
    digits = sum(c.isdigit() for c in value)
    if quoted or strong:
        if digits >= 2 and length >= 8 and not _IDENTIFIER.match(value):
            return True
        return length >= 10 and not looks_like_language(value)
    return length >= 12 and digits == 0 and not looks_like_language(value) and not _IDENTIFIER.match(value)
