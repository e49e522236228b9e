"""What a search says beside its list where the list alone would leave an agent at a loss: why nothing is there, and
what to ask instead. What the caller may not see is never told apart from what does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from integrations.schema_types import one_line
from proxy.catalog.branch import Branch
from proxy.catalog.entries import SearchPage, Visible
from proxy.catalog.query import parse_query

ALL_TOOLS: Final = (
    "Without `query` these are the tools in the order of their connections. Say in a few words what is to be done: "
    'tools.search("create an issue").'
)
_LIST: Final = "or list them: tools.catalog.namespaces(), then tools.catalog.tools({namespace})."
_NAMED: Final = 8
_SHOWN: Final = 64


def search_note(
    branches: Sequence[Branch], query: str, namespace: str, found: SearchPage, visible: Visible
) -> str | None:
    """The note to the first page of a search in `namespace` (normalised); None where the list speaks for itself."""
    if found.offset:
        return None
    if found.items:
        return None if query.strip() or namespace else ALL_TOOLS
    chosen = [branch for branch in branches if branch.under(namespace) is not None]
    if not any(visible(tool) for branch in chosen for tool in branch.tools):
        return _without_tools(branches, chosen, namespace, visible)
    asked = one_line(query, _SHOWN)
    if not parse_query(query).terms:
        return f"`{asked}` holds no word to search for. Say in a few words what is to be done, {_LIST}"
    return f"No tool fits `{asked}`. Try other words or fewer, {_LIST}"


def _without_tools(
    branches: Sequence[Branch], chosen: Sequence[Branch], namespace: str, visible: Visible
) -> str:
    absent = [branch.prefix for branch in chosen if branch.connection.toolset is None]
    if absent:
        return f"No connection here is ready, so there are no tools yet: `notReady` says why ({_listed(absent)})."
    known = [branch.prefix for branch in branches if any(map(visible, branch.tools))]
    if not known:
        return (
            "There is no tool here that you may call: either no connection is configured, or none offers a tool that "
            "the rules of this server allow you. Tell the user; other words will find nothing either."
        )
    return (
        f"There are no tools in the namespace `{one_line(namespace, _SHOWN)}`; there are: {_listed(known)}."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
