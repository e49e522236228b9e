"""A server with rules of every kind and executions of every kind, for the pages of the console that show them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from proxy.auth import hash_key
from tests.browser.approval_server import HUMAN, KEYS
from tests.e2e import configs
from tests.e2e.running import LIMIT_SECONDS, Answer, Proxy, envelope, headers_of, serving
from tests.e2e.upstream import Upstream

JsonObject = dict[str, Any]
CREATE = {
    "pattern": "shop.*.*.things.create",
    "action": "require_approval",
    "reason": "<b>It costs</b> money",
}
LATE = {"id": "late", "pattern": "shop.org.main.things.create", "action": "approve"}
TYPO = {"id": "typo", "pattern": "shop.org.main.thing.*", "action": "block"}
HOSTILE = "</pre><script>alert(1)</script>\\u202egnp \\u001b[31m"
FAILS = f"""\
console.warn('{HOSTILE}');
await Promise.all([1, 2, 3].map((n) => tools.shop.org.main.things.get({{id: String(n)}})));
const gone = await tools.shop.org.main.echo.fail({{status: 404}});
if (!gone.ok) throw new Error('<img src=x onerror=alert(2)>');
"""
PAUSES = """\
await tools.shop.org.main.things.get({id: '7'});
const made = await tools.shop.org.main.things.create({body: {name: 'bolt'}});
return made.data;
"""


@dataclass
class RecordsServer:
    """`boss` is operator and approver, `agent` runs code, `bob` is nobody. The ids are executions of `agent`."""

    proxy: Proxy
    failed: str = ""
    resumed: str = ""
    waiting: str = ""

    def run(self, code: str, path: str = "/mcp") -> Answer:
        bearer = {"authorization": f"Bearer {KEYS['agent']}", **headers_of("tools/call", "execute")}
        body = envelope("tools/call", {"name": "execute", "arguments": {"code": code}})
        answer = httpx2.post(self.proxy.url + path, json=body, headers=bearer, timeout=60)
        assert answer.status_code == 200, answer.text
        return Answer(answer.json()["result"])

    def approve(self, execution: str) -> None:
        """`boss` approves what it waits for, and it goes on to its end."""
        boss = {"authorization": f"Bearer {KEYS['boss']}"}
        url = f"{self.proxy.url}/api/executions/{execution}/resume"
        answer = httpx2.post(url, json={"action": "accept"}, headers=boss, timeout=60)
        assert answer.json()["status"] == "completed", answer.text

    def ended(self, execution: str) -> None:
        """Wait until it is over, for whoever may see it."""
        boss = {"authorization": f"Bearer {KEYS['boss']}"}
        deadline = time.monotonic() + LIMIT_SECONDS
        status = ""
        while status != "completed":
            assert time.monotonic() < deadline, f"{execution} is {status}"
            answer = httpx2.get(f"{self.proxy.url}/api/executions/{execution}", headers=boss, timeout=60)
            status = answer.json()["status"]

    def fill(self) -> None:
        """One execution that failed, one that waited and was approved, one that waits."""
        self.failed = self.run(FAILS).structured["executionId"]
        browser = "/mcp?elicitation_mode=browser"
        self.resumed = self.run(PAUSES, browser).structured["executionId"]
        self.approve(self.resumed)
        name = json.dumps(HOSTILE.encode().decode("unicode_escape"))
        waits = f"return await tools.shop.org.main.things.create({{body: {{name: {name}}}}})"
        self.waiting = self.run(waits, browser).structured["executionId"]


def config(api: Upstream, folder: Path) -> JsonObject:
    keys: JsonObject = {name: {"hash": f"sha256:{hash_key(key)}"} for name, key in KEYS.items()}
    keys["boss"]["groups"] = ["ops"]
    return configs.base(
        api,
        HUMAN,
        CREATE,
        LATE,
        TYPO,
        auth={"api_keys": {"keys": keys}, "roles": {"approver": ["ops"], "admin": ["ops"]}},
        elicitation={"mode": "model", "client_may_choose": True},
        console={"source_url": "https://git.example/blob/main/{file}#L{line}"},
        audit={"sink": {"file": str(folder / "audit.jsonl")}},
    )


@contextmanager
def records_server(api: Upstream, folder: Path) -> Iterator[RecordsServer]:
    file = configs.write(folder / "executor.yaml", config(api, folder))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        server = RecordsServer(proxy)
        server.fill()
        yield server
