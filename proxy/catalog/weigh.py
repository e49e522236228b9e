"""Weigh: what each term of a query is worth, before any tool is looked at.

Rare words weigh more than common ones (Robertson and Spaerck Jones' weight, over all tools that are searched together:
so scores of several documents compare, and what only one of them knows is missing in the others). A word that stands
in names and titles is counted as more common than one that half of the bodies mention in passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log, sqrt

from proxy.catalog.index import Postings, ToolIndex
from proxy.catalog.query import Query, Term

# What a hit is worth beside an exact one.
_PREFIX, _SUBSTRING, _RESEMBLING = 0.5, 0.3, 0.4
# What a word that tells little is worth beside any other.
_WEAK = 0.5

# Words that stand in the last segment of the path of half of the tools that hold a word, and in few others, mean what
# it means there: where "machine" is said of nothing but droplets, who looks for a machine looks for a droplet.
_ALIAS_SHARE, _ALIAS_LIFT = 0.5, 4.0
_ALIAS_WORTH = 0.8
_ALIAS_OF_AT_LEAST = 0.5
_ALIAS_TOOLS = range(3, 401)


@dataclass(frozen=True, slots=True)
class Weighed:
    """One term of a query with what each form of it is worth where it stands.

    `best` is the most that the term can bring anywhere.
    """

    forms: tuple[tuple[str, float], ...]
    actions: tuple[tuple[str, float], ...]
    best: float


def weigh(indexes: Sequence[ToolIndex], query: Query) -> tuple[Weighed, ...]:
    """In the order of the query's terms."""
    rarity = _Rarity(indexes)
    return tuple(_weighed(indexes, rarity, term) for term in query.terms)


class _Rarity:
    def __init__(self, indexes: Sequence[ToolIndex]) -> None:
        self._postings = [index.postings for index in indexes]
        self._total = sum(len(index.tools) for index in indexes)
        self.most = self._of(0.7)

    def of(self, word: str) -> float:
        """0.0 for a word that stands nowhere."""
        places = sum(_places(known[word]) for known in self._postings if word in known)
        return self._of(places) if places else 0.0

    def _of(self, places: float) -> float:
        return log(1 + (self._total - places + 0.5) / (places + 0.5))


def _places(postings: Postings) -> float:
    """Between the number of tools and the sum of what the word is worth in them."""
    return sqrt(postings.sum * len(postings.tools))


def _weighed(indexes: Sequence[ToolIndex], rarity: _Rarity, term: Term) -> Weighed:
    actions = [(word, worth * rarity.of(word)) for word, worth in term.actions.items()]
    forms = _known_forms(indexes, rarity, term)
    if not any(forms.values()):
        forms = {
            word: _SUBSTRING * rarity.of(word) for word in _each(indexes, lambda i: i.containing(term.word))
        }
    if not forms:
        forms = {
            word: _RESEMBLING * rarity.of(word) for word in _each(indexes, lambda i: i.resembling(term.word))
        }
    if term.generic:
        # Wherever it is written, such a verb says no more than what method and path say.
        most = max((value for _, value in actions), default=0.0) or rarity.most
        forms = {form: min(value, most) for form, value in forms.items()}
    scale = _WEAK if term.weak else 1.0
    best = max(forms.values(), default=0.0) or rarity.most
    return Weighed(
        tuple((form, scale * value) for form, value in forms.items()), tuple(actions), scale * best
    )


def _known_forms(indexes: Sequence[ToolIndex], rarity: _Rarity, term: Term) -> dict[str, float]:
    """The word, its synonyms, and longer words that begin with it: these are worth no more than it, if it exists."""
    forms = {form: worth * rarity.of(form) for form, worth in term.forms.items()}
    for form in [form for form, worth in term.forms.items() if worth == 1.0]:
        for longer in _longer(indexes, form):
            value = rarity.of(longer)
            found = _PREFIX * (min(value, forms[form]) if forms[form] else value)
            forms[longer] = max(found, forms.get(longer, 0.0))
    return forms


def _longer(indexes: Sequence[ToolIndex], form: str) -> Iterable[str]:
    return _each(indexes, lambda index: index.with_prefix(form))


def _each(indexes: Sequence[ToolIndex], words: Callable[[ToolIndex], list[str]]) -> Iterable[str]:
    return dict.fromkeys(word for index in indexes for word in words(index))


def aliases(index: ToolIndex, weighed: Sequence[Weighed]) -> dict[str, float]:
    """Words of paths that mean in this document what the query says in others, with their worth in 0..1."""
    out: dict[str, float] = {}
    for term in weighed:
        if term.actions:
            continue
        for form, value in term.forms:
            postings = index.postings.get(form)
            if (
                postings is None
                or value < _ALIAS_OF_AT_LEAST * term.best
                or len(postings.tools) not in _ALIAS_TOOLS
            ):
                continue
            for word, share in _shares(index, postings).items():
                if word != form and _is_alias(index, word, share):
                    out[word] = max(_ALIAS_WORTH * share * value / term.best, out.get(word, 0.0))
    return out


def _shares(index: ToolIndex, postings: Postings) -> dict[str, float]:
    """How much of what a word is worth falls on tools with each last segment of a path."""
    shares: dict[str, float] = {}
    for number, worth in zip(postings.tools, postings.worth, strict=True):
        for word in set(index.leaves[number]):
            shares[word] = shares.get(word, 0.0) + worth / postings.sum
    return shares


def _is_alias(index: ToolIndex, word: str, share: float) -> bool:
    here = index.postings.get(word)
    return (
        share > _ALIAS_SHARE and here is not None and share * len(index.tools) > _ALIAS_LIFT * len(here.tools)
    )
