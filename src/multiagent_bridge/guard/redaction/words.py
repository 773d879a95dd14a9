"""Does a word look like language? A table of letter pairs answers, without a dictionary."""

from __future__ import annotations

import re

# Surprise of a letter after another in bits, 0 to 9, rounded down: rows are the beginning of a word and a to z, columns
# a to z and the end of a word. Counted over the documentation strings of the Python standard library.
_SURPRISE = (
    "343344554774454383345558789"
    "743497584962439492325677685"
    "354638993492983894463899593"
    "395728934944792894635999794"
    "478527992775984986485899791"
    "574355687994538562349674792"
    "397834791894872994643999593"
    "598829544995645893474889991"
    "299918992995683795636999692"
    "554545499974413594339596956"
    "396413996449693799393779993"
    "378718593575966796365959892"
    "388427792973993697445799492"
    "249729993995483399495999693"
    "484335284966864799325699792"
    "654486696854325492443547995"
    "298728854973993492535999493"
    "779996999993999996350699995"
    "375527693966553795345779592"
    "595627953976774578424889691"
    "395827932996794693454979592"
    "444547594993326392338997996"
    "286909892999684998889999994"
    "299639922986942993598968993"
    "493727763997576289729986592"
    "686857594995565395449859870"
    "399909962999995675999999694"
)
_LETTERS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WIDTH = 27
# Bits a letter: words of ten languages' technical vocabulary lie below, keyboard noise and base62 above.
LANGUAGE_AT_MOST = 4.7


def word_set(text: str) -> frozenset[str]:
    """The blank-separated words of a table written as text."""
    return frozenset(text.split())


# By letter, "" being the beginning of a word, what each letter after it costs, "" being the end.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_AFTER = {
    before: {after: int(_SURPRISE[row * _WIDTH + column]) for column, after in enumerate((*_ALPHABET, ""))}
    for row, before in enumerate(("", *_ALPHABET))
}


def surprise(word: str) -> int:
    """Surprise of the letters of `word` (a to z only) and of its end, in bits together."""
    total = 0
    costs = _AFTER[""]
    for letter in word:
        total += costs[letter]
        costs = _AFTER[letter]
    return total + costs[""]


def looks_like_language(value: str) -> bool:
    """True when the letters of `value` read as words: `open-source`, `maxRetries`, `sunshine`; not `hvfqzj` or `aB3xQ9`."""
    pieces = _LETTERS.findall(value)
    letters = sum(map(len, pieces))
    if not letters or letters * 10 < len(value) * 7:
        return False
    if len(pieces) * 3 >= letters and letters > 8:
        return False
    heard = sum(map(surprise, " ".join(pieces).lower().split()))
    return heard / (letters + len(pieces)) <= LANGUAGE_AT_MOST
