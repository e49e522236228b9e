"""Lookup: from what agent code wrote to one tool, to a choice, or to suggestions.

Full addresses are `<integration>.<owner>.<connection>.<tool>`; the tool part may contain dots. The short form
`<integration>.<tool>` is accepted where exactly one connection of the integration that the caller can see has
the tool. Names are only ever keys of dictionaries here, so `__proto__`, `constructor` or `then` are names
like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from proxy.catalog.branch import Branch
from proxy.catalog.entries import Ambiguous, CatalogTool, Found, Missing, Visible
from proxy.catalog.query import Query, Term
from proxy.catalog.search import ranked
from proxy.catalog.words import split_identifier, stem

_SUGGESTIONS = 5
_CONSIDERED = 24
_LONGEST_PATH = 512


def normalise(path: str) -> str:
    """Without surrounding space and a leading `tools.`."""
    return path.strip().removeprefix("tools.")


def find(
    branches: Mapping[str, Branch],
    by_integration: Mapping[str, Sequence[Branch]],
    path: str,
    visible: Visible,
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
    return _short(by_integration.get(integration, ()), name, visible) or Missing(
        suggest(branches, path, visible)
    )


def _short(branches: Sequence[Branch], name: str, visible: Visible) -> CatalogTool | Ambiguous | None:
    having = [tool for branch in branches if (tool := branch.find(name)) is not None]
    seen = [tool for tool in having if visible(tool)]
    if len(seen) > 1:
        return Ambiguous(tuple(tool.address for tool in seen))
    if seen:
        return seen[0]
    return having[0] if len(having) == 1 else None


def suggest(branches: Mapping[str, Branch], path: str, visible: Visible) -> tuple[str, ...]:
    """Up to five visible addresses that share words with `path`, typing errors forgiven, closest spelling
    first.
    """
    integration, _, rest = path.partition(".")
    own = [branch for branch in branches.values() if branch.connection.integration == integration]
    chosen = own or list(branches.values())
    words = split_identifier(rest if own else path)
    for prefix_part in ("org", "user", *(branch.connection.connection for branch in own)):
        if prefix_part in words and len(words) > 1:
            words.remove(prefix_part)
    candidates = _sharing(chosen, words)
    likeness = SequenceMatcher(b=path, autojunk=False)
    scored: list[tuple[float, str]] = []
    for found in candidates:
        if len(scored) >= _CONSIDERED:
            break
        if visible(found.tool):
            likeness.set_seq1(found.tool.address)
            scored.append((-likeness.ratio(), found.tool.address))
    return tuple(address for _, address in sorted(scored)[:_SUGGESTIONS])


def _sharing(branches: Sequence[Branch], words: Sequence[str]) -> list[Found]:
    """Tools that match most of the words; if none does, tools that match any."""
    terms = tuple(Term(word, {stem(word): 1.0}) for word in dict.fromkeys(words[:8]))
    if not terms:
        return []
    chosen = [(branch, "") for branch in branches]
    together = ranked(chosen, Query(terms, "any"))
    if together:
        return together
    apart = [found for term in terms for found in ranked(chosen, Query((term,), "any"))[:_CONSIDERED]]
    return list({found.tool: found for found in apart}.values())
