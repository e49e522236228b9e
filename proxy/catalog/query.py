"""A search text, read once: terms with their alternatives, and the kind of operation that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proxy.catalog import synonyms
from proxy.catalog.words import split_identifier, split_prose, stem

Intent = Literal["read", "write", "destructive", "any"]

# A longer text is no search: what follows is ignored, so that a hostile query stays cheap.
_MAX_CHARACTERS = 400
_MAX_TERMS = 12
_LONGEST_PHRASE = max(map(len, synonyms.PHRASES))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that should match: `word` as asked, `forms` the stems that count, each with its worth in 0..1."""

    word: str
    forms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. Terms are in the order of the text, without duplicates."""

    terms: tuple[Term, ...]
    intent: Intent

    def needed(self, known: int) -> int:
        """How many terms a tool must match: all of one or two, 60 % (rounded up) of more.

        Of more than two, only the `known` ones count, those that any tool matches at all: a sentence has
        words that no interface description uses."""
        count = len(self.terms)
        return count if count <= 2 else max(1, -(-known * 6 // 10))


def parse_query(text: str) -> Query:
    """Never raises; a text without letters or digits gives a query without terms."""
    words = _query_words(text[:_MAX_CHARACTERS])
    kept: list[str] = []
    for word in _replace_phrases(words):
        if word not in synonyms.STOP_WORDS and word not in kept:
            kept.append(word)
    chosen = (kept or list(dict.fromkeys(words)))[:_MAX_TERMS]
    return Query(tuple(_term(word) for word in chosen), _intent(words, kept))


def _query_words(text: str) -> list[str]:
    """An identifier is split at its case changes; a capitalised word or a brand like GitHub is left alone."""
    words: list[str] = []
    for chunk in text.split():
        looks_like_code = chunk[:1].islower() or "." in chunk or "_" in chunk
        words += split_identifier(chunk) if looks_like_code else split_prose(chunk)
    return words


def _replace_phrases(words: list[str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST_PHRASE, len(words) - at), 0, -1):
            replacement = synonyms.PHRASES.get(tuple(words[at : at + length]))
            if replacement is not None:
                out += replacement
                at += length
                break
        else:
            out.append(words[at])
            at += 1
    return out


def _term(word: str) -> Term:
    """The word itself is worth 1; its plural or singular is found by stemming, so alternatives are stemmed too."""
    forms: dict[str, float] = {}
    for source in (word, word.removesuffix("s")):
        for other, worth in synonyms.ALTERNATIVES.get(source, {}).items():
            forms[stem(other)] = worth
    forms[stem(word)] = 1.0
    return Term(word, forms)


def _intent(words: list[str], kept: list[str]) -> Intent:
    """The first verb of the text decides; "what", "which" and "who" ask for something to read."""
    if kept and kept[0] in synonyms.NOUN_VERBS:
        return "write"
    for word in (*kept, *words):
        if word in synonyms.DELETE_VERBS:
            return "destructive"
        if word in synonyms.READ_VERBS:
            return "read"
        if word in synonyms.WRITE_VERBS:
            return "write"
    return "any"
