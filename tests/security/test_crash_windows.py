"""T16: the proxy is killed (SIGKILL) at every point where it could lose or repeat a call; the upstream counts."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import httpx2
import pytest

from tests.e2e import configs
from tests.e2e.running import Answer, Proxy, post, serving

LIMIT_SECONDS = 60.0
JsonObject = dict[str, Any]


def operation(name: str) -> JsonObject:
    return {"operationId": name, "responses": {"200": {"description": "ok"}}}


DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "Counter", "version": "1"},
    "paths": {
        "/post": {"post": operation("post")},
        "/post-last": {"post": operation("postLast")},
        "/put": {"put": operation("put")},
        "/get": {"get": operation("get")},
        "/quick": {"post": operation("quick")},
        "/keyed": {"post": operation("keyed")},
    },
}


@dataclass
class Counting:
    """`holding` paths keep their first caller waiting for an answer that does not come."""

    url: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    keys: defaultdict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))
    holding: set[str] = field(default_factory=set)
    held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, key: str | None) -> bool:
        """Count one request; whether it will be answered."""
        with self.lock:
            self.counts[path] += 1
            self.keys[path].append(key)
            kept = path in self.holding
            self.holding.discard(path)
        if kept:
            self.held.release()
            self.over.wait(LIMIT_SECONDS)
        return not kept


class _Handler(BaseHTTPRequestHandler):
    counting: Counting

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.counting.take(self.path, self.headers.get("idempotency-key")):
            body = b'{"done": true}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def counting() -> Iterator[Counting]:
    found = Counting()
    handler = type("Handler", (_Handler,), {"counting": found})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        server.shutdown()
        server.server_close()
        thread.join(LIMIT_SECONDS)


def config(api: Counting) -> JsonObject:
    plain = {"kind": "openapi", "spec": {"inline": DOCUMENT}, "base_url": api.url}
    keyed = {**plain, "idempotency_key": "Idempotency-Key"}
    connection = {"auth": {"kind": "none"}}
    return {
        "version": 1,
        "integrations": {"plain": plain, "sure": keyed},
        "connections": {"plain.org.main": connection, "sure.org.main": connection},
        "rate_limits": {"per-workspace": {"per": "workspace", "limit": "100000/minute"}},
    }


async def resume(proxy: Proxy, execution_id: str, **arguments: Any) -> Answer:
    async with proxy.client() as client:
        response = await post(client, "resume", {"executionId": execution_id, **arguments})
    assert response.status_code == 200, response.text
    return Answer(response.json()["result"])


PROGRAMS = {
    "after dispatch, not repeatable": "return (await tools.plain.org.main.post.postOperation({})).ok",
    "after dispatch, taken as done": "return (await tools.plain.org.main.postLast.postOperation({})).data",
    "after dispatch, repeatable": "return (await tools.plain.org.main.put.putOperation({})).ok",
    "after dispatch, with a key": "return (await tools.sure.org.main.keyed.postOperation({})).ok",
    "after a record, in a resume": (
        "const first = await tools.plain.org.main.quick.postOperation({});"
        "return [first.ok, (await tools.plain.org.main.get.getOperation({})).ok]"
    ),
}


async def test_t16_no_call_is_lost_or_silently_repeated_when_the_proxy_is_killed(tmp_path: Path) -> None:
    with counting() as api:
        file = configs.write(tmp_path / "executor.yaml", config(api))
        api.holding |= {"/post", "/post-last", "/put", "/keyed", "/get"}
        with serving(file, tmp_path / "state") as first:
            paused = {name: await first.execute(code) for name, code in PROGRAMS.items()}
            never = await first.execute("return (await tools.plain.org.main.quick.postOperation({})).ok")
            assert {one.status for one in (*paused.values(), never)} == {"waiting_for_interaction"}
            assert not api.counts
            ids = {name: one.structured["executionId"] for name, one in paused.items()}
            await _resumed_into_the_kill(first, list(ids.values()), api)
        assert api.counts == {"/post": 1, "/post-last": 1, "/put": 1, "/keyed": 1, "/get": 1, "/quick": 1}
        with serving(file, tmp_path / "state") as second:
            await _settled(second, ids, api)
            # Killed in its pause, before anything was sent.
            later = await resume(second, never.structured["executionId"], action="accept")
            assert later.value is True
            assert api.counts["/quick"] == 2


READS = """const seen = [];
for (let i = 0; i < 3; i++) seen.push((await tools.plain.org.main.get.getOperation({})).ok);
console.log("read", seen.length);
return seen"""
WRITES = "return (await tools.plain.org.main.post.postOperation({})).ok"


async def test_a_drain_leaves_what_can_go_on_and_says_what_it_cut_off(tmp_path: Path) -> None:
    """SIGTERM, and again at once: reads go on after the restart, the write that is under way is nobody's to repeat."""
    with counting() as api:
        free = {"id": "free", "pattern": "plain.*.*.post.postOperation", "action": "approve"}
        file = configs.write(tmp_path / "executor.yaml", {**config(api), "policies": [free]})
        api.holding |= {"/get", "/post"}
        with serving(file, tmp_path / "state") as first:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(first.execute(READS))
                writing = group.create_task(first.execute(WRITES))
                for _ in range(2):
                    assert await asyncio.to_thread(api.held.acquire, timeout=LIMIT_SECONDS)
                first.signal(SIGTERM)
                await asyncio.to_thread(first.logged, "draining", executions=2)
                first.signal(SIGTERM)
            assert await asyncio.to_thread(first.wait) == 0
        left, cut = reading.result(), writing.result()
        assert (left.status, left.raw.get("isError", False)) == ("running", False)
        assert left.structured["executionId"] in left.text
        assert (cut.status, cut.structured["calls"][0]["code"]) == ("canceled", "outcome_unknown")
        with serving(file, tmp_path / "state") as second:
            answer = await resume(second, left.structured["executionId"])
            assert answer.value == [True, True, True]
            assert answer.structured["logs"] == [{"level": "log", "text": "read 3"}]
            assert (await resume(second, cut.structured["executionId"])).status == "canceled"
        assert api.counts == {"/get": 4, "/post": 1}


async def _resumed_into_the_kill(proxy: Proxy, ids: list[str], api: Counting) -> None:
    """Approve everything; once every call has arrived, and none was answered, the process dies."""
    threads = [threading.Thread(target=_accept, args=(proxy, one), daemon=True) for one in ids]
    for thread in threads:
        thread.start()
    for _ in ids:
        assert api.held.acquire(timeout=LIMIT_SECONDS), api.counts
    proxy.signal_group(SIGKILL)
    proxy.wait()
    for thread in threads:
        thread.join(LIMIT_SECONDS)


def _accept(proxy: Proxy, execution_id: str) -> None:
    body = {"name": "resume", "arguments": {"executionId": execution_id, "action": "accept"}}
    headers = {
        "authorization": f"Bearer {proxy.token}",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "resume",
        "accept": "application/json, text/event-stream",
    }
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**body, "_meta": meta}}
    headers["content-type"] = "application/json"
    with pytest.raises(httpx2.HTTPError):
        httpx2.post(f"{proxy.url}/mcp", content=json.dumps(request), headers=headers, timeout=60)


async def _settled(proxy: Proxy, ids: dict[str, str], api: Counting) -> None:
    asked = {}
    for name, execution_id in ids.items():
        answer = await resume(proxy, execution_id, action="accept")
        if answer.status == "waiting_for_interaction":
            asked[name] = answer.structured["interaction"]
        else:
            assert answer.status == "completed", answer.text
    assert set(asked) == {"after dispatch, not repeatable", "after dispatch, taken as done"}
    assert {one["kind"] for one in asked.values()} == {"outcome_unknown"}
    assert (api.counts["/post"], api.counts["/post-last"]) == (1, 1), "never sent again unasked"
    assert (api.counts["/put"], api.counts["/get"], api.counts["/quick"]) == (2, 2, 1)
    assert api.counts["/keyed"] == 2
    assert len(set(api.keys["/keyed"])) == 1
    assert api.keys["/keyed"][0]
    retried = ids["after dispatch, not repeatable"]
    interaction = asked["after dispatch, not repeatable"]["id"]
    answer = await resume(
        proxy, retried, action="accept", interactionId=interaction, content={"outcome": "retry"}
    )
    assert answer.value is True
    assert api.counts["/post"] == 2
    taken = ids["after dispatch, taken as done"]
    interaction = asked["after dispatch, taken as done"]["id"]
    content = {"outcome": "done", "data": {"seen": "by a person"}}
    answer = await resume(proxy, taken, action="accept", interactionId=interaction, content=content)
    assert answer.value == {"seen": "by a person"}
    assert api.counts["/post-last"] == 1
