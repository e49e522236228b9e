"""Branch: the tools of one connection under their addresses. Tools are made when first asked for."""

from __future__ import annotations

from functools import cached_property

from proxy.catalog.entries import CatalogConnection, CatalogTool
from proxy.catalog.index import ToolIndex
from proxy.catalog.words import split_identifier, split_prose, stem

# Words of titles and names that half of all connections have: they tell nothing apart.
_COMMON = frozenset(
    "api rest the a an and of for v1 v2 v3 v4 main default org user service server graphql mcp".split()
)


class Branch:
    """One connection of a catalog. Immutable; its tuples are computed once."""

    def __init__(self, connection: CatalogConnection) -> None:
        self.connection = connection
        self.prefix = connection.prefix

    @property
    def index(self) -> ToolIndex | None:
        return self.connection.index

    @cached_property
    def tools(self) -> tuple[CatalogTool, ...]:
        """In source order; the position is the tool's number in the index."""
        index, toolset = self.connection.index, self.connection.toolset
        if index is None or toolset is None:
            return ()
        here = self.connection
        return tuple(
            CatalogTool(
                f"{self.prefix}.{definition.name}",
                definition.name,
                self.prefix,
                here.integration,
                here.owner,
                here.connection,
                definition,
                toolset,
            )
            for definition in index.tools
        )

    @cached_property
    def words(self) -> frozenset[str]:
        """Stems that name this connection: every tool of it matches them."""
        here = self.connection
        words = [here.integration.lower(), *split_identifier(here.integration), *split_prose(here.title)]
        words += split_identifier(here.connection)
        return frozenset(stem(word) for word in words if word not in _COMMON)

    def find(self, name: str) -> CatalogTool | None:
        """The tool of exactly this name."""
        index = self.connection.index
        number = index.numbers.get(name) if index is not None else None
        return self.tools[number] if number is not None else None

    def under(self, namespace: str) -> str | None:
        """What tool names must start with to be in `namespace`; None if nothing here is."""
        inside = f"{self.prefix}."
        wanted = f"{namespace}."
        if not namespace or inside.startswith(wanted):
            return ""
        return wanted[len(inside) :] if wanted.startswith(inside) else None
