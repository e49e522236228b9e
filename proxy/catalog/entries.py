"""Entries: the values that a catalog is made of and answers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from integrations.base import JsonObject, ToolDefinition, Toolset
from proxy.catalog.index import ToolIndex

CONNECTED = "connected"


@dataclass(frozen=True, slots=True, eq=False)
class CatalogConnection:
    """One connection and what its integration offers.

    `toolset` and `index` are None while there are no tools to offer (the source failed, or a secret is
    missing); `status` is then the reason in a word and `error` in a sentence. `title` is for people and may
    be upstream prose.
    """

    integration: str
    owner: str
    connection: str
    kind: str
    title: str
    status: str
    toolset: Toolset | None
    index: ToolIndex | None
    error: str | None = None

    @property
    def prefix(self) -> str:
        return f"{self.integration}.{self.owner}.{self.connection}"


@dataclass(frozen=True, slots=True)
class CatalogTool:
    """One tool of one connection. Equal and hashed by its address."""

    address: str
    name: str = field(compare=False)
    prefix: str = field(compare=False)
    integration: str = field(compare=False)
    owner: str = field(compare=False)
    connection: str = field(compare=False)
    definition: ToolDefinition = field(compare=False, repr=False)
    toolset: Toolset = field(compare=False, repr=False)


Visible = Callable[[CatalogTool], bool]


def everything(tool: CatalogTool) -> bool:
    """The filter that hides nothing."""
    return True


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A short path that several connections answer to; their full addresses in order."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """No such tool; at most five addresses that may have been meant, best first.

    `connection` is the prefix of the one that was meant, if it has no tools at present: its status is the reason.
    """

    suggestions: tuple[str, ...]
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One search result. `score` is comparable within one search; about 1 means that everything asked for was found."""

    tool: CatalogTool
    score: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of results. `total` counts visible matches, exactly up to 200 and at least to the end of this page.

    `best` is the score of the first result of all pages."""

    items: tuple[Found, ...]
    total: int
    offset: int
    best: float = 0.0

    def share(self, found: Found) -> float:
        """Its score beside the best one's. How common a word is in what the caller may not see takes no part in it."""
        return round(max(found.score, 0.0) / self.best, 3) if self.best > 0.0 else 0.0

    @property
    def next_offset(self) -> int | None:
        after = self.offset + len(self.items)
        return after if self.items and after < self.total else None

    def as_json(self, item: Callable[[Found], JsonObject]) -> JsonObject:
        """`{items, total, hasMore, nextOffset}` with `item` giving the shape of each result."""
        following = self.next_offset
        return {
            "items": [item(found) for found in self.items],
            "total": self.total,
            "hasMore": following is not None,
            "nextOffset": following,
        }
