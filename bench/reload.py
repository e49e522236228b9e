"""What a reload costs, and what running traffic notices of it: `python -m bench.reload [FOLDER]`.

250 integrations, 5,000 tools and 200 rules with a lock, as in `bench.gitops`. Callers execute one after another all the
time, first alone, then while the files are edited again and again: a rule, or one of the documents. A reload is seen
when the server names the new config. `FOLDER` as an argument keeps what was compiled for the next run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.gitops import INTEGRATIONS, OPERATIONS, RULES, document, run, write
from bench.server import Server, base_config, free_port, serve, upstream
from bench.upstream import document as called

CALLERS, SECONDS, RELOADS = 4, 12.0, 6
ONE_CALL = "const r = await tools.bench.org.main.items.get({id: 1}); return r.data.id"
Edit = Callable[[int], Awaitable[None]]


class Site:
    """The folder that is served, and what is edited in it."""

    def __init__(self, folder: Path, base: str, port: int) -> None:
        self._folder = folder
        write(folder, "require_approval")
        self.config: dict[str, Any] = json.loads((folder / "executor.yaml").read_text())
        own = base_config(port)
        rules = [*self.config["policies"], *own["policies"]]
        self.config = {**own, **self.config, "policies": rules}
        self.config["integrations"]["bench"] = {"kind": "openapi", "spec": {"inline": called(base)}}
        self.config["connections"]["bench.org.main"] = {}
        self.save()

    def save(self) -> None:
        (self._folder / "executor.yaml").write_text(json.dumps(self.config, indent=1))

    def lock(self) -> None:
        run(self._folder, "lock", "--yes", "--config", str(self._folder / "executor.yaml"))

    async def edit_rule(self, turn: int) -> None:
        self.config["policies"][0]["reason"] = f"turn {turn}"
        self.save()

    async def edit_document(self, turn: int) -> None:
        """One document of 250, and something of the config by which the reload is known."""
        one = document(0)
        one["paths"]["/things0/{id}"]["put"]["description"] = f"turn {turn}"
        (self._folder / "specs" / "0.json").write_text(json.dumps(one))
        await self.edit_rule(1000 + turn)


async def traffic(server: Server, over: asyncio.Event) -> list[float]:
    """Milliseconds of every execution until it is over."""
    taken: list[float] = []

    async def caller() -> None:
        while not over.is_set():
            began = time.perf_counter()
            await server.call(ONE_CALL)
            taken.append((time.perf_counter() - began) * 1e3)

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
    return taken


async def seen(server: Server, before: str) -> str:
    """The config that is served, once it is another one."""
    while (now := await served(server)) == before:
        await asyncio.sleep(0.01)
    return now


async def served(server: Server) -> str:
    answer = json.loads((await server.client.get("/-/status")).body)
    return str(answer["config"]["sha256"])


async def edits(server: Server, edit: Edit | None, over: asyncio.Event) -> list[float]:
    """Milliseconds from each edit to its effect; without `edit` nothing happens for as long."""
    taken: list[float] = []
    try:
        if edit is None:
            await asyncio.sleep(SECONDS)
        for turn in range(RELOADS if edit is not None else 0):
            assert edit is not None
            before = await served(server)
            began = time.perf_counter()
            await edit(turn)
            await asyncio.wait_for(seen(server, before), 60)
            taken.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(max(0.0, SECONDS / RELOADS - taken[-1] / 1e3))
    finally:
        over.set()
    return taken


async def measure(name: str, server: Server, edit: Edit | None) -> None:
    over = asyncio.Event()
    taken, reloads = await asyncio.gather(traffic(server, over), edits(server, edit, over))
    taken.sort()
    shown = f"p50 {statistics.median(taken):6.1f} ms  p99 {taken[int(len(taken) * 0.99)]:6.1f} ms"
    waits = (
        f"  reload p50 {statistics.median(reloads):5.0f} ms  max {max(reloads):5.0f} ms" if reloads else ""
    )
    pause = f"  longest pause {await server.longest_pause_ms():4.0f} ms" if reloads else ""
    print(
        f"  {name:<22} {len(taken):6} executions  {shown}  max {taken[-1]:6.1f} ms{waits}{pause}", flush=True
    )


async def main() -> None:
    print(
        f"{INTEGRATIONS} integrations, {INTEGRATIONS * OPERATIONS:,} tools, {RULES} rules; {CALLERS} callers"
    )
    port = free_port()
    with upstream() as base, tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        folder.mkdir(exist_ok=True)
        site = Site(folder, base, port)
        site.lock()
        async with serve(site.config, port, folder) as server:
            with suppress(KeyboardInterrupt):
                await measure("no reload", server, None)
                await measure("a rule is edited", server, site.edit_rule)
                await measure("a document is edited", server, site.edit_document)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
