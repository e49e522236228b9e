"""Three `executor serve` processes on one Redis, behind a front that sends every request to the next one."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Answer, Proxy, post, spawn
from tests.proxy.state.servers import RedisServer, redis_server
from tests.replicas.front import CHOICE, Front, front
from tests.replicas.upstream import Ledger, document, ledger

JsonObject = dict[str, Any]
SIZE = 3
AGENT, BOSS = "agent-key-0123456789abcdef", "boss-key-0123456789abcdef"


def config(api: Ledger, **sections: Any) -> JsonObject:
    """`quick` runs unasked, `post` and `keyed` ask; the boss may decide for others."""
    plain = {
        "kind": "openapi",
        "spec": {"inline": document(("read", "put", "quick", "post"))},
        "base_url": api.url,
    }
    keyed = {
        "kind": "openapi",
        "spec": {"inline": document(("keyed",))},
        "base_url": api.url,
        "idempotency_key": "Idempotency-Key",
    }
    connection = {"auth": {"kind": "none"}}
    return {
        "version": 1,
        "integrations": {"plain": plain, "sure": keyed},
        "connections": {"plain.org.main": connection, "sure.org.main": connection},
        "policies": [
            {"id": "quick", "pattern": "plain.*.*.ledger.quick", "action": "approve"},
            {"id": "put", "pattern": "plain.*.*.ledger.put", "action": "approve"},
        ],
        "auth": {
            "api_keys": {
                "keys": {
                    "agent": {"hash": f"sha256:{hash_key(AGENT)}", "workspace": "org"},
                    "boss": {"hash": f"sha256:{hash_key(BOSS)}", "workspace": "org", "groups": ["bosses"]},
                }
            },
            "roles": {"approver": ["bosses"], "admin": ["bosses"]},
        },
        "workspaces": {"org": {"name": "Org"}},
        "rate_limits": {"per-workspace": {"per": "workspace", "limit": "1000000/minute"}},
        "state": {"backend": "redis", "url": {"env": "REDIS_URL"}, "encryption_key": {"env": "STATE_KEY"}},
        **sections,
    }


@dataclass
class Fleet:
    """`replicas` are replaced as they are restarted."""

    redis: RedisServer
    store: str
    api: Ledger
    front: Front
    replicas: list[Proxy]
    size: int
    _folder: Path

    def kill(self, index: int) -> None:
        """As a crash would: the process and its workers, at once."""
        self.replicas[index].signal_group(SIGKILL)
        self.replicas[index].wait()

    def start_missing(self) -> None:
        """Return when all serve. All start at once: most of a start is waiting."""
        for index in range(self.size):
            if index == len(self.replicas):
                self.replicas.append(self._spawned(index))
                self.front.targets.append("")
            elif self.replicas[index].process.poll() is not None:
                self.replicas[index] = self._spawned(index)
        for index, replica in enumerate(self.replicas):
            if not replica.url:
                replica.ready()
                self.front.targets[index] = replica.url

    def config_file(self, index: int) -> Path:
        """Each replica has a file of its own, as a pod has; they begin alike."""
        return self._folder / f"replica-{index}.yaml"

    def _spawned(self, index: int) -> Proxy:
        return spawn(
            *("serve", "--config", str(self.config_file(index)), "--listen", "127.0.0.1:0"),
            state=self._folder / f"state-{index}",
            env={"REDIS_URL": self.store, "STATE_KEY": "the same key on every replica"},
        )

    def stop(self) -> None:
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.signal_group(SIGKILL)
            replica.wait()

    def caller(self, key: str = AGENT, url: str | None = None) -> Caller:
        return Caller(url or self.front.url, key)


@contextmanager
def fleet(
    folder: Path, *, size: int = SIZE, persistent: bool = False, store: str | None = None, **sections: Any
) -> Iterator[Fleet]:
    """Running until the block ends. `store` is the URL of another Redis than their own, which then nobody asks."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(persistent=persistent))
        api = stack.enter_context(ledger())
        balancer = stack.enter_context(front())
        folder.mkdir(exist_ok=True)
        found = Fleet(redis, store or redis.url, api, balancer, [], size, folder)
        for index in range(size):
            configs.write(found.config_file(index), config(api, **sections))
        stack.callback(found.stop)
        found.start_missing()
        yield found


class Unanswered(Exception):
    """The replica died, or nobody took the request. `status` is the front's."""


class Caller:
    """A client whose every request stands alone (2026-07-28)."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    async def execute(self, code: str, replica: int | None = None) -> Answer:
        return await self._call("execute", {"code": code}, replica)

    async def resume(self, execution_id: str, action: str = "accept", **more: Any) -> Answer:
        replica = more.pop("replica", None)
        return await self._call("resume", {"executionId": execution_id, "action": action, **more}, replica)

    async def look(self, execution_id: str, replica: int | None = None) -> Answer:
        """`resume` that decides nothing."""
        return await self._call("resume", {"executionId": execution_id}, replica)

    async def _call(self, tool: str, arguments: JsonObject, replica: int | None) -> Answer:
        answer = await self.post(tool, arguments, replica)
        if answer.status_code in (502, 503):
            raise Unanswered(answer.status_code)
        assert answer.status_code == 200, answer.text
        return Answer(answer.json()["result"])

    async def post(self, tool: str, arguments: JsonObject, replica: int | None = None) -> httpx2.Response:
        """The answer, whatever it is."""
        headers = {"authorization": f"Bearer {self._key}"}
        if replica is not None:
            headers[CHOICE] = str(replica)
        async with httpx2.AsyncClient(
            base_url=self._url, headers=headers, timeout=90, verify=False
        ) as client:
            return await post(client, tool, arguments)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Client]:
        """The official client, as of 2025-11-25."""
        headers = {"authorization": f"Bearer {self._key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=90, verify=False) as http:
            transport = streamable_http_client(f"{self._url}/mcp", http_client=http)
            async with Client(transport, mode="legacy", cache=None) as client:
                yield client

    async def run(self, code: str, key: str, replica: int) -> httpx2.Response:
        """`POST /api/executions`, which can be repeated with the same key."""
        headers = {"authorization": f"Bearer {self._key}", "idempotency-key": key, CHOICE: str(replica)}
        async with httpx2.AsyncClient(
            base_url=self._url, headers=headers, timeout=90, verify=False
        ) as client:
            return await client.post("/api/executions", json={"code": code})


def happened(event: threading.Event) -> bool:
    """Wait for it, for as long as a slow machine may need."""
    return event.wait(60)
