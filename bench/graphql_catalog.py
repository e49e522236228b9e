"""GraphQL: a whole schema as tools, all default selections, all input and output schemas, one prepared call.

    python -m bench.graphql_catalog [SCHEMA ...]

SCHEMA is introspection JSON or SDL; default: GitHub's two (`make specs`). Every figure is the best of five in one
process; memory is what five loads of the schema, all kept, add to the resident size, divided by five. Writes
`bench/results/graphql_catalog.json`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from integrations.graphql import GraphQlOptions, GraphQlToolset, GraphQlUpstream, SchemaSource, load_toolset
from integrations.graphql.default import default_selection
from integrations.graphql.inputs import input_schema
from integrations.graphql.nodes import print_nodes
from integrations.http import HttpClient
from proxy.catalog import build_index

ROOT = Path(__file__).parent.parent
SCHEMAS = (ROOT / ".specs/graphql/github.json", ROOT / ".specs/graphql/github.graphql")
ENDPOINT = "https://api.example.com/graphql"
ROUNDS = 5


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def best_milliseconds(action: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        taken.append((time.perf_counter() - start) * 1e3)
    return round(min(taken), 2)


async def load(file: Path, cache: Path, http: HttpClient) -> GraphQlToolset:
    return await load_toolset(SchemaSource(ENDPOINT, file), GraphQlOptions(), http, None, cache)


async def loads(file: Path, cache: Path, http: HttpClient) -> tuple[GraphQlToolset, dict[str, float]]:
    """First load (SDL: with conversion in the child), best later load, and memory per kept toolset."""
    start = time.perf_counter()
    first = await load(file, cache, http)
    cold = (time.perf_counter() - start) * 1e3
    before, kept, taken = resident_megabytes(), [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        kept.append(await load(file, cache, http))
        taken.append((time.perf_counter() - start) * 1e3)
    memory = (resident_megabytes() - before) / ROUNDS
    figures = {"cold load ms": round(cold, 1), "load ms": round(min(taken), 1), "memory MB": round(memory, 1)}
    return first, figures


def operations(toolset: GraphQlToolset) -> list[str]:
    """Every default selection, made anew."""
    fields = [entry for tool in toolset.tools if (entry := toolset.entry(tool.name)).field is not None]
    return [
        print_nodes(default_selection(toolset.schema, entry.field, entry.kind, 2, 40))
        for entry in fields
        if entry.field is not None
    ]


def inputs(toolset: GraphQlToolset) -> None:
    for tool in toolset.tools:
        input_schema(toolset.schema, toolset.entry(tool.name).arguments, None)


def describe_all(toolset: GraphQlToolset) -> None:
    for tool in toolset.tools:
        toolset.schemas(tool.name)


def prepared(toolset: GraphQlToolset, http: HttpClient) -> dict[str, float]:
    """One prepared call without `select`, with one never seen before, with one seen; in microseconds."""
    upstream = GraphQlUpstream(toolset, http, endpoint=ENDPOINT, headers={})
    given = {"owner": "octokit", "name": "graphql-schema"}
    select = "id name issues(first: 10, states: [OPEN]) { nodes { number title author { login } } }"

    def many(arguments: dict[str, str]) -> None:
        for _ in range(100):
            upstream.prepare("query.repository", arguments)

    def fresh() -> None:
        for _ in range(100):
            unseen = f"{select} x{time.perf_counter_ns()}: id"
            upstream.prepare("query.repository", {**given, "select": unseen})

    return {
        "prepare us": round(best_milliseconds(lambda: many(given)) * 10, 1),
        "prepare, new select us": round(best_milliseconds(fresh) * 10, 1),
        "prepare, seen select us": round(
            best_milliseconds(lambda: many({**given, "select": select})) * 10, 1
        ),
    }


async def measure(file: Path) -> dict[str, float]:
    async with HttpClient() as http:
        with tempfile.TemporaryDirectory() as cache:
            toolset, figures = await loads(file, Path(cache), http)
        lengths = sorted(map(len, operations(toolset)))
        figures["tools"] = len(toolset.tools)
        figures["index ms"] = best_milliseconds(lambda: build_index(toolset))
        figures["all default selections ms"] = best_milliseconds(lambda: operations(toolset))
        figures["selection characters median"] = lengths[len(lengths) // 2]
        figures["selection characters max"] = lengths[-1]
        figures["all input schemas ms"] = best_milliseconds(lambda: inputs(toolset))
        figures["all schemas ms"] = best_milliseconds(lambda: describe_all(toolset))
        if file in SCHEMAS:
            figures |= prepared(toolset, http)
    return figures


def main(arguments: list[str]) -> int:
    results = {}
    for file in map(Path, arguments) if arguments else SCHEMAS:
        if not file.exists():
            print(f"{file.name}: not there; `make specs` fetches it")
            return 1
        results[file.name] = asyncio.run(measure(file))
        print(file.name)
        for name, value in results[file.name].items():
            print(f"  {name:<30}{value:>10}")
    target = ROOT / "bench/results/graphql_catalog.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
