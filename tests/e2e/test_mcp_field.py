"""MCP servers as they are in the field, through `executor serve`. The numbers are those of the recipes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.e2e import configs
from tests.e2e.running import Proxy, environment, serving
from tests.integrations.echo import Reply, Seen, echo_thread
from tests.integrations.mcp.http_server import RawHttp, error_reply

STDIO = str(Path(__file__).parents[1] / "integrations" / "mcp" / "stdio_server.py")
OBJECT = {"type": "object"}
READ = {"readOnlyHint": True}
UNICODE = [
    {"name": "查询天气", "description": "查询城市的天气", "inputSchema": OBJECT, "annotations": READ},
    {"name": "删除文件", "inputSchema": OBJECT, "annotations": {"destructiveHint": True}},
    {"name": "a/b", "inputSchema": OBJECT},
    {"name": "a-b", "inputSchema": OBJECT},
    {"name": "München", "inputSchema": OBJECT, "annotations": READ},
]
BAD = [{"name": "ok", "inputSchema": OBJECT}, {"name": "nothing", "inputSchema": None}, {"name": 5}]
REMOTE = ("unicode", "lost", "bad", "packed", "moved", "elsewhere", "listless", "undeclared", "nested")


@dataclass
class Field:
    proxy: Proxy
    config: Path
    upstreams: dict[str, RawHttp]


def compressed(upstream: RawHttp) -> None:
    plain = upstream.answer

    def answer(seen: Seen) -> Reply:
        reply = plain(seen)
        packed = ("Content-Encoding", "gzip")
        return replace(reply, body=gzip.compress(reply.body), headers=[*reply.headers, packed])

    upstream.echo.answer = answer


def prepared(upstreams: dict[str, RawHttp]) -> None:
    upstreams["unicode"].tools = UNICODE
    upstreams["lost"].unknown_session = error_reply(500, -32000, "Bad Request: No valid session ID provided")
    upstreams["bad"].tools = BAD
    compressed(upstreams["packed"])
    upstreams["moved"].echo.replies["/mcp"] = [Reply(308, [("Location", "/mcp/")])]
    upstreams["elsewhere"].echo.replies["/mcp"] = [Reply(301, [("Location", "/mcp/")])]
    upstreams["listless"].result = {"content": [{"type": "text", "text": "x"}], "structuredContent": ["x"]}
    upstreams["undeclared"].capabilities = {}
    code = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
    upstreams["nested"].tools = [{"name": "execute", "inputSchema": code, "annotations": READ}]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    folder = tmp_path_factory.mktemp("field")
    with ExitStack() as stack:
        upstreams = {name: RawHttp(stack.enter_context(echo_thread())) for name in REMOTE}
        prepared(upstreams)
        remote = {"kind": "mcp", "type": "remote", "transport": "streamable-http", "timeout": 20_000}
        slow = {
            "kind": "mcp",
            "type": "local",
            "command": [sys.executable, "-I", "-S", "server.py", "silent"],
        }
        (folder / "server.py").symlink_to(STDIO)
        config = {
            "version": 1,
            "integrations": {
                **{name: {**remote, "url": one.echo.url + "/mcp"} for name, one in upstreams.items()},
                "slow": {**slow, "start_timeout": 300},
            },
            "connections": {f"{name}.org.main": {} for name in (*REMOTE, "slow")},
            "policies": [
                {"pattern": "unicode.*.*.查询天气", "action": "approve"},
                *({"pattern": f"{name}.*", "action": "approve"} for name in REMOTE if name != "unicode"),
            ],
        }
        path = configs.write(folder / "executor.yaml", config)
        with serving(path, folder / "state", env={}) as proxy:
            yield Field(proxy, path, upstreams)


async def value(field: Field, code: str) -> Any:
    return (await field.proxy.execute(code)).value


def called(upstream: RawHttp) -> list[str]:
    bodies = [json.loads(seen.body) for seen in upstream.echo.log if b"tools/call" in seen.body]
    return [body["params"]["name"] for body in bodies]


async def test_07_names_depend_on_the_tool_alone_and_rules_with_them(field: Field) -> None:
    upstream = field.upstreams["unicode"]
    weather = "return (await tools.unicode.org.main.查询天气({})).data"
    listed = (
        "return (await tools.search({query: '', namespace: 'unicode', limit: 20})).items.map(one => one.path)"
    )
    before = sorted(await value(field, listed))
    assert len(before) == 5
    assert {"unicode.org.main.查询天气", "unicode.org.main.删除文件", "unicode.org.main.München"} < set(
        before
    )
    assert await value(field, weather) == "fine"

    upstream.tools = UNICODE[::-1]
    upstream.forget()
    while sum(b"tools/list" in seen.body for seen in upstream.echo.log) < 2:
        assert await value(field, weather) == "fine"
    assert sorted(await value(field, listed)) == before
    asked = await field.proxy.execute("return await tools.unicode.org.main.删除文件({})")
    assert asked.status == "waiting_for_interaction"
    assert set(called(upstream)) == {"查询天气"}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("天气", "查询天气"),
        ("删除", "删除文件"),
        ("文件", "删除文件"),
        ("munchen", "München"),
        ("München", "München"),
    ],
)
async def test_07_search_finds_every_script(field: Field, query: str, name: str) -> None:
    found = await value(
        field, f"return (await tools.search({{query: '{query}', namespace: 'unicode'}})).items[0].path"
    )
    assert found == f"unicode.org.main.{name}"


async def test_05_a_lost_session_is_opened_anew_once_and_the_write_is_sent_again(field: Field) -> None:
    upstream = field.upstreams["lost"]
    write = "return (await tools.lost.org.main.write({})).data"
    assert await value(field, write) == "fine"
    upstream.forget()
    assert await value(field, write) == "fine"
    assert (upstream.sessions, upstream.calls) == (2, 2)


@pytest.mark.parametrize(
    "code",
    [
        "return (await tools.bad.org.main.ok({})).data",
        "return (await tools.bad.org.main.nothing({any: 'thing'})).data",
        "return (await tools.packed.org.main.write({})).data",
        "return (await tools.moved.org.main.write({})).data",
        "return (await tools.undeclared.org.main.write({})).data",
    ],
)
async def test_06_08_09_19_what_servers_do_is_taken(field: Field, code: str) -> None:
    assert await value(field, code) == "fine"


async def test_18_a_result_of_the_wrong_shape_is_delivered_with_a_note(field: Field) -> None:
    answer = await value(field, "return await tools.listless.org.main.write({})")
    assert (answer["ok"], answer["data"]) == (True, ["x"])
    assert "`structuredContent` is no object" in answer["note"]


async def test_22_requests_say_who_sends_them(field: Field) -> None:
    await value(field, "return (await tools.bad.org.main.ok({})).data")
    said = {seen.header("user-agent") for seen in field.upstreams["bad"].echo.log}
    assert said == {f"executor/{metadata.version('executor-proxy')}"}


async def test_20_a_tool_that_runs_code_asks_although_everything_is_approved(field: Field) -> None:
    asked = await field.proxy.execute("return await tools.nested.org.main.execute({code: '1'})")
    assert asked.status == "waiting_for_interaction"
    assert called(field.upstreams["nested"]) == []


def test_06_09_10_19_20_what_is_wrong_is_said_where_a_person_looks(field: Field) -> None:
    """`executor tools sources` opens the same servers itself."""
    state = environment(field.config.parent / "other")
    done = processes.run("tools", "sources", "--config", str(field.config), env=state)
    said = " ".join((done.stdout + done.stderr).split())
    assert "tool number 3 left out: name: Input should be a valid string" in said
    url = field.upstreams["elsewhere"].echo.url
    assert f"the endpoint redirects to {url}/mcp/; set `url` to it" in said
    assert "without declaring the `tools` capability" in said
    assert "(`start_timeout`)" in said
    assert "`execute` runs code upstream" in said
