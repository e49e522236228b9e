from __future__ import annotations

import pytest

from integrations.base import JsonObject
from integrations.openapi.servers import absolute, all_origins, bind_servers
from tests.integrations.openapi.documents import compiled

SOURCE = "https://docs.example.com/api/openapi.json"


def urls(
    root: JsonObject,
    item: JsonObject | None = None,
    operation: JsonObject | None = None,
    source: str | None = SOURCE,
) -> list[str]:
    return [server.url for server in bind_servers(root, item or {}, operation or {}, source)]


def listed(*names: str) -> JsonObject:
    return {"servers": [{"url": name} for name in names]}


def test_the_nearest_servers_win() -> None:
    assert urls(listed("https://r"), listed("https://p"), listed("https://o")) == ["https://o"]
    assert urls(listed("https://r"), listed("https://p")) == ["https://p"]
    assert urls(listed("https://r"), {"servers": []}) == ["https://r"]


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("/v1", "https://docs.example.com/v1"), ("v1", "https://docs.example.com/api/v1"), ("https://x/{a}", "https://x/{a}"),
        ("//y.example/z", "https://y.example/z"), ("/{ver}/b", "https://docs.example.com/{ver}/b"), ("{proto}://x", "{proto}://x"),
    ],
)  # fmt: skip
def test_relative_servers(url: str, result: str) -> None:
    assert absolute(url, SOURCE) == result


def test_no_servers_are_the_root_of_the_document() -> None:
    assert urls({}) == ["https://docs.example.com/"]
    assert urls({}, source=None) == ["/"]


def test_swagger_host_base_path_and_schemes() -> None:
    root = {"swagger": "2.0", "host": "a.example:8443", "basePath": "v1", "schemes": ["http", "https", "ws"]}
    assert urls(root) == ["https://a.example:8443/v1", "http://a.example:8443/v1"]
    assert urls({"swagger": "2.0"}) == ["https://docs.example.com/"]
    assert urls({"swagger": "2.0", "basePath": "/v1"}, source=None) == ["/v1"]


def test_origins_are_those_of_declared_values() -> None:
    entry = {
        "url": "{scheme}://{host}.example.com:{port}/{path}",
        "variables": {
            "scheme": {"default": "https"}, "host": {"default": "eu", "enum": ["eu", "us"]},
            "port": {"default": 443, "enum": [443, 8443]}, "path": {"default": "a"}, "flag": {"default": True},
        },
    }  # fmt: skip
    (server,) = bind_servers({"servers": [entry]}, {}, {}, None)
    assert server.expand({"host": "us", "port": "8443"}) == "https://us.example.com:8443/a"
    assert set(server.origins()) == {
        f"https://{host}.example.com{port}" for host in ("eu", "us") for port in ("", ":8443")
    }


def test_all_origins_of_a_document() -> None:
    get: JsonObject = {"responses": {}}
    document: JsonObject = {
        "openapi": "3.1.0",
        "servers": [
            {"url": "https://{at}.example", "variables": {"at": {"default": "a", "enum": ["a", "b"]}}}
        ],
        "paths": {
            "/root": {"get": get},
            "/item": {"servers": [{"url": "https://item.example/v1"}], "get": get},
            "/operation": {
                "get": {**get, "servers": [{"url": "http://op.example:8080"}, {"url": "../here"}]}
            },
        },
    }
    assert all_origins(compiled(document), SOURCE) == {
        "https://a.example",
        "https://b.example",
        "https://item.example",
        "http://op.example:8080",
        "https://docs.example.com",
    }


def test_all_origins_of_a_swagger_document() -> None:
    get: JsonObject = {"responses": {}, "schemes": ["http"]}
    document: JsonObject = {
        "swagger": "2.0",
        "host": "api.example",
        "schemes": ["https"],
        "paths": {"/x": {"get": get}},
    }
    assert all_origins(compiled(document), SOURCE) == {"https://api.example", "http://api.example"}
