"""Lookup: from what agent code wrote to one tool, to a choice, or to suggestions.

Full addresses are `<integration>.<owner>.<connection>.<tool>`; the tool part may contain dots. The short form
`<integration>.<tool>` is accepted where exactly one connection of the integration that the caller can see has
the tool. Names are only ever keys of dictionaries here, so `__proto__`, `constructor` or `then` are names
like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from unicodedata import normalize

from proxy.catalog.branch import Branch
from proxy.catalog.entries import Ambiguous, CatalogTool, Found, Missing, Visible
from proxy.catalog.query import Query, parse_query
from proxy.catalog.search import ranked
from proxy.catalog.words import split_identifier, stem

_SUGGESTIONS = 5
_CONSIDERED = 24
_LONGEST_PATH = 512
# No longer part of a path is compared with addresses, and no more words of it are searched for.
_LONGEST_LIKENED = 160
_MOST_WORDS = 8
# Beside likeness of spelling (0..1), what shared words are worth.
_SHARED_WORDS = 0.5
_WORDS_ALONE = 4
# Of a path whose integration there is not: how alike an address must be, or what share of the words it must have.
_FLOOR = 0.6


def normalise(path: str) -> str:
    """Without surrounding space and a leading `tools.`, in the form in which tools are named (NFC)."""
    plain = path.strip().removeprefix("tools.")
    return plain if plain.isascii() else normalize("NFC", plain)


def find(
    branches: Mapping[str, Branch],
    by_integration: Mapping[str, Sequence[Branch]],
    path: str,
    visible: Visible,
    suggesting: bool = True,
) -> CatalogTool | Ambiguous | Missing:
    """See the module's text. A tool found by its full address is returned even if it is not visible."""
    path = normalise(path)
    if len(path) > _LONGEST_PATH:
        return Missing(())
    parts = path.split(".", 3)
    if len(parts) == 4 and (branch := branches.get(".".join(parts[:3]))) is not None:
        tool = branch.find(parts[3])
        if tool is not None:
            return tool
    integration, _, name = path.partition(".")
    own = by_integration.get(integration, ())
    found = _short(own, name, visible)
    if found is not None:
        return found
    meant = suggest(branches, path, visible) if suggesting else ()
    return Missing(meant, _without_tools(branches.get(".".join(parts[:3])), own))


def _without_tools(meant: Branch | None, own: Sequence[Branch]) -> str | None:
    """The connection of a full address, or of a short form whose integration has no tools anywhere."""
    candidates = (meant,) if meant is not None else own
    absent = all(branch.connection.toolset is None for branch in candidates)
    return candidates[0].prefix if candidates and absent else None


def _short(branches: Sequence[Branch], name: str, visible: Visible) -> CatalogTool | Ambiguous | None:
    having = [tool for branch in branches if (tool := branch.find(name)) is not None]
    seen = [tool for tool in having if visible(tool)]
    if len(seen) > 1:
        return Ambiguous(tuple(tool.address for tool in seen))
    if seen:
        return seen[0]
    return having[0] if len(having) == 1 else None


def suggest(branches: Mapping[str, Branch], path: str, visible: Visible) -> tuple[str, ...]:
    """Up to five visible addresses that share words with `path`, typing errors forgiven, closest first.

    What a path costs does not grow with it: so many characters of it are read, so many words searched for.
    """
    path = path[:_LONGEST_LIKENED]
    integration, _, rest = path.partition(".")
    own = [branch for branch in branches.values() if branch.connection.integration == integration]
    words = split_identifier(rest if own else path)[:_MOST_WORDS]
    for known in ("org", "user", *(branch.connection.connection.lower() for branch in own)):
        if known in words and len(words) > 1:
            words.remove(known)
    likeness = SequenceMatcher(b=path, autojunk=False)
    scored: dict[str, float] = {}
    for found in _sharing(own or list(branches.values()), words):
        address = found.tool.address
        if address not in scored and visible(found.tool):
            likeness.set_seq1(address)
            if own or _is_alike(path, found.tool):
                scored[address] = likeness.ratio() + _SHARED_WORDS * found.score
            if len(scored) >= _CONSIDERED:
                break
    return tuple(sorted(scored, key=lambda address: (-scored[address], address))[:_SUGGESTIONS])


def _is_alike(path: str, tool: CatalogTool) -> bool:
    """Owner and connection, which are alike everywhere, say nothing."""
    parts = path.split(".")
    meant = ".".join((parts[0], *parts[3:])) if len(parts) > 3 else path
    wanted = {stem(word) for word in split_identifier(meant)}
    there = {stem(word) for word in split_identifier(f"{tool.integration}.{tool.name}")}
    if len(wanted & there) >= _FLOOR * len(wanted):
        return True
    return SequenceMatcher(None, f"{tool.integration}.{tool.name}", meant, autojunk=False).ratio() >= _FLOOR


def _sharing(branches: Sequence[Branch], words: Sequence[str]) -> Iterator[Found]:
    """Tools that match most of the words, or what they may stand for; after them, tools that match any."""
    chosen = [(branch, "") for branch in branches]
    query = parse_query(" ".join(words))
    if query.terms:
        yield from ranked(chosen, query)
    for term in query.terms[:_WORDS_ALONE]:
        yield from ranked(chosen, Query((term,), "any"))
