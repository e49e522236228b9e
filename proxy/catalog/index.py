"""The search index of one toolset: built once per toolset digest, shared by all its connections and generations.

BM25 (Robertson and Zaragoza 2009, section 3.2) over weighted fields: a word's weight in a tool is the sum of
the weights of the fields it occurs in, and what it adds to a score is computed at build time, so that a query
only adds numbers. Scores are divided by the best that the query could reach, which makes them comparable
between toolsets of any size.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from integrations.base import ToolDefinition, Toolset
from integrations.schema_types import ToolTypes
from proxy.catalog.actions import actions_of, generation_of, leaf_of
from proxy.catalog.lru import Lru
from proxy.catalog.words import split_identifier, split_prose, stem, without_markup

_NAME, _TITLE, _PATH, _DESCRIPTION, _KEYWORDS = 3.0, 2.0, 1.5, 1.0, 0.7
# What method and path say an operation does, beside its words (see `actions`).
_ACTION = 0.7
_DESCRIPTION_CHARACTERS = 300
_KEYWORDS_CHARACTERS = 1_000
# BM25's saturation and length normalisation. Documents are short and of much the same length, so `b` is low.
_K1, _B = 1.2, 0.4

# Verbs that names of properties are full of.
_COMMON_VERBS = frozenset(
    "add allow create delete disable enable find get list make new read remove run set show update use write".split()
)

_PREFIX_AT_LEAST = 3
_MAX_EXPANSIONS = 40
# All types of a large document in listings, and the fuller ones of those that were described last.
_TYPES_BYTES = 6 * 1024 * 1024
_ENTRY_BYTES = 500
_LINES_KEPT = 1_024


@dataclass(frozen=True, slots=True)
class Postings:
    """Where one word occurs: tool numbers in order, what the word is worth in each (0..1), and the sum of that."""

    tools: array[int]
    worth: array[float]
    sum: float


@dataclass(frozen=True, slots=True, eq=False)
class ToolIndex:
    """Pure data but for two bounded caches: `types` that were rendered (keyed by tool name, budget and toolset), and
    `lines` of descriptions (likewise).

    `names` and `titles` are the stemmed words of each tool's name and title, in order. `vocabulary` is sorted and
    without the words for actions.
    `families` holds what tools that differ in the version of their path alone have in common, with that version;
    None for a path without one.
    """

    digest: str
    tools: tuple[ToolDefinition, ...]
    numbers: Mapping[str, int]
    names: tuple[tuple[str, ...], ...]
    titles: tuple[tuple[str, ...], ...]
    leaves: tuple[tuple[str, ...], ...]
    actions: tuple[tuple[str, ...], ...]
    families: tuple[tuple[str, tuple[int, int, int]] | None, ...]
    postings: Mapping[str, Postings]
    vocabulary: tuple[str, ...]
    types: Lru = field(default_factory=lambda: Lru(_TYPES_BYTES, _weight))
    lines: Lru = field(default_factory=lambda: Lru(_LINES_KEPT))

    def with_prefix(self, start: str) -> list[str]:
        """Longer words that begin with `start`, at most 40; none for a start of under three letters."""
        if len(start) < _PREFIX_AT_LEAST:
            return []
        return [word for word in self._from(start, _MAX_EXPANSIONS + 1) if word != start][:_MAX_EXPANSIONS]

    def containing(self, part: str) -> list[str]:
        """Words with `part` in the middle, at most 40. A scan, used only where nothing else matched."""
        if len(part) < _PREFIX_AT_LEAST:
            return []
        return [word for word in self.vocabulary if part in word][:_MAX_EXPANSIONS]

    def resembling(self, word: str) -> list[str]:
        """At most two words with the same first letter that a typing error could have made of this one."""
        if len(word) < 4:
            return []
        same_letter = [other for other in self._from(word[0], len(self.vocabulary)) if len(other) > 2]
        return get_close_matches(word, same_letter, n=2, cutoff=0.75)

    def _from(self, start: str, limit: int) -> Iterator[str]:
        first = bisect_left(self.vocabulary, start)
        for word in self.vocabulary[first : first + limit]:
            if not word.startswith(start):
                return
            yield word


def _weight(types: ToolTypes) -> int:
    return _ENTRY_BYTES + sum(map(len, (types.input, types.output, types.definitions)))


def build_index(toolset: Toolset) -> ToolIndex:
    """Index a toolset. Pure and free of locks, so it may run in a thread; about 50 us a tool.

    Of two tools with one name the first is kept: a later one can never take an address over.
    """
    numbers: dict[str, int] = {}
    kept: list[ToolDefinition] = []
    for tool in toolset.tools:
        if numbers.setdefault(tool.name, len(kept)) == len(kept):
            kept.append(tool)
    builder = _Builder(len(kept))
    for tool in kept:
        builder.add(tool)
    postings = builder.postings()
    return ToolIndex(
        digest=toolset.digest,
        tools=tuple(kept),
        numbers=numbers,
        names=tuple(builder.names),
        titles=tuple(builder.titles),
        leaves=tuple(builder.leaves),
        actions=tuple(builder.actions),
        families=tuple(generation_of(tool) for tool in kept),
        postings=postings,
        vocabulary=tuple(sorted(word for word in postings if not word.startswith("+"))),
    )


def _start_of(description: str) -> str:
    """Its first words; markup does not count."""
    return without_markup(description[: 4 * _DESCRIPTION_CHARACTERS])[:_DESCRIPTION_CHARACTERS]


def _keywords_of(text: str) -> list[str]:
    """`readOnly` and `allowPrivilegeEscalation` say nothing about what an operation does."""
    words = split_identifier(without_markup(text[:_KEYWORDS_CHARACTERS]))
    return [word for word in words if word not in _COMMON_VERBS]


class _Builder:
    """Accumulates words of tools in order; each distinct spelling is stemmed once."""

    def __init__(self, total: int) -> None:
        self.names: list[tuple[str, ...]] = []
        self.titles: list[tuple[str, ...]] = []
        self.leaves: list[tuple[str, ...]] = []
        self.actions: list[tuple[str, ...]] = []
        self._total = total
        self._stems: dict[str, str] = {}
        self._found: dict[str, tuple[array[int], array[float]]] = {}
        self._lengths = array("f")

    def add(self, tool: ToolDefinition) -> None:
        name = self._stemmed(split_identifier(tool.name))
        title = self._stemmed(split_prose(without_markup(tool.title)))
        actions = list(actions_of(tool))
        self.actions.append(tuple(actions))
        fields = (
            (name, _NAME),
            (title, _TITLE),
            (self._stemmed(split_identifier(tool.path)), _PATH),
            (self._stemmed(split_prose(_start_of(tool.description))), _DESCRIPTION),
            (self._stemmed(_keywords_of(tool.keywords)), _KEYWORDS),
            (actions, _ACTION),
        )
        self._weigh(fields, len(self.names))
        self.names.append(tuple(name))
        self.titles.append(tuple(title))
        self.leaves.append(tuple(self._stemmed(split_identifier(leaf_of(tool)))))

    def _weigh(self, fields: Sequence[tuple[list[str], float]], number: int) -> None:
        weights: dict[str, float] = {}
        for words, weight in fields:
            for word in words:
                weights[word] = weights.get(word, 0.0) + weight
        self._lengths.append(sum(weights.values()))
        found = self._found
        for word, weight in weights.items():
            entry = found.get(word)
            if entry is None:
                entry = found[word] = (array("L"), array("f"))
            entry[0].append(number)
            entry[1].append(weight)

    def _stemmed(self, words: list[str]) -> list[str]:
        stems = self._stems
        out = []
        for word in words:
            known = stems.get(word)
            if known is None:
                known = stems[word] = stem(word)
            out.append(known)
        return out

    def postings(self) -> dict[str, Postings]:
        average = sum(self._lengths) / self._total if self._total else 1.0
        damping = array("f", [_K1 * (1 - _B + _B * length / (average or 1.0)) for length in self._lengths])
        out: dict[str, Postings] = {}
        for word, (tools, weights) in self._found.items():
            worth = array("f", [w / (w + damping[t]) for t, w in zip(tools, weights, strict=True)])
            out[word] = Postings(tools, worth, sum(worth))
        return out
