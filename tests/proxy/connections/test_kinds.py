"""What is shared between connections, and how each kind is spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from integrations.base import JsonObject
from integrations.openapi.config import OpenApi
from proxy.connections.kinds import document_files, source_key, spec_source
from proxy.principal import Principal
from tests.integrations.echo import Reply, echo_server
from tests.integrations.http.test_leftovers import HONEST, sending
from tests.integrations.tls import Authority, forward_proxy, tls_in_front_of
from tests.proxy.support import (
    Notice,
    call,
    config_of,
    config_text,
    connections_in,
    data_of,
    inline,
    load,
    shop,
    written,
)

RENAMED: JsonObject = {"info": {"title": "Shop", "version": "2"}}
SDL = "type Query { item(id: ID!): Item } type Item { id: ID! name: String }"


def key_of(spec: JsonObject, **more: object) -> str:
    integration = OpenApi.model_validate({"kind": "openapi", "spec": spec, **more})
    return source_key(integration, spec_source(integration))


def test_equal_sources_have_equal_keys() -> None:
    url = {"url": "https://api.example.com/openapi.json"}
    assert key_of(url, title="A") == key_of(dict(url, refresh="1h"), title="B", timeout="3s")
    assert key_of({"inline": shop()}) == key_of({"inline": shop()})


def test_what_changes_the_tools_changes_the_key() -> None:
    url = {"url": "https://api.example.com/openapi.json"}
    keys = [
        key_of(url),
        key_of({"url": "https://api.example.com/v2.json"}),
        key_of({"inline": shop()}),
        key_of({"inline": shop(**RENAMED)}),
        key_of(url, include=["items.*"]),
        key_of(url, exclude=["items.*"]),
        key_of(url, hide_parameters=["token"]),
        key_of(url, overrides=[{"op": "remove", "path": "/paths/~1items"}]),
        key_of(url, egress={"allow": ["10.0.0.0/8"]}),
        key_of(url, proxy="http://proxy.example.com:3128"),
        key_of(url, ca_bundle="ca.pem"),
        key_of(url, client_cert={"cert": "client.pem", "key": {"env": "KEY"}}),
    ]
    assert len(set(keys)) == len(keys)


def test_a_replaced_file_is_another_source(tmp_path: Path) -> None:
    file = tmp_path / "api.json"
    missing = key_of({"file": str(file)})
    file.write_text("{}")
    first = key_of({"file": str(file)})
    assert first == key_of({"file": str(file)})
    file.write_text("{ }")
    assert len({missing, first, key_of({"file": str(file)})}) == 3


def test_document_patterns_are_read_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b.graphql", "a.graphql", "c.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in document_files([f"{tmp_path}/*.graphql"])] == ["a.graphql", "b.graphql"]
    assert document_files([f"{tmp_path}/none/*.graphql"]) == ()


async def test_graphql_from_a_file_is_one_source_for_all_connections(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    (tmp_path / "schema.graphql").write_text(SDL)
    async with echo_server() as echo, connections_in(env) as connections:
        text = f"""\
version: 1
integrations:
  crm: {{kind: graphql, endpoint: "{echo.url}/graphql", introspection: {{file: schema.graphql}}}}
connections: {{crm.org.main: {{}}, crm.org.other: {{base_url: "{echo.url}/other"}}}}
"""
        opened = await connections.open(config_of(tmp_path, text))
        main, other = opened.connections["crm.org.main"], opened.connections["crm.org.other"]
        assert main.status == {"status": "connected"}
        assert main.upstream is not None
        assert other.upstream is not None
        assert main.upstream.toolset is other.upstream.toolset
        await call(other, "query.item", {"id": "1"})
        assert echo.log[-1].target == "/other"


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


async def test_an_upstream_behind_its_own_authority_and_client_certificates(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """The document and the calls go the same way; a missing key is the connection's status, a new one is used."""
    authority = Authority(tmp_path)
    server = authority.server_context(authority.issue("server", "127.0.0.1"), client_required=True)
    client = authority.issue("client")
    key = tmp_path / "secret.key"
    async with echo_server() as echo, tls_in_front_of(port_of(echo.url), server) as port:
        url = f"https://127.0.0.1:{port}"
        echo.replies["/openapi.json"] = [Reply(200, [], orjson.dumps(shop(url)))] * 3
        config = config_of(
            tmp_path,
            f"""version: 1
integrations:
  shop:
    kind: openapi
    spec: {{url: {url}/openapi.json}}
    ca_bundle: {authority.bundle.name}
    client_cert: {{cert: {client.cert.name}, key: {{file: {key.name}}}}}
connections: {{shop.org.main: {{}}}}
""",
        )
        changed = Notice()
        async with connections_in(env, changed=changed) as connections:
            first = (await connections.open(config)).connections["shop.org.main"]
            assert first.status["status"] == "failed"
            assert "secret.key" in first.status["error"]
            assert echo.log == []
            key.write_text(client.key.read_text())
            await changed.wait()
            second = (await connections.open(config)).connections["shop.org.main"]
            assert second.status == {"status": "connected"}
            data_of(await call(second, "items.list"))
            assert echo.log[-1].target == "/items"
            key.unlink()
            assert second.status["status"] == "needs_secret"


async def test_an_upstream_through_a_proxy(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo, forward_proxy({"shop.test": port_of(echo.url)}) as proxy:
        spec = f"{{kind: openapi, spec: {inline(shop('http://shop.test'))}, proxy: {proxy.url}}}"
        graph = tmp_path / "schema.graphql"
        graph.write_text(SDL)
        crm = (
            f"{{kind: graphql, endpoint: http://shop.test/graphql, introspection: {{file: {graph.name}}}, "
            f"proxy: {proxy.url}}}"
        )
        text = f"version: 1\nintegrations:\n  shop: {spec}\n  crm: {crm}\n"
        text += "connections: {shop.org.main: {}, crm.org.main: {}}\n"
        async with connections_in(env) as connections:
            opened = (await connections.open(config_of(tmp_path, text))).connections
            data_of(await call(opened["shop.org.main"], "items.list"))
            echo.replies["/graphql"] = [Reply(200, [], b'{"data": {"item": {"id": "1"}}}')]
            data_of(await call(opened["crm.org.main"], "query.item", {"id": "1"}))
        assert [line.split(" ")[1] for line in proxy.asked] == [
            "http://shop.test:80/items",
            "http://shop.test:80/graphql",
        ]


async def test_writes_with_an_idempotency_key_are_repeated(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        text = config_text(f"{inline(shop(echo.url))}\n    idempotency_key: Idempotency-Key")
        async with connections_in(env) as connections:
            opened = await connections.open(config_of(tmp_path, text))
            echo.replies["/items"] = [Reply(503, [("Retry-After", "0")]), Reply(200, [], b"{}")]
            data_of(await call(opened.connections["shop.org.main"], "items.create", {"body": {"name": "a"}}))
        keys = {seen.header("idempotency-key") for seen in echo.log}
        assert (len(echo.log), len(keys), None in keys) == (2, 1, False)


async def test_a_document_may_name_files_of_the_whole_config_directory(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """And of nothing outside of it; a document that lies elsewhere has its own directory only."""
    (tmp_path / "config" / "specs").mkdir(parents=True)
    (tmp_path / "config" / "shared.yaml").write_text("{get: {operationId: inside, responses: {}}}")
    (tmp_path / "outside.yaml").write_text("{get: {operationId: outside, responses: {}}}")
    paths = {"/in": {"$ref": "../shared.yaml"}, "/out": {"$ref": "../../outside.yaml"}}
    for folder in (tmp_path / "config" / "specs", tmp_path / "elsewhere"):
        folder.mkdir(exist_ok=True)
        (folder / "api.json").write_bytes(orjson.dumps({"openapi": "3.1.0", "paths": paths}))
    names: dict[str, list[str]] = {}
    for spec in ("specs/api.json", "../elsewhere/api.json"):
        text = config_text(f"{{file: {spec}}}")
        loaded = load(written(tmp_path / "config", text))
        assert loaded.config is not None
        async with connections_in(env) as connections:
            opened = await connections.open(loaded.config, loaded.directories)
            toolset = opened.sources["shop.org.main"].toolset
            assert toolset is not None
            names[spec] = [one.name for one in toolset.tools]
    assert names == {"specs/api.json": ["in.inside"], "../elsewhere/api.json": []}


async def test_two_connections_of_an_integration_do_not_share_an_upstream_connection(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with sending(HONEST) as (port, counts):
        text = config_text(inline(shop(f"http://127.0.0.1:{port}")))
        text = text.replace("  shop.org.main:", "  shop.org.two: {}\n  shop.org.main:")
        async with connections_in(env) as connections:
            opened = await connections.open(config_of(tmp_path, text))
            for name in ("main", "two", "main", "two", "main"):
                await call(opened.connections[f"shop.org.{name}"], "items.get", {"id": "1"})
        assert counts == [3, 2]


async def test_workspaces_share_no_connection_to_an_upstream(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with sending(HONEST) as (port, counts):
        text = config_text(inline(shop(f"http://127.0.0.1:{port}")))
        text = text.replace("  shop.org.main:", "  shop.org.two: {}\n  shop.org.main:")
        async with connections_in(env) as connections:
            opened = await connections.open(config_of(tmp_path, text))
            for space in ("red", "blue", "red", "blue", "red"):
                caller = Principal(space, "key:ann", "key")
                await call(opened.connections["shop.org.main"], "items.get", {"id": "1"}, caller)
        assert counts == [3, 2]
