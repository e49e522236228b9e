"""GitHub's document as a toolset: cold and warm load, memory, describe, and the CPU of one call.

    .venv/bin/python -m bench.openapi_catalog [document]

Every load runs in a fresh process, so that memory is what one toolset costs. The raw baseline of the call is the same
client sending the same request directly. Writes bench/results/openapi_catalog.json.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from integrations.base import Credential
from integrations.http import EgressRules, HttpClient
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from integrations.schema_types import render_tool_types
from tests.integrations.echo import echo_server

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT / ".specs" / "api.github.com.json"
BUDGETS = {
    "cold_ms": 400.0,
    "warm_ms": 30.0,
    "rss_mb": 8.0,
    "describe_max_ms": 50.0,
    "call_overhead_cpu_ms": 1.5,
}


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def load_once(document: Path, cache: Path) -> dict[str, float]:
    """One load in this process: milliseconds, and megabytes that stay."""
    import integrations.openapi.upstream  # noqa: F401  What a running proxy has imported anyway.

    async with HttpClient() as http:
        before = rss_mb()
        started = time.perf_counter()
        toolset = await load_toolset(SpecSource(file=document), OpenApiOptions(), http, cache)
        taken = time.perf_counter() - started
        return {"ms": taken * 1e3, "rss_mb": rss_mb() - before, "tools": float(len(toolset.tools))}


def in_child(document: Path, cache: Path) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, "-m", "bench.openapi_catalog", "--once", str(document), str(cache)],
        capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    result: dict[str, float] = json.loads(said.stdout)
    return result


async def describe_all(document: Path, cache: Path) -> dict[str, float]:
    async with HttpClient() as http:
        toolset = await load_toolset(SpecSource(file=document), OpenApiOptions(), http, cache)
    taken = []
    for tool in toolset.tools:
        started = time.perf_counter()
        render_tool_types(tool.name, toolset.outline(tool.name), 10_000)
        taken.append((time.perf_counter() - started) * 1e3)
    return {"describe_mean_ms": statistics.mean(taken), "describe_max_ms": max(taken)}


async def call_cost(document: Path, cache: Path, rounds: int = 500) -> dict[str, float]:
    """CPU of prepare + invoke against the bare client, same request; the echo server is in this process for both."""
    async with echo_server() as echo, HttpClient() as http:
        toolset = await load_toolset(SpecSource(file=document), OpenApiOptions(), http, cache)
        upstream = OpenApiUpstream(toolset, http, base_url=echo.url, headers={})
        name = next(tool.name for tool in toolset.tools if tool.method == "GET" and "{" in tool.path)
        wanted = toolset.schemas(name).input.get("required", [])
        arguments: dict[str, Any] = dict.fromkeys(wanted, "1")
        rules = EgressRules(origins=frozenset({echo.url}))
        url = upstream.prepare(name, arguments).summary.split(" ", 1)[1]
        figures = {}
        for label in ("direct", "ours", "direct", "ours"):
            started = time.process_time()
            for _ in range(rounds):
                if label == "direct":
                    await http.request("GET", url, [], None, timeout_seconds=5, max_bytes=10**6, allow=rules)
                else:
                    await upstream.invoke(upstream.prepare(name, arguments), Credential(), 5)
            figures[label] = (time.process_time() - started) / rounds * 1e3
    return {
        "call_direct_cpu_ms": figures["direct"],
        "call_ours_cpu_ms": figures["ours"],
        "call_overhead_cpu_ms": figures["ours"] - figures["direct"],
    }


def measure(document: Path, rounds: int = 5) -> dict[str, float]:
    cold, warm, memory, tools = [], [], [], 0.0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            cache = Path(place)
            cold.append(in_child(document, cache)["ms"])
            again = in_child(document, cache)
            warm.append(again["ms"])
            memory.append(again["rss_mb"])
            tools = again["tools"]
    with tempfile.TemporaryDirectory() as place:
        described = asyncio.run(describe_all(document, Path(place)))
        called = asyncio.run(call_cost(document, Path(place)))
    return {
        "tools": tools,
        "cold_ms": statistics.median(cold),
        "warm_ms": statistics.median(warm),
        "rss_mb": statistics.median(memory),
        **described,
        **called,
    }


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--once"]:
        print(json.dumps(asyncio.run(load_once(Path(arguments[1]), Path(arguments[2])))))
        return 0
    document = Path(arguments[0]) if arguments else DEFAULT
    if not document.exists():
        print(f"{document} is missing: run `make specs` first")
        return 1
    figures = measure(document)
    for name, value in figures.items():
        budget = BUDGETS.get(name)
        print(f"{name:24} {value:10.2f}" + (f"   budget {budget:g}" if budget else ""))
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "openapi_catalog.json").write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
