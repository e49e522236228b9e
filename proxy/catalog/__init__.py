"""What a workspace offers: find, search, list and describe tools, and describe all of it to a model."""

from proxy.catalog.catalog import Catalog
from proxy.catalog.description import PAUSE_RULE
from proxy.catalog.entries import (
    Ambiguous,
    CatalogConnection,
    CatalogTool,
    Found,
    Missing,
    SearchPage,
    Visible,
    everything,
)
from proxy.catalog.index import ToolIndex, build_index
from proxy.catalog.steps import SEARCH_UNITS, TYPES_UNITS, CatalogSteps, finished

__all__ = [
    "PAUSE_RULE",
    "SEARCH_UNITS",
    "TYPES_UNITS",
    "Ambiguous",
    "Catalog",
    "CatalogConnection",
    "CatalogSteps",
    "CatalogTool",
    "Found",
    "Missing",
    "SearchPage",
    "ToolIndex",
    "Visible",
    "build_index",
    "everything",
    "finished",
]
