"""The tools, resources and prompts that the official suite asks servers for, behind our admission and protocol legs.

The product has two tools and neither resources nor prompts. What is proven with these is the rest: the transports,
sessions, streams, questions in both eras, sealed state and headers.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from integrations.base import JsonObject
from proxy.serving.app import ServingApp
from proxy.serving.drain import Drain
from proxy.serving.http.server import serve_http
from proxy.serving.mcp import sdk
from proxy.state.memory import MemoryState
from tests.proxy.serving.board import ALICE, Board

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
MISSING_CAPABILITY = -32021
_ids = itertools.count()
_PAUSE_SECONDS = 0.05
Context = Any
Tool = Callable[[Context, types.CallToolRequestParams], Awaitable[JsonObject]]


def text(words: str, **more: Any) -> JsonObject:
    return {"content": [{"type": "text", "text": words}], **more}


def embedded(uri: str, kind: str = "text/plain", words: str = "embedded") -> JsonObject:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


IMAGE = {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def always(result: JsonObject) -> Tool:
    async def answer(context: Context, params: types.CallToolRequestParams) -> JsonObject:
        return result

    return answer


# ---- streams and questions of the handshake era -------------------------------------------------------------------
async def with_logging(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await sdk.notify(context, "notifications/message", {"level": "info", "data": words})
        await asyncio.sleep(_PAUSE_SECONDS)
    return text("logged")


async def logging_if_asked(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    meta = context.params.get("_meta")
    if sdk.wants_log(MODERN_PROTOCOL_VERSIONS[-1], meta, None, "info"):
        await sdk.notify(context, "notifications/message", {"level": "info", "data": "asked for"})
    return text("done")


async def with_progress(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    token = sdk.progress_token(context.params)
    for done in (0, 50, 100) if token is not None else ():
        step = {"progressToken": token, "progress": done, "total": 100}
        await sdk.notify(context, "notifications/progress", step)
        await asyncio.sleep(_PAUSE_SECONDS)
    return text("done")


async def ask(context: Context, method: str, params: JsonObject) -> JsonObject:
    return await sdk.ask(context, method, params, f"fixture-{next(_ids)}")


async def sampling(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    said = await ask(context, "sampling/createMessage", sample((params.arguments or {})["prompt"], 100))
    return text(f"LLM response: {said['content']['text']}")


def eliciting(schema: JsonObject, message: str = "Please answer") -> Tool:
    async def elicit(context: Context, params: types.CallToolRequestParams) -> JsonObject:
        words = (params.arguments or {}).get("message", message)
        said = await ask(context, "elicitation/create", {"message": words, "requestedSchema": schema})
        return text(f"Elicitation completed: action={said['action']}, content={said.get('content')}")

    return elicit


def form(required: bool = True, **properties: Any) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": properties}
    return {**schema, "required": list(properties)} if required else schema


def titled(*names: str, word: str = "Option") -> list[JsonObject]:
    return [{"const": name, "title": f"{word} {number}"} for number, name in enumerate(names)]


STRING: JsonObject = {"type": "string"}
THREE = ["option1", "option2", "option3"]
DEFAULTS = form(
    False,
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS = form(
    False,
    untitledSingle={"type": "string", "enum": THREE},
    titledSingle={"type": "string", "oneOf": titled("value1", "value2", "value3")},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": THREE}},
    titledMulti={"type": "array", "items": {"anyOf": titled("value1", "value2", "value3", word="Choice")}},
)


# ---- questions of 2026-07-28: a result that asks, and a call that brings the answers -------------------------------
def sample(prompt: str, tokens: int) -> JsonObject:
    said = {"role": "user", "content": {"type": "text", "text": prompt}}
    return {"messages": [said], "maxTokens": tokens}


def question(message: str, **properties: Any) -> JsonObject:
    params = {"message": message, "requestedSchema": form(**properties)}
    return {"method": "elicitation/create", "params": params}


NAME = question("What is your name?", name=STRING)
CAPITAL = {"method": "sampling/createMessage", "params": sample("What is the capital of France?", 100)}
GREETING = {"method": "sampling/createMessage", "params": sample("Generate a greeting", 50)}
ROOTS: JsonObject = {"method": "roots/list", "params": {}}
CONFIRM = question("Please confirm", ok={"type": "boolean"})


def needed(asked: JsonObject, state: str | None = None) -> JsonObject:
    found: JsonObject = {"resultType": "input_required", "inputRequests": asked}
    return found if state is None else {**found, "requestState": state}


def asking(asked: JsonObject, words: str, state: str | None = None) -> Tool:
    """Asks until every answer is there, with the state that belongs to it."""

    async def answer(context: Context, params: types.CallToolRequestParams) -> JsonObject:
        given = params.input_responses or {}
        if asked.keys() - given.keys() or params.request_state != state:
            return needed(asked, state)
        return text(f"{words}: {[one.model_dump(mode='json') for one in given.values()]}")

    return answer


async def multi_round(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    given, state = params.input_responses or {}, params.request_state
    if state == "two" and "step2" in given:
        return text(f"done: {given['step2'].model_dump(mode='json')}")
    if state == "one" and "step1" in given:
        return needed({"step2": question("Step 2: What is your favorite color?", color=STRING)}, "two")
    return needed({"step1": question("Step 1: What is your name?", name=STRING)}, "one")


def declared(context: Context) -> JsonObject:
    meta = context.params.get("_meta") or {}
    return dict(meta.get("io.modelcontextprotocol/clientCapabilities") or {})


async def by_capability(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    has, every = declared(context), {"elicitation": NAME, "sampling": CAPITAL, "roots": ROOTS}
    asked = {name: one for name, one in every.items() if name in has}
    if not asked or (params.input_responses or {}).keys() >= asked.keys():
        return text("done")
    return needed(asked)


async def demanding(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    if "sampling" not in declared(context):
        data: JsonObject = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_CAPABILITY, "This tool needs the capability `sampling`.", data)
    return text("done")


# ---- the lists -----------------------------------------------------------------------------------------------------
TOOLS: dict[str, Tool] = {
    "test_simple_text": always(text("This is a simple text response for testing.")),
    "test_image_content": always({"content": [IMAGE]}),
    "test_audio_content": always({"content": [{"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}]}),
    "test_embedded_resource": always({"content": [embedded("test://embedded-resource")]}),
    "test_multiple_content_types": always(
        {
            "content": [
                {"type": "text", "text": "Multiple content types test:"},
                IMAGE,
                embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
            ]
        }
    ),
    "test_error_handling": always(text("This tool intentionally returns an error for testing", isError=True)),
    "test_tool_with_logging": with_logging,
    "test_tool_with_progress": with_progress,
    "test_logging_tool": logging_if_asked,
    "test_sampling": sampling,
    "test_elicitation": eliciting(form(username=STRING, email=STRING)),
    "test_elicitation_sep1034_defaults": eliciting(DEFAULTS),
    "test_elicitation_sep1330_enums": eliciting(ENUMS),
    "test_missing_capability": demanding,
    "test_streaming_elicitation": asking({"user_name": NAME}, "streamed"),
    "test_input_required_result_elicitation": asking({"user_name": NAME}, "Hello"),
    "test_input_required_result_sampling": asking({"capital_question": CAPITAL}, "said"),
    "test_input_required_result_list_roots": asking({"client_roots": ROOTS}, "roots"),
    "test_input_required_result_request_state": asking({"confirm": CONFIRM}, "state-ok", "kept"),
    "test_input_required_result_multiple_inputs": asking(
        {"user_name": NAME, "greeting": GREETING, "client_roots": ROOTS}, "all", "kept"
    ),
    "test_input_required_result_multi_round": multi_round,
    "test_input_required_result_tampered_state": asking({"confirm": CONFIRM}, "done", "kept"),
    "test_input_required_result_capabilities": by_capability,
}
TEXT = {"uri": "test://static-text", "name": "text", "mimeType": "text/plain"}
BINARY = {"uri": "test://static-binary", "name": "binary", "mimeType": "image/png"}
WATCHED = {"uri": "test://watched-resource", "name": "watched", "mimeType": "text/plain"}
TEMPLATE = {"uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json"}
ARGUMENTS = [{"name": f"arg{number}", "description": "any text", "required": True} for number in (1, 2)]
PROMPTS: list[JsonObject] = [
    {"name": "test_simple_prompt", "description": "simple"},
    {"name": "test_prompt_with_arguments", "description": "with arguments", "arguments": ARGUMENTS},
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "with a resource",
        "arguments": [{"name": "resourceUri", "description": "any URI", "required": True}],
    },
    {"name": "test_prompt_with_image", "description": "with an image"},
    {"name": "test_input_required_result_prompt", "description": "asks first"},
]
CACHED = {"ttlMs": 1000, "cacheScope": "private"}


def tool(name: str) -> JsonObject:
    return {
        "name": name,
        "description": f"{name} of the conformance suite",
        "inputSchema": {"type": "object"},
    }


def is_modern(context: Context) -> bool:
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def lists(context: Context, **found: list[JsonObject]) -> JsonObject:
    return {**found, **(CACHED if is_modern(context) else {})}


def typed(handler: Any) -> Any:
    """A plain result as 2026-07-28 wants it: it says whether it is complete."""

    async def answer(context: Context, params: Any) -> Any:
        result = await handler(context, params)
        return (
            {"resultType": "complete", **result}
            if is_modern(context) and isinstance(result, dict)
            else result
        )

    return answer


async def call_tool(context: Context, params: types.CallToolRequestParams) -> JsonObject:
    if params.name not in TOOLS:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
    return await TOOLS[params.name](context, params)


async def read_resource(context: Context, params: types.ReadResourceRequestParams) -> JsonObject:
    uri = str(params.uri)
    parts = {"test://static-text": {"text": "This is the content of the static text resource."}}
    parts |= {"test://static-binary": {"blob": PIXEL}, "test://watched-resource": {"text": "watched"}}
    if uri.startswith("test://template/"):
        parts[uri] = {"text": f'{{"id":"{uri.split("/")[3]}","templateTest":true}}'}
    if uri not in parts:
        raise MCPError(types.INVALID_PARAMS, f"Resource not found: {uri}", {"uri": uri})
    kind = next((one["mimeType"] for one in (TEXT, BINARY) if one["uri"] == uri), "application/json")
    return lists(context, contents=[{"uri": uri, "mimeType": kind, **parts[uri]}])


async def get_prompt(context: Context, params: types.GetPromptRequestParams) -> JsonObject:
    given = params.arguments or {}
    said: list[Any] = [{"type": "text", "text": "This is a simple prompt for testing."}]
    if params.name == "test_input_required_result_prompt" and not params.input_responses:
        return needed({"user_context": question("What context should the prompt use?", context=STRING)})
    if params.name == "test_prompt_with_arguments":
        words = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
        said = [{"type": "text", "text": words}]
    if params.name == "test_prompt_with_embedded_resource":
        said = [embedded(str(given.get("resourceUri"))), {"type": "text", "text": "Please process it."}]
    if params.name == "test_prompt_with_image":
        said = [IMAGE, {"type": "text", "text": "Please analyze it."}]
    return {"messages": [{"role": "user", "content": one} for one in said]}


def install(server: Server[Any]) -> None:
    """In the place of what the product serves."""

    async def nothing(context: Context, params: Any) -> JsonObject:
        return {}

    async def discover(context: Context, params: Any) -> types.DiscoverResult:
        return types.DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS),
            capabilities=types.ServerCapabilities(
                tools=types.ToolsCapability(list_changed=True),
                resources=types.ResourcesCapability(),
                prompts=types.PromptsCapability(),
                completions=types.CompletionsCapability(),
            ),
        )

    def listing(**found: list[JsonObject]) -> Any:
        async def listed(context: Context, params: Any) -> JsonObject:
            return lists(context, **found)

        return listed

    async def complete(context: Context, params: Any) -> JsonObject:
        return {"completion": {"values": ["test"], "total": 1, "hasMore": False}}

    page = types.PaginatedRequestParams

    def add(method: str, kind: Any, handler: Any) -> None:
        server.add_request_handler(method, kind, typed(handler))

    add("tools/list", page, listing(tools=[tool(name) for name in TOOLS]))
    add("tools/call", types.CallToolRequestParams, call_tool)
    add("resources/list", page, listing(resources=[TEXT, BINARY, WATCHED]))
    add("resources/templates/list", page, listing(resourceTemplates=[TEMPLATE]))
    add("resources/read", types.ReadResourceRequestParams, read_resource)
    add("resources/subscribe", types.SubscribeRequestParams, nothing)
    add("resources/unsubscribe", types.UnsubscribeRequestParams, nothing)
    add("prompts/list", page, listing(prompts=PROMPTS))
    add("prompts/get", types.GetPromptRequestParams, get_prompt)
    add("completion/complete", types.CompleteRequestParams, complete)
    add("server/discover", types.RequestParams, discover)


class OpenBoard(Board):
    """Lets everybody in: the suite brings no key."""

    async def authenticate(self, request: Any, peer_ip: str) -> Any:
        return ALICE


async def main(shutdown: asyncio.Event) -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    drain = Drain()
    app = ServingApp(OpenBoard(limit=1_000_000), drain, MemoryState(clock=time.time))
    install(app._legacy._server)
    await serve_http(app, host="127.0.0.1", port=0, shutdown=shutdown, bound=said)


def said(port: int) -> None:
    sys.stdout.write(f"http://127.0.0.1:{port}/mcp\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(asyncio.Event()))
