"""Words: how text becomes the tokens that the index stores and queries look for.

Identifiers are split at case changes, `_ . / : -` and everything else that is no letter or digit; prose is split at
the latter only, so that "GitHub" stays one word. All tokens are lower case and lightly stemmed: plural, -ing, -ed,
-ation and a final e go, which is enough to bring "deleting", "deleted" and "delete" together.

Accents go ("München" is "munchen"), and scripts that write no spaces give one token a character: Chinese, Japanese and
Korean words are found by any part of them.
"""

from __future__ import annotations

import re
from unicodedata import normalize

_CASE_CHANGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Han, Kana and Hangul, one character each; everything else by words.
_CJK = "\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_ACCENT = re.compile("[\u0300-\u036f]+")
_VOWEL = re.compile(r"[aeiouy]")

_UNCHANGED = frozenset({"news", "status", "canvas", "bonus", "always", "https", "dns", "aws", "ios", "os"})


def _folded(text: str) -> str:
    """Without accents and full-width forms (NFKC, and NFD less its combining marks); case stays."""
    if text.isascii():
        return text
    return normalize("NFC", _ACCENT.sub("", normalize("NFKD", text)))


_MARKUP = re.compile(r"<[^<>]{0,200}>|&#?[a-z0-9]{1,10};|\]\([^()\s]{0,300}\)|https?://\S+", re.IGNORECASE)


def without_markup(text: str) -> str:
    """Prose without HTML tags, entities and the targets of Markdown links: none of it is what a tool is about."""
    return _MARKUP.sub(" ", text) if "<" in text or "](" in text or "&" in text or "://" in text else text


def split_identifier(text: str) -> list[str]:
    """`listForRepo` -> `list for repo`, lower case."""
    return _WORD.findall(_CASE_CHANGE.sub(" ", _folded(text)).casefold())


def split_prose(text: str) -> list[str]:
    """Words of a sentence, lower case; case changes inside a word do not split it."""
    return _WORD.findall(_folded(text).casefold())


def stem(word: str) -> str:
    """The stored form of one lower-case word. Pure, and stable: stem(stem(w)) need not be stem(w), so stem once."""
    if len(word) <= 3 or word in _UNCHANGED or not word.isascii():
        return word
    word = _without_verb_ending(_singular(word))
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "ches", "shes", "xes", "zes", "uses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_verb_ending(word: str) -> str:
    for ending, rest in (("ization", "ize"), ("ation", ""), ("tion", "t"), ("ing", ""), ("ed", "")):
        head = word[: -len(ending)]
        if word.endswith(ending) and len(head) >= 3 and _VOWEL.search(head):
            return _undoubled(head) + rest
    return word


def _undoubled(head: str) -> str:
    """`runn` -> `run`, but `pull` and `pass` keep both letters."""
    if len(head) > 3 and head[-1] == head[-2] and head[-1] not in "lsz":
        return head[:-1]
    return head
