"""How often the store is asked: the figures of docs/scale.md, counted by the store itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e import configs
from tests.e2e.running import ROOT, Proxy, serving
from tests.proxy.state.servers import RedisServer, redis_server
from tests.replicas.fleet import AGENT, config
from tests.replicas.upstream import ledger

TIMES = 20
READ = 'return (await tools.plain.org.main.ledger.read({run: "r", n: "1"})).ok'
TEN_READS = (
    'for (let n = 0; n < 10; n++) await tools.plain.org.main.ledger.read({run: "r", n: "1"}); return true'
)
WRITE = 'return (await tools.plain.org.main.ledger.quick({run: "q", n: `${Math.random()}`})).ok'
ASKS = 'return (await tools.plain.org.main.ledger.post({run: "p", n: `${Math.random()}`})).ok'
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@dataclass
class Site:
    proxy: Proxy
    store: RedisServer

    def scripts(self) -> int:
        """Scripts that were run so far: each is one round trip, and nearly all of them are scripts."""
        found = re.search(rb"cmdstat_evalsha:calls=(\d+)", self.store.ask("INFO", "commandstats"))
        return int(found[1]) if found else 0

    def used(self) -> int:
        """Bytes that the store keeps."""
        found = re.search(rb"used_memory:(\d+)", self.store.ask("INFO", "memory"))
        assert found is not None
        return int(found[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("counted")
    env = {"STATE_KEY": base64.b64encode(bytes(range(32))).decode()}
    state = {"backend": "redis", "url": {"env": "REDIS_URL"}, "encryption_key": {"env": "STATE_KEY"}}
    with ledger() as api, redis_server() as store:
        file = configs.write(folder / "executor.yaml", config(api, state=state))
        with serving(file, folder / "state", env={**env, "REDIS_URL": store.url}) as proxy:
            yield Site(proxy, store)


def stated(row: str) -> float:
    """The number in the second column of this row of docs/scale.md."""
    found = re.search(rf"^\| {re.escape(row)} \| ([\d,.]+)", (ROOT / "docs" / "scale.md").read_text(), re.M)
    assert found is not None, row
    return float(found[1].replace(",", ""))


@pytest.mark.parametrize(
    ("row", "code", "status"),
    [
        ("an execution without calls", "return 1", "completed"),
        ("an execution with one read", READ, "completed"),
        ("an execution with ten reads", TEN_READS, "completed"),
        ("an execution with one write", WRITE, "completed"),
        ("an execution that pauses for an approval", ASKS, "waiting_for_interaction"),
    ],
)
async def test_an_execution_asks_the_store_so_often(site: Site, row: str, code: str, status: str) -> None:
    await site.proxy.execute(code, token=AGENT)
    before = site.scripts()
    for _ in range(TIMES):
        assert (await site.proxy.execute(code, token=AGENT)).status == status
    # What the replica asks by itself meanwhile is less than half a script an execution.
    assert round((site.scripts() - before) / TIMES) == stated(row)


async def test_a_session_asks_the_store_so_often(site: Site) -> None:
    headers = {"accept": "application/json, text/event-stream"}

    async with site.proxy.client(AGENT) as http:

        async def send(body: dict[str, object], session: str = "") -> str:
            more = {"mcp-session-id": session} if session else {}
            answer = await http.post("/mcp", json={"jsonrpc": "2.0", **body}, headers={**headers, **more})
            assert answer.is_success
            return answer.headers.get("mcp-session-id", session)

        before, session = site.scripts(), ""
        for _ in range(TIMES):
            session = await send({"id": 1, "method": "initialize", "params": HELLO})
            await send({"method": "notifications/initialized"}, session)
        assert round((site.scripts() - before) / TIMES) == stated("a session of 2025-11-25 that begins")
        before = site.scripts()
        for number in range(TIMES):
            await send({"id": number, "method": "tools/list"}, session)
        assert round((site.scripts() - before) / TIMES) == stated("a request of such a session")


async def test_a_paused_execution_is_so_large(site: Site) -> None:
    async def grown(action: Callable[[], int]) -> float:
        before = action()
        for _ in range(TIMES):
            assert (await site.proxy.execute(ASKS, token=AGENT)).status == "waiting_for_interaction"
        return (action() - before) / TIMES

    await site.proxy.execute(ASKS, token=AGENT)
    assert await grown(site.used) < 1.5 * stated("bytes of a small paused execution")
