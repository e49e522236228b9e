"""What agents get from `execute`: what code may look like, what comes back, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.e2e.running import LIMIT_SECONDS, MODERN, Proxy, envelope, headers_of, post
from tests.e2e.upstream import Upstream

ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])
THINGS = [{"id": "t1", "name": "bolt"}, {"id": "t2", "name": "nut"}]


# ---- what code may look like ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    [
        "return 7",
        "7",
        "await Promise.resolve(7)",
        "() => 7",
        "(async () => 7)",
        "async function main() { return 7 }",
        "export default async () => 7",
        "export default function run() { return 7 }",
        "Here you are:\n```js\nreturn 7\n```\nDone.",
        "```ts\nconst n: number = 7;\nreturn n\n```",
        "  \n return 7 \n",
    ],
)
async def test_code_is_recovered_from_the_forms_that_models_write(shop: Proxy, code: str) -> None:
    assert await shop.value(code) == 7


async def test_typescript_runs(shop: Proxy) -> None:
    code = """
        interface Thing { id: string; name: string }
        enum Size { Small = 1, Large }
        namespace Names { export const first = (all: Thing[]): string => all[0]!.name; }
        class Box<T> { constructor(public readonly held: T) {} }
        const found = await tools.shop.org.main.things.list({}) as { ok: true; data: Thing[] };
        return [Names.first(found.data satisfies Thing[]), Size.Large, new Box<number>(3).held];"""
    assert await shop.value(code) == ["bolt", 2, 3]


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        ("const a = 1;\nconst b = ;\nreturn a", 2, 11),
        ("interface A { x: number }\nconst a: A = { x: 1 };\nreturn a.x +;", 3, 13),
        ("Sure!\n```js\nconst x = 1;\nlet y = *;\n```", 4, 9),
    ],
)
async def test_a_syntax_error_names_the_line_of_the_code_as_sent(
    shop: Proxy, code: str, line: int, column: int
) -> None:
    answer = await shop.execute(code)
    assert (answer.status, answer.raw["isError"], answer.structured["exitCode"]) == ("failed", True, 1)
    error = answer.structured["errorDetails"]
    assert (error["name"], error["line"], error["column"]) == ("SyntaxError", line, column)
    assert answer.structured["error"].startswith("SyntaxError: ")
    assert answer.structured["error"].endswith(f" (line {line}, column {column})")


async def test_a_thrown_error_shows_the_agents_lines_and_nothing_of_ours(shop: Proxy) -> None:
    answer = await shop.execute("const f = () => {\n  throw new RangeError('boom');\n};\n\nf();")
    assert answer.structured["errorDetails"]["name"] == "RangeError"
    assert "boom" in answer.text
    assert ":2:" in answer.structured["errorDetails"]["stack"]
    assert "prelude" not in json.dumps(answer.raw)
    assert ".py" not in json.dumps(answer.raw)


# ---- what comes back -----------------------------------------------------------------------------------------------
async def test_results_have_the_declared_shape(shop: Proxy) -> None:
    answer = await shop.execute(
        "console.log('a', {b: 1}); console.error('c'); return {x: [1, null, 'é']}", sessionId="s_1"
    )
    found = answer.structured
    assert found["taskId"] == found["executionId"]
    assert found["executionId"].startswith("exec_")
    assert len(found["executionId"]) == len("exec_") + 32
    assert found["runtimeId"] == "quickjs"
    assert found["exitCode"] == 0
    assert found["result"] == {"x": [1, None, "é"]}
    assert found["logs"] == [{"level": "log", "text": 'a {"b":1}'}, {"level": "error", "text": "c"}]
    assert (found["workspaceId"], found["accountId"], found["sessionId"]) == ("default", "local", "s_1")
    assert found["catalogRevision"].startswith("r_")
    assert answer.text == '{"x":[1,null,"é"]}\n\nLogs:\n[log] a {"b":1}\n[error] c'


@ERAS
async def test_structured_content_fits_the_declared_output_schema(shop: Proxy, mode: str) -> None:
    """The official client checks it, and raises when it does not fit."""
    async with shop.sdk(mode) as client:
        await client.list_tools()
        for code in (
            "return 1",
            "throw new Error('x')",
            "console.log(1)",
            "return await tools.nowhere.at.all({})",
        ):
            result = await client.call_tool("execute", {"code": code})
            assert result.structured_content is not None
        gone = await client.call_tool("resume", {"executionId": "exec_1", "action": "cancel"})
        assert (gone.structured_content or {})["status"] == "execution_not_found"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("return 'plain'", "plain"),
        ("const a = 1", "(no result: use `return`)"),
        ("return undefined", "(no result: use `return`)"),
        ("null", "null"),
    ],
)
async def test_the_text_is_the_string_itself_or_json(shop: Proxy, code: str, text: str) -> None:
    assert (await shop.execute(code)).text == text


async def test_emitted_files_and_blocks_become_content(shop: Proxy) -> None:
    data = base64.b64encode(b"\x89PNG fake").decode()
    code = f"""
        const file = (name, mimeType, data) => ({{_tag: "ToolFile", name, mimeType, encoding: "base64", data}});
        emit(file("a.png", "image/png", "{data}"));
        emit(file("b.csv", "text/csv", btoa("a,b")));
        emit("a note"); emit({{n: 1}});
        emit({{type: "text", text: "a block"}});
        return "done";"""
    answer = await shop.execute(code)
    blocks = answer.raw["content"]
    assert blocks[0] == {"type": "text", "text": "done"}
    assert blocks[1] == {"type": "image", "mimeType": "image/png", "data": data}
    assert blocks[2]["resource"]["text"] == "a,b"
    assert blocks[2]["resource"]["mimeType"] == "text/csv"
    assert blocks[3] == {"type": "text", "text": "a note"}
    assert json.loads(blocks[4]["text"]) == {"n": 1}
    assert blocks[5] == {"type": "text", "text": "a block"}
    assert [one["type"] for one in answer.structured["emitted"]] == [
        "image",
        "resource",
        "text",
        "text",
        "text",
    ]


async def test_text_is_cut_at_thirty_thousand_characters_with_a_marker(shop: Proxy) -> None:
    answer = await shop.execute("return 'y'.repeat(50000)")
    assert len(answer.text) == 30_000
    assert answer.text.endswith("[cut: 50,000 characters in all.]")
    assert answer.structured["result"] == "y" * 50_000


async def test_a_large_result_is_a_preview_that_later_code_reads_whole(shop: Proxy) -> None:
    code = "return Array.from({length: 5000}, (_, i) => ({i, text: 'x'.repeat(90)}))"
    answer = await shop.execute(code)
    shown = answer.structured["result"]
    assert shown["$truncated"] is True
    assert shown["bytes"] > 256 * 1024
    assert shown["preview"][0] == {"i": 0, "text": "x" * 90}
    assert len(json.dumps(answer.structured)) < 256 * 1024
    assert len(answer.text) <= 30_000
    assert shown["resultRef"] in answer.text
    read = (
        f"return await tools.executor.results.read({{ref: '{shown['resultRef']}', offset: 4998, limit: 5}})"
    )
    page = await shop.value(read)
    assert [item["i"] for item in page["value"]] == [4998, 4999]
    assert (page["total"], page["hasMore"]) == (5000, False)


async def test_a_large_answer_of_an_upstream_passes_through_code(shop: Proxy) -> None:
    assert (
        await shop.value("return (await tools.shop.org.main.size.text({bytes: 400000})).data.text.length")
        == 400_000
    )


async def test_logs_are_bounded_and_the_result_survives(shop: Proxy) -> None:
    answer = await shop.execute("for (let i = 0; i < 5000; i++) console.log('line ' + i); return 'end'")
    assert len(answer.text) <= 30_000
    assert answer.text.startswith("end\n\nLogs:\n[log] line 0\n")
    assert "5000 lines" in answer.text


# ---- tools ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        "tools.shop.org.main.things.list({})",
        "tools.shop.org.main.things.list()",
        "tools['shop.org.main.things.list']({})",
        "tools.shop['org.main'].things.list({})",
        "tools.shop.things.list({})",
        "tools['tools.shop.org.main.things.list']({})",
        "tools.shop.org.main.things.list({}, 'only the first argument is sent')",
    ],
)
async def test_every_spelling_of_a_path_is_the_same_call(shop: Proxy, call: str) -> None:
    assert await shop.value(f"return (await {call}).data") == THINGS


async def test_search_describe_catalog_and_discover_lead_to_the_call(shop: Proxy) -> None:
    code = """
        const found = await tools.search({query: "list things", limit: 2});
        const path = found.items[0].path;
        const what = await tools.describe.tool({path});
        const spaces = await tools.catalog.namespaces({});
        const page = await tools.catalog.tools({namespace: "shop", limit: 3});
        const best = await tools.discover({query: "things list"});
        const inventory = await tools.executor.connections.list({});
        return {found, what, spaces, page, best, inventory, called: (await tools[path]({})).ok};"""
    seen = await shop.value(code)
    assert seen["found"]["items"][0]["path"] == "shop.org.main.things.list"
    assert set(seen["found"]["items"][0]) >= {"path", "name", "description", "integration", "score"}
    assert set(seen["found"]) >= {"total", "hasMore", "nextOffset"}
    assert "limit?: number" in seen["what"]["inputTypeScript"]
    assert seen["what"]["policy"]["action"] == "approve"
    assert seen["spaces"][0]["namespace"] == "shop.org.main"
    assert seen["spaces"][0]["toolCount"] == 10
    assert len(seen["page"]["items"]) == 3
    assert seen["page"]["hasMore"] is True
    assert seen["best"]["bestPath"] == "shop.org.main.things.list"
    assert seen["inventory"][0]["status"] == "connected"
    assert seen["called"] is True


async def test_an_unknown_tool_suggests_what_is_near(shop: Proxy) -> None:
    answer = await shop.value("return await tools.shop.org.main.things.lst({})")
    assert answer["error"]["code"] == "tool_not_found"
    assert "shop.org.main.things.list" in answer["error"]["details"]["suggestions"]


@pytest.mark.parametrize(
    ("call", "pointer"),
    [
        ("things.get({})", "/id"),
        ("things.get({id: {}})", "/id"),
        ("things.get({id: 't1', bogus: 1})", "/bogus"),
        ("things.list({limit: 'many'})", "/limit"),
        ("things.create({body: {}})", "/body"),
        ("things.create({body: {name: {}}})", "/body/name"),
        ("things.create({})", "/body"),
    ],
)
async def test_invalid_arguments_are_pointed_at_and_nothing_is_sent(
    shop: Proxy, api: Upstream, call: str, pointer: str
) -> None:
    before = len(api.seen)
    answer = await shop.value(f"return await tools.shop.org.main.{call}")
    assert answer["error"]["code"] == "invalid_tool_arguments"
    assert pointer in [one["pointer"] for one in answer["error"]["details"]["problems"]]
    assert len(api.seen) == before


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("return await tools.search({query: 'x', limti: 3})", "limti"),
        ("return await tools.search({query: true})", "must be a string, not true"),
        ("return await tools.describe.tool({})", "`path` is required"),
        ("return await tools.shop.org.main.things.list([1])", "must be one object"),
        ("return Object.keys(tools)", "tools.search"),
        ("return await fetch('https://example.com')", "tools"),
        ("return require('fs')", "require"),
        ("return await import('fs')", "import"),
        ("return process.env", "process"),
    ],
)
async def test_mistakes_that_no_retry_repairs_throw_and_say_what_to_do(
    shop: Proxy, code: str, says: str
) -> None:
    answer = await shop.execute(code)
    assert answer.status == "failed"
    assert says in answer.text


@pytest.mark.parametrize(
    "same",
    [
        "tools.search('things list')",
        "tools.search({query: 'things list', limit: '12', offset: ''.length + ''})",
        "tools.search({query: 'things list', limit: 12.0})",
    ],
)
async def test_a_search_means_the_same_however_it_is_spelled(shop: Proxy, same: str) -> None:
    code = f"return [(await {same}).items, (await tools.search({{query: 'things list'}})).items]"
    spelled, plain = await shop.value(code)
    assert spelled == plain
    assert plain[0]["path"] == "shop.org.main.things.list"


async def test_the_path_alone_is_enough_to_describe(shop: Proxy) -> None:
    shown = await shop.value("return await tools.describe.tool('shop.org.main.things.get')")
    assert shown["path"] == "shop.org.main.things.get"


async def test_an_error_of_the_upstream_is_a_value_with_its_status_and_body(shop: Proxy) -> None:
    answer = await shop.value("return await tools.shop.org.main.echo.fail({status: 422})")
    assert answer["ok"] is False
    assert answer["error"]["code"] == "upstream_http_error"
    assert answer["error"]["status"] == 422
    assert answer["error"]["retryable"] is False
    assert answer["error"]["details"]["body"]["headers"]["Accept"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "`code` is required"),
        ({"code": "   "}, "`code`"),
        ({"code": 5}, "`code` must be a string, not 5"),
        ({"code": "1", "timeoutMs": 5}, "`timeoutMs`"),
        ({"code": "1", "runtimeId": "python"}, "runtimeId"),
        ({"code": "1", "metadata": []}, "`metadata`"),
        ({"code": "1", "language": "ts"}, "unknown property `language`"),
        ({"code": "x" * 262_145}, "262,144"),
    ],
)
async def test_wrong_arguments_of_execute_are_told_to_the_model(
    shop: Proxy, arguments: dict[str, Any], says: str
) -> None:
    async with shop.client() as client:
        response = await post(client, "execute", arguments)
    body = response.json()
    result = body.get("result") or {"isError": True, "content": [{"text": body["error"]["message"]}]}
    assert result["isError"] is True
    assert says in result["content"][0]["text"]


# ---- time ----------------------------------------------------------------------------------------------------------
async def test_active_time_is_limited(shop: Proxy) -> None:
    answer = await shop.execute("while (true) {}", timeoutMs=200)
    assert (answer.status, answer.structured["exitCode"], answer.raw["isError"]) == ("timeout", 124, True)
    assert "0.2 s" in answer.text


async def test_waiting_for_a_timer_is_active_time(shop: Proxy) -> None:
    answer = await shop.execute("console.log('before'); await sleep(60000); return 1", timeoutMs=150)
    assert answer.status == "timeout"
    assert answer.structured["logs"] == [{"level": "log", "text": "before"}]


async def test_waiting_for_an_upstream_is_not_active_time(shop: Proxy, api: Upstream) -> None:
    """The call is held until another execution with the same limit has run out of its own time."""
    code = "return (await tools.shop.org.main.hold.wait({gate: 'patient'})).data.gate"
    waiting = asyncio.create_task(shop.execute(code, timeoutMs=400))  # noqa: TID251 - awaited below
    await asyncio.to_thread(api.arrived, "patient")
    assert (await shop.execute("await sleep(60000)", timeoutMs=400)).status == "timeout"
    api.open("patient")
    assert (await waiting).value == "patient"


async def test_fifty_calls_fly_side_by_side(shop: Proxy, api: Upstream) -> None:
    """All of them are held at gates: they can only all have arrived when none waits for another."""
    code = """
        const calls = Array.from({length: 50}, (_, i) => tools.shop.org.main.hold.wait({gate: `side${i}`}));
        return (await Promise.all(calls)).filter((call) => call.ok).length;"""
    running = asyncio.create_task(shop.execute(code))  # noqa: TID251 - awaited below
    for number in range(50):
        await asyncio.to_thread(api.arrived, f"side{number}")
    for number in range(50):
        api.open(f"side{number}")
    assert (await running).value == 50


# ---- progress, logs, cancel ----------------------------------------------------------------------------------------
@ERAS
async def test_progress_tells_of_every_inner_call(shop: Proxy, mode: str) -> None:
    heard: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    code = "await tools.shop.org.main.things.list({}); await tools.shop.org.main.things.get({id: 't1'}); return 1"
    async with shop.sdk(mode) as client:
        result = await client.call_tool("execute", {"code": code}, progress_callback=on_progress)
    assert not result.is_error
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len(heard) == 4
    assert sum("things.list" in (message or "") for _, message in heard) == 2


async def test_console_lines_are_log_messages_for_those_who_ask(shop: Proxy) -> None:
    body = envelope(
        "tools/call",
        {"name": "execute", "arguments": {"code": "console.warn('careful'); return 1"}},
        **{"io.modelcontextprotocol/logLevel": "info"},
    )
    async with shop.client() as client:
        response = await client.post("/mcp", json=body, headers=headers_of("tools/call", "execute"))
    messages = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert messages[0]["method"] == "notifications/message"
    assert messages[0]["params"]["level"] == "warning"
    assert "careful" in json.dumps(messages[0]["params"]["data"])
    assert messages[-1]["result"]["structuredContent"]["result"] == 1


@ERAS
async def test_a_client_that_cancels_kills_its_execution_and_only_that(
    shop: Proxy, api: Upstream, mode: str
) -> None:
    gate = f"cancelled-{mode}"
    before = await shop.counted("executor_executions_total", status="canceled")
    code = f"""await tools.shop.org.main.hold.wait({{gate: '{gate}'}});
        return await tools.shop.org.main.things.get({{id: '{gate}'}})"""
    async with shop.sdk(mode) as client:
        call = asyncio.create_task(client.call_tool("execute", {"code": code}))  # noqa: TID251 - cancelled below
        await asyncio.to_thread(api.arrived, gate)
        call.cancel()
        await asyncio.wait([call], timeout=LIMIT_SECONDS)
        assert call.cancelled()
        after = await client.call_tool(
            "execute", {"code": "return (await tools.shop.org.main.things.list({})).ok"}
        )
        assert (after.structured_content or {})["result"] is True
    await shop.until_counted("executor_executions_total", before + 1, status="canceled")
    api.open(gate)
    assert f"GET /things/{gate}" not in api.targets()


async def test_a_client_that_hangs_up_cancels_a_stateless_request(shop: Proxy, api: Upstream) -> None:
    before = await shop.counted("executor_executions_total", status="canceled")
    async with shop.client() as client:
        code = "await tools.shop.org.main.hold.wait({gate: 'hung-up'})"
        call = asyncio.create_task(post(client, "execute", {"code": code}))  # noqa: TID251 - cancelled below
        await asyncio.to_thread(api.arrived, "hung-up")
        call.cancel()
        await asyncio.wait([call], timeout=LIMIT_SECONDS)
    await shop.until_counted("executor_executions_total", before + 1, status="canceled")
    api.open("hung-up")
    assert (await shop.status())["leases"] == 0


# ---- the metrics say so --------------------------------------------------------------------------------------------
async def test_metrics_count_what_happened(shop: Proxy) -> None:
    await shop.execute("return await tools.shop.org.main.admin.wipe({})")
    await shop.execute("throw 1")
    assert await shop.counted("executor_executions_total", status="failed") >= 1
    assert await shop.counted("executor_tool_calls_total", integration="shop", outcome="tool_blocked") >= 1
    assert await shop.counted("executor_config_last_reload_successful") == 1


async def test_pages_are_collected_by_a_call(shop: Proxy) -> None:
    code = "return await tools.executor.paginate({path: 'tools.shop.org.main.things.list', max: 5})"
    found = await shop.value(code)
    assert (found["pages"], "next" in found) == (1, False)
    assert found["items"][0]["name"] == "bolt"
