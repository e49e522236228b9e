"""Config files with an OpenAPI document in them, and what is built from them. Everything here is real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Failure, JsonObject, Result, Success
from integrations.http import HttpClient
from proxy.app.build import build_generation
from proxy.app.local import open_live
from proxy.app.paths import cache_dir
from proxy.config import Config, LoadedConfig, load_config
from proxy.config.secrets import Resolver
from proxy.connections import Connections, OpenConnection, Opened
from proxy.connections.oauth.access import SignInUrl
from proxy.connections.sources import Patience
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import State
from proxy.tasks import TaskSupervisor
from proxy.telemetry.logs import TextFormatter
from proxy.workspace import Generation

# Far beyond what anything takes: machines that run tests are busy.
LIMIT_SECONDS = 60
# Tests of retries wait for events; the pauses before them are no part of what is tested.
IMPATIENT = Patience(first_load_seconds=LIMIT_SECONDS, first_retry_seconds=0.01, last_retry_seconds=0.02)

_ITEM = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


@asynccontextmanager
async def supervised() -> AsyncIterator[TaskSupervisor]:
    """A supervisor whose tasks end with the block."""
    tasks = TaskSupervisor()
    try:
        yield tasks
    finally:
        await tasks.close()


def _answers(schema: JsonObject | None = None) -> JsonObject:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"200": {"description": "ok", **content}}


def shop(url: str = "http://127.0.0.1:9", **parts: Any) -> JsonObject:
    """A small document: `items.list|get|create|delete`. `parts` are laid over its top level."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": url}],
        "paths": {
            "/items": {
                "get": {
                    "operationId": "items.list",
                    "summary": "List items",
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "responses": _answers({"type": "array", "items": _ITEM}),
                },
                "post": {
                    "operationId": "items.create",
                    "summary": "Create an item",
                    "requestBody": {"content": {"application/json": {"schema": _ITEM}}},
                    "responses": _answers(_ITEM),
                },
            },
            "/items/{id}": {
                "get": {
                    "operationId": "items.get",
                    "summary": "Get one item",
                    "parameters": [_ID],
                    "responses": _answers(_ITEM),
                },
                "delete": {
                    "operationId": "items.delete",
                    "summary": "Delete an item",
                    "deprecated": True,
                    "parameters": [_ID],
                    "responses": _answers(),
                },
            },
        },
        **parts,
    }


def inline(document: JsonObject) -> str:
    """A document as the value of `spec:`, on one line."""
    return json.dumps({"inline": document})


def config_text(spec: str | None = None, *, connection: str = "{}", more: str = "") -> str:
    """A config with the integration `shop` (line 3) and the connection `shop.org.main`; `more` comes after."""
    return f"""\
version: 1
integrations:
  shop:
    kind: openapi
    description: A little shop
    spec: {spec or inline(shop())}
connections:
  shop.org.main: {connection}
{more}"""


# Nothing listens at port 9 ("discard") of a test machine.
DOWN_URL = "http://127.0.0.1:9/api.json"
DOWN_ERROR = f"{DOWN_URL}: cannot connect to http://127.0.0.1:9: "


def with_a_connection_down() -> str:
    """A config like `config_text`'s, and `crm.org.main`, whose document cannot be fetched."""
    spec = f"{inline(shop())}\n  crm: {{kind: openapi, spec: {{url: {DOWN_URL}}}}}"
    return config_text(spec, more="  crm.org.main: {}\n")


def written(folder: Path, text: str, name: str = "executor.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(path: Path, env: Mapping[str, str] | None = None) -> LoadedConfig:
    """Load a config that must be valid; `env` is judged only when it is given."""
    loaded = load_config([path], env=env)
    assert loaded.config is not None, [(one.code, one.line, one.message) for one in loaded.diagnostics]
    return loaded


def config_of(folder: Path, text: str, name: str = "executor.yaml") -> Config:
    config = load(written(folder, text, name)).config
    assert config is not None
    return config


@asynccontextmanager
async def serving(
    folder: Path, text: str, env: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> AsyncIterator[Live]:
    """A live generation of a config text. `env` says where the cache is, `secrets` are further variables."""
    async with open_live(load(written(folder, text)), {**env, **(secrets or {})}) as live:
        yield live


class Notice:
    """Counts calls of `changed`, and lets tests wait for one."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._rung.set()

    async def wait(self) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._rung.wait()
        self._rung.clear()


@asynccontextmanager
async def connections_in(
    env: Mapping[str, str],
    *,
    changed: Notice | None = None,
    patience: Patience = IMPATIENT,
    secrets: Mapping[str, str] | None = None,
    origins: Path | None = None,
    state: State | None = None,
    tasks: TaskSupervisor | None = None,
    page: SignInUrl = lambda prefix, account: None,
) -> AsyncIterator[Connections]:
    heard = changed or Notice()
    async with (
        HttpClient() as http,
        Connections(
            http, Resolver(secrets or {}), cache_dir(env), heard, patience, origins, state, page, tasks
        ) as opened,
    ):
        yield opened


async def call(
    connection: OpenConnection,
    tool: str,
    arguments: JsonObject | None = None,
    principal: Principal | None = None,
) -> Result:
    """Prepare and invoke, as `proxy.calls` does."""
    assert connection.upstream is not None, connection.status
    prepared = connection.upstream.prepare(tool, arguments or {})
    return await connection.invoke(prepared, LIMIT_SECONDS, principal)


def data_of(result: Result) -> Any:
    assert isinstance(result, Success), result
    return result.data


def failure_of(result: Result) -> Failure:
    assert isinstance(result, Failure), result
    return result


@asynccontextmanager
async def opened(loaded: LoadedConfig, env: Mapping[str, str]) -> AsyncIterator[Opened]:
    """The connections of a config, open inside the block."""
    assert loaded.config is not None
    async with connections_in(env) as connections:
        yield await connections.open(loaded.config, loaded.directories)


async def generation_of(folder: Path, text: str, env: Mapping[str, str], number: int = 1) -> Generation:
    """A generation to look at; its upstreams are closed already."""
    loaded = load(written(folder, text))
    assert loaded.config is not None
    async with connections_in(env) as connections:
        return build_generation(loaded, await connections.open(loaded.config), number)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, with its fields, as text."""
    return "\n".join(TextFormatter().format(record) for record in caplog.records)
