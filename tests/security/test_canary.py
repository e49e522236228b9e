"""T27 through the whole product: credentials that upstreams reflect in every spelling are nowhere to be read again."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest

from integrations.base import Secret
from proxy.audit import verify
from proxy.state import Owner, open_state
from tests.e2e import configs
from tests.e2e.collector import Collector, collecting
from tests.e2e.running import Proxy, envelope, headers_of, post, serving
from tests.e2e.upstream import Upstream, upstream

# Characters that JSON, URLs, HTML and base64 each spell in a way of their own.
ENV = {
    "BEARER": "bearer-canary-1/+?&=<x>",
    "PASSWORD": "basic-canary-2:/@%41",
    "HEADER": "header-canary-3\\'x\"",
    "QUERY": "query canary 4/+&=",
    "COOKIE": "cookie-canary-5",
}
STATE_KEY = base64.b64encode(b"canary-key-of-thirty-two-bytes!!").decode()
PROMPT = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
CALLS = [
    "mirror.show({})",
    "mirror.fail({status: 400})",
    "mirror.fail({status: 302})",
    "echo.fail({status: 500})",
]
CONNECTIONS: dict[str, Any] = {
    "shop.org.bearer": {"auth": {"kind": "bearer", "token": {"env": "BEARER"}}},
    "shop.org.basic": {"auth": {"kind": "basic", "username": "user", "password": {"env": "PASSWORD"}}},
    "shop.org.head": {
        "auth": {"kind": "header", "name": "X-Key", "prefix": "Token ", "value": {"env": "HEADER"}}
    },
    "shop.org.query": {"auth": {"kind": "query", "name": "key", "value": {"env": "QUERY"}}},
    "shop.org.cookie": {"auth": {"kind": "cookie", "name": "sid", "value": {"env": "COOKIE"}}},
    "down.org.query": {"auth": {"kind": "query", "name": "key", "value": {"env": "QUERY"}}},
}


def spellings(secret: str) -> set[str]:
    """How a secret may stand in a response, a log line or a metric."""
    raw = secret.encode()
    plain = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        raw.hex(),
    }
    for before in (b"", b"user:", b"key=", b"Token "):
        # Without the ends, which depend on what stands around the secret.
        coded = base64.b64encode(before + raw).decode().rstrip("=")
        plain |= {coded, coded.replace("+", "-").replace("/", "_")}
        start = (len(before) * 8 + 5) // 6
        plain.add(coded[start : (len(before + raw) * 8) // 6])
    return {spelled for one in plain for spelled in (one, json.dumps(one)[1:-1])}


@dataclass
class Recorder:
    """Keeps every byte that the server answers."""

    proxy: Proxy
    api: Upstream
    audit: Path
    collector: Collector
    answers: list[str] = field(default_factory=list)

    async def _record(self, response: httpx2.Response) -> None:
        await response.aread()
        self.answers.append(f"{dict(response.headers)}\n{response.text}")

    def client(self) -> httpx2.AsyncClient:
        client = self.proxy.client()
        client.event_hooks = {"response": [self._record]}
        return client

    async def execute(self, code: str, **meta: Any) -> str:
        async with self.client() as client:
            return (await post(client, "execute", {"code": code}, **meta)).text

    def check(self) -> None:
        everything = {"stdout": self.proxy.out.text, "stderr": self.proxy.err.text}
        everything |= {f"answer {number}": text for number, text in enumerate(self.answers)}
        everything["audit"] = self.audit.read_text()
        everything["traces"] = b"".join(self.collector.bodies).decode("latin-1")
        for name, value in ENV.items():
            for spelled in spellings(value):
                found = [place for place, text in everything.items() if spelled in text]
                assert not found, f"{name} as {spelled!r} in {found}"


@pytest.fixture(scope="module")
def api() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def recorder(
    api: Upstream, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorder]:
    folder = tmp_path_factory.mktemp("canary")
    config = configs.base(
        api,
        integrations={
            "shop": configs.shop(api),
            "down": configs.shop(api, base_url="http://127.0.0.1:9"),
        },
        connections=CONNECTIONS,
        policies=None,
        telemetry={"log": {"level": "debug"}, "otlp": {"endpoint": collector.url}},
        state={
            "backend": "sqlite",
            "path": str(folder / "state.db"),
            "encryption_key": {"env": "STATE_KEY"},
        },
        audit={"sink": {"file": str(folder / "audit.jsonl")}, "arguments": "full"},
    )
    file = configs.write(folder / "executor.yaml", config)
    with serving(
        file, folder / "state", env={**ENV, "EXECUTOR_MCP_DEBUG": "1", "STATE_KEY": STATE_KEY, **PROMPT}
    ) as proxy:
        yield Recorder(proxy, api, folder / "audit.jsonl", collector)


def test_the_mirror_really_shows_what_it_gets(api: Upstream) -> None:
    """Else the tests below would be about nothing."""
    response = httpx2.get(f"{api.url}/mirror", headers={"authorization": f"Bearer {ENV['BEARER']}"})
    found = [one for one in spellings(ENV["BEARER"]) if one in response.text]
    assert len(found) >= 6


@pytest.mark.parametrize("connection", sorted(one for one in CONNECTIONS if one.startswith("shop")))
@pytest.mark.parametrize("call", CALLS)
async def test_t27_reflected_credentials_are_redacted_everywhere(
    recorder: Recorder, connection: str, call: str
) -> None:
    before = len(recorder.api.seen)
    code = f"""
        const r = await tools.{connection}.{call};
        console.log(r); console.error(JSON.stringify(r));
        emit(r); emit(JSON.stringify(r)); emit({{type: "text", text: JSON.stringify(r)}});
        return r;"""
    text = await recorder.execute(code, **{"io.modelcontextprotocol/logLevel": "debug", "progressToken": 1})
    assert "[redacted]" in text
    assert len(recorder.api.seen) > before
    recorder.check()


async def test_t27_code_cannot_take_a_reflected_credential_apart(recorder: Recorder) -> None:
    """What code sees is redacted already: it cannot spell it out in a way nobody looks for."""
    code = """
        const r = await tools.shop.org.bearer.mirror.show({});
        const all = JSON.stringify(r);
        const back = [...all].reverse().join("");
        return {apart: [...all].join("|").includes("r|-|c|a|n|a|r|y"), back: back.includes("yranac-r")};"""
    assert '"apart":false,"back":false' in await recorder.execute(code)
    recorder.check()


async def test_t27_an_error_made_of_a_result_says_nothing(recorder: Recorder) -> None:
    text = await recorder.execute(
        "const r = await tools.shop.org.basic.mirror.fail({status: 418}); throw new Error(JSON.stringify(r));"
    )
    assert '"status":"failed"' in text
    recorder.check()


async def test_t27_an_upstream_that_is_down_is_named_without_its_credential(recorder: Recorder) -> None:
    text = await recorder.execute("return await tools.down.org.query.things.list({})")
    assert "upstream_unreachable" in text
    recorder.check()


async def test_t27_wrong_arguments_and_stored_results_say_nothing(recorder: Recorder) -> None:
    code = """
        const r = await tools.shop.org.query.mirror.show({});
        const wrong = await tools.shop.org.query.mirror.fail({status: {}});
        return [wrong, Array.from({length: 400}, () => r)];"""
    answer = json.loads(await recorder.execute(code))["result"]["structuredContent"]["result"]
    assert answer["$truncated"] is True
    await recorder.execute(f"return await tools.executor.results.read({{ref: '{answer['resultRef']}'}})")
    recorder.check()


async def test_t27_audit_lines_tell_of_the_calls_and_say_nothing(recorder: Recorder) -> None:
    await recorder.execute("return (await tools.shop.org.bearer.mirror.show({})).ok")
    recorder.check()
    lines = recorder.audit.read_bytes().splitlines()
    told = [json.loads(line) for line in lines if b'"event":"call"' in line]
    assert any(one.get("address") == "shop.org.bearer.mirror.show" for one in told)
    assert verify(lines).fault is None


async def test_t27_traces_tell_of_the_calls_and_say_nothing(recorder: Recorder) -> None:
    await recorder.execute("return (await tools.shop.org.bearer.mirror.show({})).ok")
    await asyncio.to_thread(recorder.collector.wait_for, "request", "execution", "execute_tool")
    recorder.check()


async def test_t27_the_journal_of_a_pause_says_nothing(recorder: Recorder) -> None:
    """Read with its key, as the server reads it: what upstreams reflected was cut out before it was written."""
    code = """
        const r = await tools.shop.org.bearer.mirror.show({});
        await tools.shop.org.bearer.things.create({body: {name: "held"}});
        return r;"""
    answer = json.loads(await recorder.execute(code))["result"]["structuredContent"]
    assert answer["status"] == "waiting_for_interaction"
    owner = Owner(answer["workspaceId"], answer["accountId"])
    keys = [Secret(STATE_KEY)]
    async with open_state("sqlite", path=recorder.audit.with_name("state.db"), keys=keys) as state:
        journal = await state.read_journal(answer["executionId"], owner)
        record = await state.find_execution(answer["executionId"], owner.workspace_id)
    assert record is not None
    kept = b"".join([*journal, record.body]).decode("latin-1")
    assert "[redacted]" in kept
    assert not [one for value in ENV.values() for one in spellings(value) if one in kept]


async def test_t27_operators_see_references_and_no_values(recorder: Recorder) -> None:
    async with recorder.client() as client:
        for path in ("/-/status", "/-/config", "/metrics", "/-/ready", "/-/nothing"):
            await client.get(path)
        config = (await client.get("/-/config")).json()
        await client.post("/-/reload")
        await client.post("/mcp", json=envelope("tools/list"), headers=headers_of("tools/list"))
        await client.post("/mcp", content=b"{", headers={"content-type": "application/json"})
    assert config["connections"]["shop.org.bearer"]["auth"]["token"] == {"env": "BEARER"}
    recorder.check()


async def test_t27_a_support_bundle_says_nothing(recorder: Recorder, tmp_path: Path) -> None:
    """Also not in the log that it takes along, nor the token that fetched it."""
    token = recorder.proxy.token
    assert token is not None
    await recorder.execute("return (await tools.shop.org.bearer.mirror.show({})).ok")
    log, out = tmp_path / "log", tmp_path / "bundle.tar.gz"
    log.write_text(recorder.proxy.err.text)
    command = ["support-bundle", "--server", recorder.proxy.url, "--log", str(log), "--output", str(out)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", *command, env={**os.environ, **ENV, "EXECUTOR_TOKEN": token}
    )
    assert await process.wait() == 0
    with tarfile.open(out) as bundle:
        texts = [b"".join(bundle.extractfile(one) or ()).decode() for one in bundle]
    assert len(texts) == 6
    recorder.answers.extend(texts)
    assert not [text for text in texts if token in text]
    recorder.check()


async def test_t27_the_callers_token_is_in_no_answer_and_no_log(recorder: Recorder) -> None:
    """It is printed on a terminal only, for the person who started the server."""
    assert recorder.proxy.token is not None
    async with recorder.client() as client:
        await client.get("/-/config")
        await client.get("/-/status")
        await client.post(f"/mcp?token={recorder.proxy.token}", json={})
    assert recorder.proxy.token not in recorder.proxy.err.text + recorder.proxy.out.text
    assert not [text for text in recorder.answers if recorder.proxy.token in text]
