"""A small real world for tests: an upstream in memory, a workspace around it, a live generation, a pool.

Nothing here is a mock: `Shelf` is an upstream like any other, only that its far end is a function.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from integrations.base import (
    Credential,
    CredentialPart,
    Failure,
    InvalidArguments,
    JsonObject,
    PreparedCall,
    Problem,
    Result,
    Secret,
    Success,
    ToolDefinition,
    Toolset,
    UnknownTool,
)
from integrations.conversation import Conversation, ElicitationRequest, InputNeeded
from policies import Layer, Rule, compile_policies
from proxy.calls import Calls
from proxy.catalog import Catalog, CatalogConnection, build_index
from proxy.config import Config
from proxy.connections import OpenConnection
from proxy.executions import ExecutionLimits, ExecutionOptions, ExecutionRequest, ExecutionResult, Executions
from proxy.live import Live
from proxy.principal import Principal
from proxy.sandbox import Pool, PoolOptions
from proxy.state import MemoryState, State
from proxy.workspace import Generation, IntegrationDefault, Workspace
from tests.proxy.catalog.samples import Tools, tool

Answer = Callable[[JsonObject], Awaitable[Result] | Result]
ALICE = Principal("ws", "key:alice", "key")
BOB = Principal("ws", "key:bob", "key")
TOKEN = "s3cret-t0ken/with+signs"


async def echoed(arguments: JsonObject) -> Result:
    return Success(arguments)


async def waiting(arguments: JsonObject) -> Result:
    await asyncio.Event().wait()
    return Success(None)


def broken(arguments: JsonObject) -> Result:
    raise RuntimeError(f"the cause, with {TOKEN}")


@dataclass
class Shelf:
    """An upstream of tools by name; `sent` lists what arrived, in order."""

    answers: Mapping[str, Answer]
    toolset: Toolset
    sent: list[tuple[str, JsonObject]] = field(default_factory=list)
    underway: int = 0
    most_underway: int = 0

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        for definition in self.toolset.tools:
            if definition.name == tool:
                return self._prepared(definition, arguments)
        raise UnknownTool(tool)

    def _prepared(self, definition: ToolDefinition, arguments: JsonObject) -> PreparedCall:
        if "wrong" in arguments:
            raise InvalidArguments([Problem("/wrong", "not a parameter of this operation")])
        return PreparedCall(definition, arguments, f"GET {definition.name}", None)

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        self.sent.append((call.tool.name, call.arguments))
        self.underway += 1
        self.most_underway = max(self.most_underway, self.underway)
        try:
            answer = self.answers[call.tool.name](call.arguments)
            return await answer if isinstance(answer, Awaitable) else answer
        finally:
            self.underway -= 1

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class Talking(Shelf):
    """One that may ask in the middle of a call: `things.create` and `things.list` ask who is there."""

    open: set[str] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)
    rounds: int = 1

    @property
    def status(self) -> JsonObject:
        return {"status": "connected"}

    def signed_in(self) -> None:
        raise AssertionError("nobody signs in here")

    async def settled(self, timeout_seconds: float) -> bool:
        return True

    @property
    def last_stderr(self) -> tuple[str, ...]:
        return ()

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        name = call.tool.name
        if name not in ("things.create", "things.list") or conversation.ask is None:
            return await self.invoke(call, Credential(), timeout_seconds)
        self.sent.append((name, call.arguments))
        self.open.add(name)
        try:
            heard = [await conversation.ask(self.question(number)) for number in range(self.rounds)]
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.open.discard(name)
        return Success([one.as_json() if one is not None else None for one in heard])

    def question(self, number: int) -> ElicitationRequest:
        return ElicitationRequest(f"who? ({number})", schema=WHO)


WHO: JsonObject = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOLS = (
    tool("things.get", "Get a thing"),
    tool("things.list", "List things"),
    tool("things.create", "Create a thing", risk="write"),
    tool("things.delete", "Delete a thing", risk="destructive"),
    tool("things.slow", "Never answers"),
    tool("things.broken", "Is broken"),
)


def shelf(**more: Answer) -> Shelf:
    answers: dict[str, Answer] = {each.name: echoed for each in TOOLS}
    answers |= {"things.slow": waiting, "things.broken": broken}
    answers |= {f"things.{name}": answer for name, answer in more.items()}
    return Shelf(answers, Tools(TOOLS, digest="shelf"))


def talking(rounds: int = 1) -> Talking:
    plain = shelf()
    return Talking(plain.answers, plain.toolset, rounds=rounds)


def secret_part() -> Credential:
    return Credential((CredentialPart("bearer", Secret(TOKEN)),))


def connection(
    prefix: str, upstream: Shelf | None, failure: Mapping[str, str] | None = None
) -> OpenConnection:
    integration, owner, name = prefix.split(".")
    session = upstream if isinstance(upstream, Talking) else None
    return OpenConnection(
        integration, owner, name, "openapi", "A demo", 30.0, prefix, upstream, secret_part, failure, session
    )


def workspace(
    connections: Iterable[OpenConnection], rules: Iterable[Rule] = (), number: int = 1, default: str = "all"
) -> Workspace:
    opened = {one.prefix: one for one in connections}
    listed = [_listed(one) for one in opened.values()]
    return Workspace(
        id="ws",
        name="ws",
        catalog=Catalog(listed, sha256=f"sha-{number}"),
        policies=compile_policies([Layer("policies", tuple(rules))]),
        connections=opened,
        defaults={one.integration: IntegrationDefault(default, "executor.yaml:9") for one in opened.values()},
        elicitation_mode="model",
        generation=number,
        sha256=f"sha-{number}",
    )


def _listed(one: OpenConnection) -> CatalogConnection:
    toolset = one.upstream.toolset if one.upstream is not None else None
    index = build_index(toolset) if toolset is not None else None
    status = one.status
    return CatalogConnection(
        one.integration,
        one.owner,
        one.name,
        one.kind,
        one.title,
        status["status"],
        toolset,
        index,
        status.get("error"),
    )


def generation(*spaces: Workspace, number: int = 1) -> Generation:
    config = Config.model_validate({"version": 1})
    return Generation(number, f"sha-{number}", config, {one.id: one for one in spaces}, ())


def live_with(*spaces: Workspace, number: int = 1) -> Live:
    live = Live(lambda _: None)
    live.swap(generation(*spaces, number=number))
    return live


@dataclass
class Noted:
    """An observer that keeps what it hears."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def call_started(self, seq: int, path: str) -> None:
        self.events.append(("started", seq, path))

    def undecided(self, addresses: tuple[str, ...]) -> None:
        if addresses:
            self.events.append(("undecided", *addresses))

    def call_progress(self, seq: int, path: str, text: str) -> None:
        self.events.append(("progress", seq, text))

    def call_finished(self, seq: int, path: str, ok: bool, code: str | None, ms: float) -> None:
        self.events.append(("finished", seq, ok, code))

    def log(self, level: str, text: str) -> None:
        self.events.append(("log", level, text))


@dataclass
class World:
    """A running set: run code with `run`."""

    live: Live
    upstream: Shelf
    state: State
    pool: Pool
    executions: Executions
    observer: Noted

    async def run(self, code: str, principal: Principal = ALICE, **more: Any) -> ExecutionResult:
        return await self.executions.execute(ExecutionRequest(code, **more), principal, self.observer)

    async def value(self, code: str, **more: Any) -> Any:
        """What the code returned; fails with the error otherwise."""
        result = await self.run(code, **more)
        assert result.status == "completed", result.text()
        return result.result


@asynccontextmanager
async def world(
    upstream: Shelf | None = None,
    rules: Iterable[Rule] = (),
    limits: ExecutionLimits | None = None,
    state: State | None = None,
    pool_options: PoolOptions | None = None,
    **more: Any,
) -> AsyncIterator[World]:
    upstream = upstream or shelf()
    live = live_with(workspace([connection("demo.org.main", upstream)], rules))
    state = state or MemoryState()
    fixed = limits or ExecutionLimits()
    async with Pool(pool_options or PoolOptions(workers=1, memory_bytes=256 * 1024 * 1024)) as pool:
        calls = Calls(live, state)
        options = ExecutionOptions(limits=lambda _: fixed, **more)
        executions = Executions(pool, calls, live, state, options)
        yield World(live, upstream, state, pool, executions, Noted())


def failure_code(result: Result) -> str | None:
    return result.code if isinstance(result, Failure) else None
