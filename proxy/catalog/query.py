"""A search text, read once: terms with their alternatives, and the kind of operation that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from proxy.catalog import phrases, synonyms, verbs
from proxy.catalog.words import split_identifier, split_prose, stem

Intent = Literal["read", "write", "destructive", "any"]

# A longer text is no search: what follows is ignored, so that a hostile query stays cheap.
_MAX_CHARACTERS = 400
_MAX_TERMS = 12
_PARTICLE_WITHIN = 5
_LONGEST_PHRASE = max(map(len, phrases.PHRASES))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that should match: `word` as asked, `forms` the stems that count, each with its worth in 0..1.

    `generic`: a verb that half of all tools could be described with. `weak`: a word that tells little, as "my" does.
    """

    word: str
    forms: Mapping[str, float]
    actions: Mapping[str, float] = field(default_factory=dict)
    generic: bool = False
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. Terms are in the order of the text, without duplicates."""

    terms: tuple[Term, ...]
    intent: Intent


def parse_query(text: str) -> Query:
    """Never raises; a text without letters or digits gives a query without terms."""
    words = _query_words(text[:_MAX_CHARACTERS])
    kept: list[str] = []
    for word in _join_particles(_replace_phrases(words)):
        if word not in phrases.STOP_WORDS and word not in kept:
            kept.append(word)
    chosen = (kept or list(dict.fromkeys(words)))[:_MAX_TERMS]
    terms = [_term(word) for word in chosen]
    return Query(tuple(_with_compounds(terms)), _intent(words, kept))


def _with_compounds(terms: list[Term]) -> list[Term]:
    """ "cron job" also finds `cronjobs`, "config map" `configmaps`: each of the two words counts as found there."""
    forms = [dict(term.forms) for term in terms]
    for place, (left, right) in enumerate(pairwise(terms)):
        joined = stem(left.word.removesuffix("s") + right.word)
        forms[place].setdefault(joined, 1.0)
        forms[place + 1].setdefault(joined, 1.0)
    return [replace(term, forms=form) for term, form in zip(terms, forms, strict=True)]


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
            replacement = phrases.PHRASES.get(tuple(words[at : at + length]))
            if replacement is not None:
                out += replacement
                at += length
                break
        else:
            out.append(words[at])
            at += 1
    return out


def _join_particles(words: list[str]) -> list[str]:
    """ "take the server out of ..." is "remove the server of ...": a particle counts up to five words later."""
    out: list[str] = []
    left = list(words)
    while left:
        verb = left.pop(0)
        for place, particle in enumerate(left[:_PARTICLE_WITHIN]):
            said = phrases.PHRASAL_VERBS
            meant = said.get((verb, particle)) or said.get((_root(verb), particle))
            if meant is not None:
                verb = meant
                del left[place]
                break
        out.append(verb)
    return out


def _root(word: str) -> str:
    """The entry of the tables that a word is a form of: `pushing` of `push`; the word itself where there is none."""
    return synonyms.ROOTS.get(stem(word), word)


def _term(word: str) -> Term:
    """The word itself is worth 1; its plural or singular is found by stemming, so alternatives are stemmed too."""
    forms: dict[str, float] = {}
    root = word if word in synonyms.ALTERNATIVES else _root(word)
    for other, worth in synonyms.ALTERNATIVES.get(root, {}).items():
        forms[stem(other)] = worth
    forms[stem(word)] = 1.0
    return Term(
        word,
        forms,
        verbs.ACTIONS.get(word) or verbs.ACTIONS.get(root, {}),
        generic=root in verbs.GENERIC_VERBS,
        weak=word in phrases.WEAK_WORDS,
    )


def _intent(words: list[str], kept: list[str]) -> Intent:
    """The first verb of the text decides; "what", "which" and "who" ask for something to read."""
    if kept and kept[0] in verbs.NOUN_VERBS:
        return "write"
    for word in (*kept, *words):
        if word in verbs.DELETE_VERBS:
            return "destructive"
        if word in verbs.READ_VERBS:
            return "read"
        if word in verbs.WRITE_VERBS:
            return "write"
    return "any"
