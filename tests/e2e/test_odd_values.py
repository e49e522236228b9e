"""Every source of JSON against every value that readers get wrong, through `executor serve`: what comes back is exactly
what the upstream sent, or one clear error that says that the call was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.json_text import read_json
from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.integrations.echo import Echo, Reply, Seen, echo_thread

BIG = 123456789012345678901234567890
TOO_DEEP = "upstream_response_too_deep"


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


# Name, the value as the upstream writes it, what `String()` or a look at it says in the code.
ODD = {
    "2^53+1": ("9007199254740993", "9007199254740993"),
    "64 bits": ("18446744073709551615", "18446744073709551615"),
    "beyond": (str(BIG), str(BIG)),
    "1e400": ("1e400", "1e400"),
    "half": ('"a\\ud83db"', "a\ud83db"),
    "name": ('{"\\ud83d": 1}', "\ud83d"),
    "deep": (nested(150), "150 deep"),
    "240": (nested(240), TOO_DEEP),
    "300": (nested(300), TOO_DEEP),
    "9000": (nested(9_000), TOO_DEEP),
}
LOOK = """
  const look = (v) => {
    let levels = 0;
    if (v === undefined) return "a text";
    for (let at = v; Array.isArray(at); at = at[0]) levels++;
    if (levels) return `${levels} deep`;
    return v !== null && typeof v === "object" ? Object.keys(v)[0] : String(v);
  };"""


def enveloped(kind: str, value: str) -> tuple[str, bytes]:
    """The body of an answer that holds this value, by content type."""
    text = {
        "application/x-ndjson": f'{{"v":1}}\n{{"v":{value}}}\n',
        "application/json-seq": f'\x1e{{"v":{value}}}\n',
        "text/event-stream": f'data: {{"v":{value}}}\n\n',
    }.get(kind, f'{{"v":{value}}}')
    return kind, text.encode()


# Source, the content type of its answers, and where the value is in the data.
SOURCES = {
    "json": ("application/json", "r.data.v"),
    "vendor": ("application/vnd.x+json", "r.data.v"),
    "ndjson": ("application/x-ndjson", "r.data[1].v"),
    "sequence": ("application/json-seq", "r.data[0].v"),
    "events": ("text/event-stream", "r.data[0].data.v"),
    "unnamed": ("", "r.data.v"),
    "graphql": ("graphql", "r.data.v"),
    "mcp": ("mcp", "r.data.v"),
    "mcpevents": ("mcpevents", "r.data.v"),
    "mcptext": ("mcptext", "r.data.v"),
}
HELLO = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"m","version":"1"}}'
ANY = {"description": "ok", "content": {"*/*": {"schema": {}}}}


def document() -> JsonObject:
    paths = {
        f"/{name}": {
            "post": {
                "operationId": name,
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"200": ANY},
            }
        }
        for name, (kind, _) in SOURCES.items()
        if "/" in kind or not kind
    }
    return {"openapi": "3.1.0", "info": {"title": "odd", "version": "1"}, "paths": paths}


class Upstream:
    """Answers every source with `value`, and keeps the arguments that it was sent."""

    def __init__(self, echo: Echo) -> None:
        self.value = "1"
        self.sent: Any = None
        echo.answer = self.answer

    def answer(self, seen: Seen) -> Reply:
        name = seen.path.strip("/")
        kind = SOURCES[name][0]
        if kind.startswith("mcp"):
            return self._mcp(seen, kind)
        body = read_json(seen.body) if seen.body else {}
        if kind == "graphql":
            self.sent = body["variables"]
            return Reply(
                200, [("Content-Type", "application/json")], f'{{"data":{{"v":{self.value}}}}}'.encode()
            )
        self.sent = body
        declared, content = enveloped(kind, self.value)
        return Reply(200, [("Content-Type", declared)] if declared else [], content)

    def _mcp(self, seen: Seen, kind: str) -> Reply:
        if seen.method != "POST":
            return Reply(405 if seen.method == "GET" else 200)
        message = read_json(seen.body)
        if "id" not in message:
            return Reply(202)
        result = {
            "initialize": HELLO,
            "tools/list": '{"tools":[{"name":"call","inputSchema":{"type":"object"}}]}',
        }.get(message["method"])
        if result is None and message["method"] != "tools/call":
            return Reply(400)
        if result is None:
            self.sent = message["params"].get("arguments")
            value = f'{{"v":{self.value}}}'
            text = json.dumps(value)
            result = {
                "mcptext": f'{{"content":[{{"type":"text","text":{text}}}]}}',
            }.get(kind, f'{{"content":[],"structuredContent":{value}}}')
        body = f'{{"jsonrpc":"2.0","id":{json.dumps(message["id"])},"result":{result}}}'
        if kind == "mcpevents":
            return Reply(200, [("Content-Type", "text/event-stream")], f"data: {body}\n\n".encode())
        return Reply(200, [("Content-Type", "application/json")], body.encode())


SCHEMA = "scalar JSON\ntype Query { v(a: JSON): JSON }\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Upstream]]:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd.graphql").write_text(SCHEMA)
    with echo_thread() as echo:
        upstream = Upstream(echo)
        common = {"approve_by_default": "all"}
        integrations: JsonObject = {
            "rest": {"kind": "openapi", "spec": {"inline": document()}, "base_url": echo.url, **common},
            "graphql": {
                "kind": "graphql",
                "endpoint": f"{echo.url}/graphql",
                "introspection": {"file": "odd.graphql"},
                **common,
            },
        }
        for name in SOURCES:
            if name.startswith("mcp"):
                integrations[name] = {
                    "kind": "mcp",
                    "type": "remote",
                    "url": f"{echo.url}/{name}",
                    "transport": "streamable-http",
                    **common,
                }
        config: JsonObject = {
            "version": 1,
            "rate_limits": {},
            "integrations": integrations,
            "connections": {f"{name}.org.main": {} for name in integrations},
        }
        file = configs.write(folder / "executor.yaml", config)
        with serving(file, folder / "state") as proxy:
            yield proxy, upstream


def tool_of(source: str) -> str:
    if source == "graphql":
        return "graphql.org.main.query.v"
    return f"{source}.org.main.call" if source.startswith("mcp") else f"rest.org.main.{source}.postOperation"


@pytest.mark.parametrize("source", SOURCES)
async def test_every_odd_value_of_every_source(served: tuple[Proxy, Upstream], source: str) -> None:
    proxy, upstream = served
    arguments = "{}" if source == "graphql" or source.startswith("mcp") else "{body: {}}"
    for odd, (written, expected) in ODD.items():
        upstream.value = written
        found = await proxy.value(
            f"""{LOOK}
            const r = await tools.{tool_of(source)}({arguments});
            if (!r.ok) return [r.error.code, r.error.message];
            return look(typeof r.data === "string" ? undefined : {SOURCES[source][1]});"""
        )
        if source == "mcptext" and expected == TOO_DEEP:
            assert found == "a text", odd  # it is no JSON that could not be passed on, so it stays what it is
        elif isinstance(found, list):
            assert found[0] == expected, (odd, found)
            assert "nested more than 180 levels deep" in found[1], odd
            assert "the call was sent and may have taken effect" in found[1], odd
        else:
            assert found == expected, odd


@pytest.mark.parametrize("source", [one for one in SOURCES if one != "mcptext"])
async def test_every_odd_argument_of_every_source(served: tuple[Proxy, Upstream], source: str) -> None:
    proxy, upstream = served
    upstream.value = "1"
    given = '{big: 123456789012345678901234567890, half: "a\\ud83db", ["\\ud83d"]: {x: 9007199254740993}}'
    arguments = {"graphql": f"{{a: {given}}}"}.get(
        source, given if source.startswith("mcp") else f"{{body: {given}}}"
    )
    found = await proxy.value(
        f"const r = await tools.{tool_of(source)}({arguments}); return r.ok || r.error;"
    )
    assert found is True
    sent = upstream.sent["a"] if source == "graphql" else upstream.sent
    assert sent == {"big": BIG, "half": "a\ud83db", "\ud83d": {"x": 9007199254740993}}


async def test_callers_who_nest_too_deep_are_told_so(served: tuple[Proxy, Upstream]) -> None:
    proxy, _ = served
    for levels in (240, 900, 9_000):
        deep = nested(levels)
        body = f'{{"code": "return 1", "metadata": {{"x": {deep}}}}}'
        async with proxy.client() as client:
            for path in ("/api/executions", "/api/executions/exec_1/resume"):
                rest = await client.post(path, content=body, headers={"content-type": "application/json"})
                assert rest.status_code == 400, path
                assert "nested more than 180 levels deep" in rest.json()["error"]["message"]
            answer = await post(
                client, "resume", {"executionId": "x", "action": "accept", "content": deep_text(levels)}
            )
        assert "`content` must" in answer.json()["result"]["content"][0]["text"], levels


def deep_text(levels: int) -> str:
    return f'{{"x": {nested(levels)}}}'
