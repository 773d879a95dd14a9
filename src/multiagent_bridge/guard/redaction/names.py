"""What the name of a field says about its value: password, secret, plain key, or nothing."""

from __future__ import annotations

import re

from multiagent_bridge.guard.redaction.vendors import ORDINARY, VENDORS
from multiagent_bridge.guard.redaction.words import word_set

_REMEMBERED = 40
_NEAR = 24  # characters that mostly hold a few words
_NAMES_AT_MOST = 4_096
_KNOWN: dict[str, str] = {}
_JOINTS = dict.fromkeys(map(ord, "_.-"))
PASSWORD, SECRET, KEY, NOTHING = "password", "secret", "key", ""

# Words of names, split at case changes, digits and punctuation.
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_PASSWORD_WORDS = word_set(
    "password passwd passwort passphrase passcode pass pwd pswd psswd psw pw pword passw paswd passwrd pasword "
    "passward paasword passworsd psword userpass dbpass dbpassword rootpass rootpassword userpassword mypassword "
    "sshpass pgpassword adminpass adminpassword kennwort senha contrasena contraseña clave motdepasse wachtwoord "
    "hasło haslo lösenord пароль 密码 口令 パスワード 비밀번호 requirepass masterauth bindpw rootpw userpw dbpw ldappass "
    "passwords passphrases pwds proxypassword userpwd storepass keypass unlockpassword "
)
_PASSWORD_LIKE = re.compile(r"p[a]{1,2}s{1,2}w[ao]?r?s?d|passphrase|passw(?:or)?t|passcode")
_SECRET_WORDS = word_set(
    "sig secret secrets token tokens apikey apikeys secretkey accesskey authkey privatekey accesstoken authtoken "
    "apitoken credential credentials creds cred clientsecret secrettoken jwt bearer webhooksecret appsecret "
    "apisecret secretaccesskey sessionkey masterkey signingkey encryptionkey accountkey subscriptionkey "
    "nkey otp totp mnemonic sharedaccesskey sas refreshtoken idtoken usertoken bottoken auth authtok oauth "
    "session sessionid cookie authorization apitokens authtokens pat salt nonce passkey "
)
_KEY_QUALIFIERS = word_set(
    "api access secret private auth encryption signing account subscription master session app application client "
    "consumer service server shared license licence project ingest ingestion write admin user customer hmac jwt "
    "cookie crypt crypto encrypt decryption storage deploy integration publishable sdk rest master primary "
    "secondary root host device function functions csrf flask django rails seed unseal recovery unlock developer "
    "dev prod search registration gateway routing connection broker webhook management site read security "
    "activation instance ssh gpg token env provision provisioning data "
)
# A name that ends with one of these speaks about the secret and does not hold it.
_ABOUT = word_set(
    "id ids name names type types file files path paths url uri urls field fields label labels length len size "
    "count counts policy expiry expires expire expiration at time ttl age hint prompt regex pattern format "
    "algorithm alg algo method provider required enabled disabled header headers prefix suffix column index "
    "generator reset hashing test tests error errors arn version rotation endpoint port scope scopes usage limit "
    "max min input message title text page class func function handler manager helper store storage service "
    "source dir directory location list map set var variable ref reference object str kind placeholder "
    "description desc strength score validator rule rules schema changed updated created lifetime duration "
    "timeout attempts retries status state mode iterations rounds digest fingerprint thumbprint hashed checksum "
    "hash callback link email form view screen tests budget plan window used spec template info details config "
    "settings options option params param exists present valid verified check audience issuer subject verifier "
    "extractor parser bucket ring chain pair space board stroke stone word frame "
)
_LOOSE = "\"'`*_("
_OTHER_PASSES = frozenset(("bypass", "compass", "encompass", "overpass", "surpass", "trespass", "underpass", "onepass"))
_NEUTRAL = word_set(
    "value val string default raw plain base64 b64 env prod dev staging live production local old new current "
    "main primary secondary my the text content one two a b c hex bytes data "
)


def split_words(text: str) -> list[str]:
    """The words of a text in small letters, split at case changes, digits and punctuation."""
    return [word.lower() for word in _SPLIT.findall(text)]


def last_words(text: str, count: int) -> list[str]:
    """The last `count` of `split_words(text)`."""
    words = _SPLIT.findall(text[-_NEAR:])
    if len(words) <= count and len(text) > _NEAR:  # the first of them may be the end of a longer one
        words = _SPLIT.findall(text)
    return [word.lower() for word in words[-count:]]


def meaning(name: str) -> str:
    """PASSWORD, SECRET, KEY (a bare `key`: only a random value counts) or NOTHING."""
    known = _KNOWN.get(name)
    if known is None:
        known = _meaning(name)
        # A long name or one with digits may be a piece of a secret, which nothing may keep.
        if len(name) <= _REMEMBERED and name.translate(_JOINTS).isalpha() and len(_KNOWN) < _NAMES_AT_MOST:
            _KNOWN[name] = known
    return known


def _meaning(name: str) -> str:
    words = split_words(name[-80:])
    while len(words) > 1 and words[-1] in _NEUTRAL:
        words.pop()
    if not name.isascii() and name.lower() in _PASSWORD_WORDS:
        return PASSWORD
    last = words[-1] if words else ""
    before = words[-2] if len(words) > 1 else ""
    if before == "pass" and last in ("phrase", "word", "code"):
        return PASSWORD
    if not words or last in _ABOUT:
        return NOTHING
    if last in _PASSWORD_WORDS or _PASSWORD_LIKE.search(last):
        return PASSWORD if not (last == "pass" and before in ("by", "sub", "first", "second", "render")) else NOTHING
    if last in ("key", "keys"):
        if before in (
            "encrypted",
            "wrapped",
            "public",
            "foreign",
            "cache",
            "sort",
            "partition",
            "primary",
            "idempotency",
        ):
            return NOTHING
        return (
            SECRET if before in _KEY_QUALIFIERS or any(word in VENDORS or word in ORDINARY for word in words) else KEY
        )
    if last == "signature" and before in ("oauth", "amz", "goog", "access", "request"):
        return SECRET
    if last == "sid":
        return KEY if before in ("", "session", "connect") else NOTHING
    if last in ("private", "access") and len(words) > 1 and any(word in VENDORS for word in words):
        return SECRET
    if last in _SECRET_WORDS:
        return SECRET
    if last.endswith(("key", "secret", "token", "password", "passwd", "apikey")) and len(last) > 5:
        if last.endswith(("monkey", "turkey", "hockey", "whiskey", "jockey", "keykey")):
            return NOTHING
        return PASSWORD if last.endswith(("password", "passwd")) else SECRET
    if last.endswith("pass") and len(last) > 5 and last not in _OTHER_PASSES:
        return PASSWORD
    if any(word in ("secret", "token", "password", "passwd", "apikey") for word in words[:-1]) and len(words) <= 4:
        return KEY
    return NOTHING


def is_qualified_key(name: str, text: str, at: int) -> bool:
    """True for the bare word `key` at `at` behind a word that makes it secret: "Access Key", "consumer key"."""
    if not at or not (text[at - 1] in _LOOSE or text[at - 1].isspace()) or name.lower() not in ("key", "keys"):
        return False
    words = text[max(0, at - 16) : at].split()
    return bool(words) and words[-1].lower().strip(_LOOSE) in _KEY_QUALIFIERS


def kind_of(name: str, sense: str) -> str:
    """The placeholder of a named value: SPEC's names for what SPEC names."""
    if sense == PASSWORD:
        return "PASSWORD"
    words = split_words(name)
    joined = "".join(words)
    if "aws" in words:
        return "AWS_KEY"
    if "github" in words or "gh" in words:
        return "GITHUB_TOKEN"
    if "openai" in words:
        return "OPENAI_KEY"
    if "privatekey" in joined:
        return "PRIVATE_KEY"
    if "apikey" in joined or words[-1] == "key":
        return "API_KEY"
    if "bearer" in words or "authorization" in words:
        return "BEARER_TOKEN"
    return "SECRET"
