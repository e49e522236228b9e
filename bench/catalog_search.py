"""Catalog: building the index, searching, describing, and search quality, without the wire.

    python -m bench.catalog_search [DOCUMENT]

DOCUMENT is GitHub's REST description (default `.specs/api.github.com.json`, fetched by `make specs`). Without
it the committed table of summaries is used, which is said. Prints a table and writes
`bench/results/catalog_search.json`."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from integrations.base import Toolset
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, SpecSource, load_toolset
from proxy.catalog import Catalog, CatalogConnection, CatalogTool, build_index, everything
from tests.proxy.catalog.samples import HERE, Tools, github_tools

ROOT = Path(__file__).parent.parent
INTENT_LISTS = ("relevance", "heldout", "heldout2")
LARGE = 5_000


async def load(document: Path) -> Toolset:
    async with HttpClient() as http:
        with tempfile.TemporaryDirectory() as cache:
            return await load_toolset(SpecSource(None, document, None), OpenApiOptions(), http, Path(cache))


def catalog_of(toolset: Toolset, copies: int = 1) -> Catalog:
    index = build_index(toolset)
    connections = [
        CatalogConnection(f"github{n or ''}", "org", "main", "openapi", "GitHub", "connected", toolset, index)
        for n in range(copies)
    ]
    return Catalog(connections, sha256="0")


def enlarged(toolset: Toolset) -> Tools:
    """A toolset of 5,000 tools with the words of the given one."""
    copies = -(-LARGE // len(toolset.tools))
    tools = [replace(each, name=f"{each.name}{n}") for n in range(copies) for each in toolset.tools]
    return Tools(tuple(tools[:LARGE]), digest="large")


def milliseconds(actions: Iterable[Callable[[], object]]) -> dict[str, float]:
    taken = []
    for action in actions:
        start = time.perf_counter()
        action()
        taken.append((time.perf_counter() - start) * 1e3)
    taken.sort()
    return {
        "p50": round(taken[len(taken) // 2], 3),
        "p99": round(taken[min(len(taken) - 1, int(len(taken) * 0.99))], 3),
        "max": round(taken[-1], 3),
    }


def queries() -> list[str]:
    return [entry["intent"] for name in INTENT_LISTS for entry in intents(name)]


def intents(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return entries


def quality(catalog: Catalog, name: str) -> dict[str, float]:
    entries = intents(name)
    ranks = []
    for entry in entries:
        found = catalog.search(entry["intent"], "", 10, 0, everything).items
        ranks.append(next((n for n, each in enumerate(found) if each.tool.name in entry["any"]), 99))
    return {
        "of": len(entries),
        "top1": sum(rank < 1 for rank in ranks),
        "top5": sum(rank < 5 for rank in ranks),
        "top10": sum(rank < 10 for rank in ranks),
    }


def measure(toolset: Toolset) -> dict[str, dict[str, float]]:
    catalog = catalog_of(toolset)
    big = enlarged(toolset)
    large = catalog_of(big)
    many = catalog_of(toolset, copies=50)
    tools = list(catalog.all())
    texts = queries() * 3

    def search(where: Catalog, text: str) -> Callable[[], object]:
        return lambda: where.search_json(text, "", 12, 0, everything)

    def describe(tool: CatalogTool) -> Callable[[], object]:
        return lambda: catalog.describe(tool, {}, 16_384)

    return {
        f"build_index, {len(toolset.tools):,} tools": milliseconds([lambda: build_index(toolset)] * 5),
        f"build_index, {LARGE:,} tools": milliseconds([lambda: build_index(big)] * 3),
        "new Catalog over built indexes": milliseconds(
            [lambda: Catalog(catalog.connections, sha256="1")] * 5
        ),
        "search": milliseconds(search(catalog, text) for text in texts),
        f"search, {LARGE:,} tools": milliseconds(search(large, text) for text in texts),
        "search, 50 connections of one toolset": milliseconds(search(many, text) for text in texts),
        "describe, first time": milliseconds(map(describe, tools)),
        "describe, again": milliseconds(map(describe, tools[-60:])),
        "suggestions for a wrong path": milliseconds(
            [lambda: catalog.find("github.org.main.isues.updte")] * 20
        ),
        f"description of execute, {LARGE:,} tools": milliseconds(
            [lambda: large.description(everything)] * 20
        ),
        "bytes of that description": {"bytes": len(large.description(everything).encode())},
        **{f"quality, {name}": quality(catalog, name) for name in INTENT_LISTS},
    }


def main(arguments: list[str]) -> None:
    document = Path(arguments[0]) if arguments else ROOT / ".specs" / "api.github.com.json"
    if document.exists():
        toolset: Toolset = asyncio.run(load(document))
    else:
        print(
            f"{document} is absent (run `make specs`): using the committed table of summaries",
            file=sys.stderr,
        )
        toolset = github_tools()
    figures = measure(toolset)
    for name, values in figures.items():
        print(f"{name:45} " + "  ".join(f"{key} {value}" for key, value in values.items()))
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "catalog_search.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
