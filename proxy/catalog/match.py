"""Match: one query against one index, in two stages.

First every tool that holds one of the terms is scored by adding precomputed numbers. Then the best 200 are looked at
closely: a phrase beats scattered words, a name that says nothing else beats a longer one, and an operation of the
kind that was asked for (read, write, delete) beats others. The order is total: score, then name; of tools that
differ in the version of their path alone the newest stands first and the others last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nlargest

from proxy.catalog.index import ToolIndex
from proxy.catalog.query import Query
from proxy.catalog.weigh import Weighed, aliases

_RERANKED = 200

_FULL_COVERAGE = 0.1
_FIRST_TERM = 0.05
_PHRASE = 0.15
_NAME_PRECISION = 0.2
_TITLE_PRECISION = 0.2
_PATH_PRECISION = 0.1
_INTENT = 0.1
_OTHER_INTENT = 0.3
_OTHER_ACTION = 0.05
_DEPRECATED = 0.1

# Words of names and titles that say nothing about what an operation is for.
_EMPTY_WORDS = frozenset("a an the of to for in on by with from and or".split())

# Methods that nobody asks for in words.
_UNUSUAL = frozenset({"HEAD", "OPTIONS", "TRACE"})

Hits = dict[int, float]


def match(
    index: ToolIndex, query: Query, weighed: Sequence[Weighed], granted: Sequence[float]
) -> list[tuple[float, int]]:
    """(score, tool number), best first: everything that holds one word of the query that says more than a verb.

    `granted[i]` is what term i is already worth because the connection's own name holds it (0.0: it does not).
    """
    if not query.terms or not index.tools:
        return []
    scores, matched = _scores(index, weighed, granted)
    if len(scores) > _RERANKED:
        head = nlargest(_RERANKED, scores, key=lambda number: (scores[number], -number))
        chosen = set(head)
        tail = [number for number in scores if number not in chosen]
    else:
        head, tail = list(scores), []
    close = _Closely(index, query, weighed)
    ranked = [(scores[n] + close.bonus(n, matched[n]), n) for n in head]
    return _newest_first(index, _sorted(index, ranked)) + _sorted(index, [(scores[n], n) for n in tail])


def _sorted(index: ToolIndex, ranked: list[tuple[float, int]]) -> list[tuple[float, int]]:
    return sorted(ranked, key=lambda pair: (-pair[0], index.tools[pair[1]].name))


def _newest_first(index: ToolIndex, ranked: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The newest version of a resource at the place of the best of them; older ones follow at the end."""
    newest: dict[str, tuple[tuple[int, int, int], int]] = {}
    for _, number in ranked:
        family = index.families[number]
        if family is not None:
            known = newest.get(family[0])
            if known is None or family[1] > known[0]:
                newest[family[0]] = (family[1], number)
    first: list[tuple[float, int]] = []
    older: list[tuple[float, int]] = []
    placed: set[str] = set()
    floor = ranked[-1][0] if ranked else 0.0
    for score, number in ranked:
        family = index.families[number]
        if family is None:
            first.append((score, number))
            continue
        if family[0] not in placed:
            placed.add(family[0])
            first.append((score, newest[family[0]][1]))
        if newest[family[0]][1] != number:
            older.append((min(score, floor), number))
    return first + older


def _scores(
    index: ToolIndex, weighed: Sequence[Weighed], granted: Sequence[float]
) -> tuple[Hits, dict[int, int]]:
    """Scores as a fraction of what the query could reach, and how many terms each tool matches.

    A tool that matches nothing but what method and path say (`actions`) is no hit.
    """
    base, base_count, bound = 0.0, 0, 0.0
    found: list[tuple[Hits, Hits, float]] = []
    for term, grant in zip(weighed, granted, strict=True):
        given = grant * term.best
        bound += term.best
        base += given
        base_count += grant > 0
        found.append((_hits(index, term.forms), _hits(index, term.actions), given))
    totals: Hits = dict.fromkeys(range(len(index.tools)), base) if base_count else {}
    matched = dict.fromkeys(totals, base_count)
    for hits, _, given in found:
        for number, value in hits.items():
            gain = value - given
            totals[number] = totals.get(number, base) + (gain if gain > 0 else 0.0)
            matched[number] = matched.get(number, base_count) + (given == 0.0)
    for hits, acting, given in found:
        for number in acting.keys() & totals.keys():
            if acting[number] > hits.get(number, given):
                totals[number] += acting[number] - max(hits.get(number, 0.0), given)
                matched[number] += number not in hits and given == 0.0
    scale = 1 / (bound or 1.0)
    return {number: total * scale for number, total in totals.items()}, matched


def _hits(index: ToolIndex, forms: Iterable[tuple[str, float]]) -> Hits:
    """The best hit of any form in each tool."""
    hits: Hits = {}
    for word, value in forms:
        postings = index.postings.get(word)
        if postings is None:
            continue
        for number, share in zip(postings.tools, postings.worth, strict=True):
            score = share * value
            if score > hits.get(number, 0.0):
                hits[number] = score
    return hits


class _Closely:
    """The second stage: what one tool earns besides its words."""

    def __init__(self, index: ToolIndex, query: Query, weighed: Sequence[Weighed]) -> None:
        self._index = index
        self._query = query
        self._forms: dict[str, float] = {}
        for term in query.terms:
            for form, worth in term.forms.items():
                self._forms[form] = max(worth, self._forms.get(form, 0.0))
        for word, worth in aliases(index, weighed).items():
            self._forms[word] = max(worth, self._forms.get(word, 0.0))
        self._words = [next(iter(w for w, worth in t.forms.items() if worth == 1.0)) for t in query.terms]
        self._wanted = next((term.actions for term in query.terms if term.actions), {})
        self._phrase = " " + " ".join(self._words) + " "

    def bonus(self, number: int, matched: int) -> float:
        tool = self._index.tools[number]
        name, title = self._index.names[number], self._index.titles[number]
        out = _NAME_PRECISION * self._precision(name) + _TITLE_PRECISION * self._precision(title)
        if matched >= len(self._query.terms):
            out += _FULL_COVERAGE
        if self._words[0] in name:
            out += _FIRST_TERM
        if len(self._words) > 1 and (
            self._phrase in f" {' '.join(name)} " or self._phrase in f" {' '.join(title)} "
        ):
            out += _PHRASE
        out += _PATH_PRECISION * self._precision(self._index.leaves[number]) + self._kind(number)
        if tool.method in _UNUSUAL:
            out -= _INTENT
        return out - (_DEPRECATED if tool.deprecated else 0.0)

    def _kind(self, number: int) -> float:
        """Whether it reads, writes or deletes, and whether it does so as the first verb says."""
        wanted, risk = self._query.intent, self._index.tools[number].risk
        out = _INTENT if wanted == risk else 0.0
        if wanted not in ("any", risk) and "read" in (wanted, risk):
            out -= _OTHER_INTENT
        actions = self._index.actions[number]
        if self._wanted and actions:
            out -= _OTHER_ACTION * (1 - max(self._wanted.get(action, 0.0) for action in actions))
        return out

    def _precision(self, words: tuple[str, ...]) -> float:
        said = [word for word in words if word not in _EMPTY_WORDS]
        return sum(self._forms.get(word, 0.0) for word in said) / len(said) if said else 0.0
