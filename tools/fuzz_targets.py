"""What reads bytes from outside, and how each may refuse them. Any other exception is a finding.

A target takes bytes and returns nothing; `refusals` are the exceptions that say in plain words what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from mcp_types import CallToolResult, jsonrpc_message_adapter
from pydantic import ValidationError

from integrations.base import Secret, SourceError
from integrations.graphql.convert import read_operations, schema_from_sdl
from integrations.graphql.introspection import schema_in_file
from integrations.graphql.pruning import pruned
from integrations.graphql.schema import read_schema
from integrations.mcp.errors import McpError
from integrations.mcp.messages import EventRepair, error_for, for_sdk
from integrations.mcp.results import interpret
from integrations.mcp.stdio import LineSplitter
from integrations.openapi.compile import compile_document
from proxy.config import load_config
from proxy.executions.machine.journal import CorruptJournal, decode
from proxy.sandbox.frames import FrameReader, FrameTooLarge
from proxy.sandbox.messages import ProtocolError, decode_message
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.http.origins import HostRules
from proxy.serving.mcp.elicitation import Forged, Seals, SentElicitation
from proxy.serving.mcp.jsonrpc import parse
from proxy.serving.pages.guard import SignInCookie
from proxy.state.keys import KeyRing
from proxy.state.packing import unpack
from proxy.state.records import StateUnreadable

_KEYS: Final = (Secret("a-key-for-fuzzing-only"),)
_LIMIT: Final = 1 << 20
Run = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """`weight` is its part of all cases; `max_ms` is what one case of at most 4 kB may take."""

    name: str
    run: Run
    refusals: tuple[type[BaseException], ...]
    seeds: tuple[bytes, ...]
    weight: int = 1
    max_ms: int = 2000


def _config(data: bytes) -> None:
    load_config(["-"], env={}, stdin=data)


def _openapi(data: bytes) -> None:
    compile_document(data, "fuzzed")


def _sdl(data: bytes) -> None:
    found = schema_in_file(data, "fuzzed")
    if found is None:
        found = orjson.loads(schema_from_sdl(data, "fuzzed"))["__schema"]
    read_schema(pruned(found, "fuzzed")[0], "fuzzed")


_SCHEMA: Final = b"""type Query { a(x: Int, in: In): A b: [B!]! } type A { id: ID! b: B } union U = A | B
interface N { id: ID } type B implements N { id: ID u: U e: E } enum E { ONE TWO } input In { x: [Int!] = [1] }"""


def _operations(data: bytes) -> None:
    introspection = orjson.loads(schema_from_sdl(_SCHEMA, "fuzzed"))
    read_operations(introspection, [["fuzzed.graphql", data.decode("utf-8", "replace")]], "fuzzed")


def _frames(data: bytes) -> None:
    reader = FrameReader(_LIMIT)
    for start in range(0, len(data), 7):
        for payload in reader.feed(data[start : start + 7]):
            decode_message(payload)


def _message(data: bytes) -> None:
    decode_message(data)


def _json_rpc(data: bytes) -> None:
    parse(data)


def _events(data: bytes) -> None:
    lost: list[Any] = []
    repair = EventRepair(_LIMIT, lost.append)
    for start in range(0, len(data), 11):
        repair.feed(data[start : start + 11])
    repair.finish()


def _mcp_lines(data: bytes) -> None:
    splitter = LineSplitter(_LIMIT)
    for start in range(0, len(data), 13):
        for line in splitter.feed(data[start : start + 13]):
            _mcp_message(line)


def _mcp_message(data: bytes) -> None:
    try:
        ready = for_sdk(data)
    except McpError as error:
        error_for(data, error)
        raise
    result = getattr(jsonrpc_message_adapter.validate_json(ready), "result", None)
    if isinstance(result, dict):
        CallToolResult.model_validate(result)
        interpret("tools/call", result, "fuzzed")


def _journal(data: bytes) -> None:
    decode(data)


def _packed(data: bytes) -> None:
    list(unpack(data))


def _request(data: bytes) -> None:
    """A line for each header, the first one is the query."""
    query, *lines = data.split(b"\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines)]
    scope: Any = {"method": "GET", "path": "/mcp", "headers": headers, "query_string": query, "client": None}
    request = HttpRequest.of(scope)
    rules = HostRules.build("127.0.0.1", None, (), ("https://a.example",), ("10.0.0.0/8",))
    rules.check(request)
    rules.client_ip(request)
    SignInCookie(Seals(_KEYS), lambda request: False, lambda: 0.0).read(request)


def _sealed(data: bytes) -> None:
    text = data.decode("latin-1")
    SentElicitation.opened(Seals(_KEYS), text)
    Seals(_KEYS).open("request state", text)


def _stored(data: bytes) -> None:
    KeyRing(_KEYS).open(data, "result", "ref")


def _seal(purpose: str, body: Any) -> bytes:
    return Seals(_KEYS).close(purpose, orjson.dumps(body)).encode()


_SEED_CONFIG: Final = b"""version: 1
server: {listen: 127.0.0.1:8080, reload: {settle: 50ms}}
integrations:
  shop:
    kind: openapi
    spec: {file: shop.json}
    retry: &r {attempts: 2}
  wiki: {kind: graphql, endpoint: "https://a.example/q", retry: *r, selection: {depth: 2}}
  local: {kind: mcp, type: local, command: [server, --x], environment: {TOKEN: {env: T}}}
connections:
  shop.org.main: {auth: {kind: bearer, token: {env: TOKEN}}}
policies:
  - {pattern: "shop.org.main.*", action: require_approval, when: {body.amount: {gt: 10}}}
rate_limits: {a: {per: account, of: tool_calls, rate: 10/minute}}
"""
_SEED_OPENAPI: Final = orjson.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://{h}.example/v1", "variables": {"h": {"default": "a", "enum": ["a"]}}}],
        "paths": {
            "/items/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {
                    "operationId": "items.get",
                    "parameters": [{"$ref": "#/components/parameters/Limit"}],
                    "responses": {
                        "200": {
                            "description": "",
                            "content": {
                                "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
                            },
                        }
                    },
                },
                "post": {
                    "requestBody": {
                        "content": {
                            "multipart/form-data": {
                                "schema": {
                                    "type": "object",
                                    "properties": {"file": {"type": "string", "format": "binary"}},
                                }
                            }
                        }
                    },
                    "responses": {},
                },
            }
        },
        "components": {
            "parameters": {
                "Limit": {
                    "name": "limit",
                    "in": "query",
                    "style": "deepObject",
                    "schema": {"type": "integer", "maximum": 9},
                }
            },
            "schemas": {
                "Item": {
                    "type": ["object", "null"],
                    "allOf": [{"$ref": "#/components/schemas/Item"}],
                    "discriminator": {"propertyName": "kind"},
                    "properties": {"kind": {"const": "a"}},
                }
            },
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X"}},
        },
    }
)
_SEED_SWAGGER: Final = (
    b"swagger: '2.0'\ninfo: {title: a, version: '1'}\nhost: a.example\npaths:\n  /a:\n    get:\n"
    b"      parameters: [{name: q, in: query, type: array, items: {type: string}, collectionFormat: csv}]\n"
    b"      responses: {200: {description: ok, schema: {type: object}}}\n"
)
_SEED_BLOCKED: Final = orjson.dumps(
    {
        "t": "blocked",
        "wake": 5,
        "calls": [{"seq": 0, "path": "a.b.c", "args": {"x": [1, "a"]}}],
        "logs": [["log", "text"]],
        "emits": [{"a": None}],
    }
)
_SEED_DONE: Final = orjson.dumps(
    {
        "t": "done",
        "ok": False,
        "calls": [],
        "logs": [],
        "emits": [],
        "error": {"name": "E", "message": "m", "stack": "s", "kind": "error", "line": 1, "column": None},
    }
)
_SEED_REQUEST: Final = orjson.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute", "arguments": {"code": "1"}, "_meta": {"progressToken": 1}},
    }
)
_SEED_RESULT: Final = orjson.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "content": [
                {"type": "text", "text": '{"a": 1}'},
                {"type": "image", "data": "AA==", "mimeType": "image/png"},
            ],
            "structuredContent": {"a": 1},
            "isError": False,
        },
    }
)
_SEED_ERROR: Final = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}'
_APPROVAL: Final = {
    "kind": "approval",
    "id": "i1",
    "binding": ["a"],
    "address": "a.b.c",
    "summary": "s",
    "arguments": "{}",
    "rule": {"id": "r", "source": "s", "pattern": "*", "approver": "any"},
}
_SEED_JOURNAL: Final = (
    orjson.dumps({"r": "call", "seq": 0, "path": "a.b.c", "digest": "d", "clock": 1.0}),
    orjson.dumps({"r": "end", "seq": 0, "outcome": {"ok": True, "data": [1]}, "clock": 2.0}),
    orjson.dumps({"r": "hold", "seq": 0, "path": "a.b.c", "digest": "d", "ask": _APPROVAL}),
    orjson.dumps({"r": "timer", "clock": 3.0}),
    orjson.dumps({"r": "start", "v": 1, "code": "1", "seed": "00", "clock": 0.0}),
)
_SEED_COOKIE: Final = b"a=1\nhost: a:80\ncookie: x=1; executor-80=" + _seal(
    "page sign-in", {"credential": "c", "workspace": None, "csrf": "t", "until": 9e9}
)

_SEED_OPERATION: Final = (
    b"query Q($x: Int) { a(x: $x) { id ...F } } fragment F on A { b { u { ... on B { e } } } }"
)
_SEED_EVENTS: Final = b"event: message\nid: 1\ndata: " + _SEED_RESULT + b"\n\n: c\r\rdata\n\n"
_SEED_HEADERS: Final = b"a=%ff&a=2\nhost: [::1]:80\norigin: null\nx-forwarded-for: 1.2.3.4, ::1"

FUZZ_TARGETS: Final = (
    FuzzTarget("config", _config, (), (_SEED_CONFIG,), weight=1),
    FuzzTarget("openapi", _openapi, (SourceError, RecursionError), (_SEED_OPENAPI, _SEED_SWAGGER), weight=2),
    FuzzTarget("sdl", _sdl, (SourceError, RecursionError), (_SCHEMA,), weight=1),
    FuzzTarget("operations", _operations, (SourceError, RecursionError), (_SEED_OPERATION,), weight=1),
    FuzzTarget(
        "frames",
        _frames,
        (ProtocolError, FrameTooLarge),
        tuple(len(one).to_bytes(4, "big") + one for one in (_SEED_BLOCKED, _SEED_DONE)),
        weight=12,
    ),
    FuzzTarget("messages", _message, (ProtocolError,), (_SEED_BLOCKED, _SEED_DONE), weight=16),
    FuzzTarget("json-rpc", _json_rpc, (RequestRefusal,), (_SEED_REQUEST, _SEED_ERROR), weight=16),
    FuzzTarget("events", _events, (), (_SEED_EVENTS,), weight=8),
    FuzzTarget(
        "mcp", _mcp_message, (McpError, ValidationError), (_SEED_RESULT, _SEED_ERROR, _SEED_REQUEST), weight=8
    ),
    FuzzTarget(
        "mcp-lines",
        _mcp_lines,
        (McpError, ValidationError),
        (_SEED_RESULT + b"\n" + _SEED_ERROR + b"\n",),
        weight=8,
    ),
    FuzzTarget("journal", _journal, (CorruptJournal,), _SEED_JOURNAL, weight=12),
    FuzzTarget("packed", _packed, (ValueError,), (b"\0\0\0\3abc\0\0\0\0",), weight=4),
    FuzzTarget("request", _request, (RequestRefusal,), (_SEED_COOKIE, _SEED_HEADERS), weight=4),
    FuzzTarget(
        "sealed",
        _sealed,
        (Forged,),
        (
            _seal("request state", ["exec_1", [["q", "approval", False]]]),
            _seal("elicitation", ["e", "q", "k", True, None]),
        ),
        weight=4,
    ),
    FuzzTarget(
        "stored", _stored, (StateUnreadable,), (KeyRing(_KEYS).seal(b"text", "result", "ref"),), weight=4
    ),
)
"""Weights add up to about 100: cases, not time. Documents and configs take milliseconds, the others microseconds."""
