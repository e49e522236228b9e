"""Files of other programs as drafts: everything is carried over, or it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.authoring.draft import Draft
from proxy.authoring.foreign import UnknownFormat, read_foreign

SECRET = "ghp_0123456789abcdefghij"


def drafted(text: str | dict[str, Any]) -> Draft:
    content = text if isinstance(text, str) else json.dumps(text)
    return read_foreign("file", content.encode())[1]


def client(**entry: Any) -> Draft:
    return drafted({"mcpServers": {"one": entry}})


@pytest.mark.parametrize(
    ("entry", "integration", "connection"),
    [
        ({"command": "srv", "args": ["a"]}, {"type": "local", "command": ["srv", "a"]}, {}),
        ({"command": ["srv", "a"]}, {"type": "local", "command": ["srv", "a"]}, {}),
        (
            {"command": {"path": "srv", "args": ["a"], "env": {"N": 1}}},
            {"type": "local", "command": ["srv", "a"], "environment": {"N": "1"}},
            {},
        ),
        (
            {"command": "srv", "env": {"SECRET_TOKEN": "x1", "DEBUG": True}, "cwd": "/srv"},
            {
                "type": "local",
                "command": ["srv"],
                "environment": {"SECRET_TOKEN": {"env": "SECRET_TOKEN"}, "DEBUG": "true"},
                "cwd": "/srv",
            },
            {},
        ),
        (
            {"command": "srv", "env": {"A": "${env:B}", "C": "$D_E", "F": "{env:G}", "H": "{file:k.pem}"}},
            {
                "type": "local",
                "command": ["srv"],
                "environment": {
                    "A": {"env": "B"},
                    "C": {"env": "D_E"},
                    "F": {"env": "G"},
                    "H": {"file": "k.pem"},
                },
            },
            {},
        ),
        (
            {"command": "srv", "args": ["--api-key", "s3cr3ts3", "--token=s3cr3ts4", "it's"]},
            {
                "type": "local",
                "command": [
                    "sh",
                    "-c",
                    """exec srv --api-key "$ONE_API_KEY" --token="$ONE_TOKEN" 'it'"'"'s'""",
                ],
                "environment": {"ONE_API_KEY": {"env": "ONE_API_KEY"}, "ONE_TOKEN": {"env": "ONE_TOKEN"}},
            },
            {},
        ),
        (
            {"command": "srv", "args": ["--root=${workspaceFolder}/x", "${userHome}", "${MODE}"]},
            {
                "type": "local",
                "command": ["sh", "-c", 'exec srv --root=./x "$HOME" "$MODE"'],
                "environment": {"MODE": {"env": "MODE"}},
            },
            {},
        ),
        ({"url": "https://a.example/mcp"}, {"type": "remote", "url": "https://a.example/mcp"}, {}),
        ({"serverUrl": "https://a.example/mcp"}, {"type": "remote", "url": "https://a.example/mcp"}, {}),
        (
            {"type": "sse", "url": "https://a.example/sse", "headers": {"X-Team": "core", "X-Api-Key": "k1"}},
            {
                "type": "remote",
                "url": "https://a.example/sse",
                "headers": {"X-Team": "core", "X-Api-Key": {"env": "X_API_KEY"}},
                "transport": "sse",
            },
            {},
        ),
        (
            {"url": "https://a.example/mcp", "headers": {"Authorization": f"Bearer {SECRET}"}},
            {"type": "remote", "url": "https://a.example/mcp"},
            {"auth": {"kind": "bearer", "token": {"env": "ONE_TOKEN"}}},
        ),
        (
            {"url": "https://a.example/mcp", "headers": {"authorization": "Token ${T}"}},
            {"type": "remote", "url": "https://a.example/mcp"},
            {"auth": {"kind": "header", "name": "authorization", "prefix": "Token ", "value": {"env": "T"}}},
        ),
        (
            {"url": "https://u:p4ss@a.example/mcp?api_key=k1&x=1"},
            {"type": "remote", "url": "https://a.example/mcp?x=1"},
            {
                "auth": {
                    "kind": "parts",
                    "parts": [
                        {"kind": "basic", "username": "u", "password": {"env": "ONE_PASSWORD"}},
                        {"kind": "query", "name": "api_key", "value": {"env": "ONE_API_KEY"}},
                    ],
                }
            },
        ),
        (
            {
                "url": "https://a.example/mcp",
                "oauth": {"clientId": "c1", "clientSecret": "s1"},
                "disabled": True,
            },
            {
                "type": "remote",
                "url": "https://a.example/mcp",
                "oauth": {"client_id": "c1", "client_secret": {"env": "ONE_CLIENT_SECRET"}},
                "enabled": False,
            },
            {},
        ),
    ],
)
def test_an_mcp_server(
    entry: dict[str, Any], integration: dict[str, Any], connection: dict[str, Any]
) -> None:
    draft = client(**entry)
    assert draft.integrations == {"one": {"kind": "mcp", **integration}}
    assert draft.connections == {"one.org.main": connection}
    assert draft.left == []


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({"command": "srv", "alwaysAllow": ["a"]}, "mcpServers.one.alwaysAllow: write a policy"),
        ({"command": "srv", "envFile": ".env"}, "mcpServers.one.envFile: load that file"),
        ({"command": "srv", "timeout": 5}, "mcpServers.one.timeout: clients disagree"),
        ({"command": "srv", "tools": ["a"]}, "mcpServers.one.tools: list them under `include`"),
        ({"command": "srv", "unheard": 1}, "mcpServers.one.unheard"),
        ({"command": "srv", "env": {"A": "x-${B}"}}, "`A` has a variable inside of a text"),
        ({"command": "srv", "env": {"A": "${B:-c}"}}, "the default of `A`"),
        ({"command": "srv", "env": {"A": [1]}}, "`A` is no text"),
        ({"command": "srv", "url": "https://a.example"}, "has a command and a URL"),
        ({"command": "srv", "cwd": "${workspaceFolder}/x"}, "the working directory"),
        ({"url": "https://${HOST}/mcp"}, "its URL has a variable inside"),
        ({"name": "nothing"}, "has neither a command nor a URL"),
        ({"url": "https://a.example", "oauth": {"callbackPort": 1}}, "mcpServers.one.oauth.callbackPort"),
        (
            {"url": "https://a.example", "headers": {"Authorization": "Bearer x${A}"}},
            "write the `auth` by hand",
        ),
    ],
)
def test_what_is_not_carried_over_is_said(entry: dict[str, Any], left: str) -> None:
    assert any(left in line for line in client(**entry).left)


def test_no_secret_enters_a_draft() -> None:
    entry = {
        "command": "srv",
        "args": ["--token", "canary-1", "postgres://u:canary-2@h/db", SECRET],
        "env": {"MY_KEY": "canary-3", "PASSWORD": "canary-4", "DSN": "https://u:canary-5@h/1", "GH": SECRET},
        "headers": {},
    }
    remote = {
        "url": "https://u:canary-6@h/?token=canary-7",
        "headers": {"Authorization": "canary-8", "Cookie": "canary-9"},
    }
    draft = drafted({"mcpServers": {"a": entry, "b": remote}})
    said = repr([draft.integrations, draft.connections, draft.variables, draft.left, draft.notes])
    assert "canary" not in said
    assert SECRET not in said


def test_equal_variables_with_other_values_are_kept_apart() -> None:
    servers = {
        name: {"command": "x", "env": {"API_KEY": value}}
        for name, value in (("a", "1x"), ("b", "2x"), ("c", "1x"))
    }
    draft = drafted({"mcpServers": servers})
    found = {name: entry["environment"]["API_KEY"]["env"] for name, entry in draft.integrations.items()}
    assert found == {"a": "API_KEY", "b": "B_API_KEY", "c": "API_KEY"}


def test_names_become_identifiers_and_stay_apart() -> None:
    names = ["my-api", "my_api", "search", "1st", "☃"]
    draft = drafted({"servers": {name: {"command": "x"} for name in names}})
    assert list(draft.integrations) == ["my_api", "my_api_2", "search_server", "_1st", "_"]
    assert sum("is called" in note for note in draft.notes) == len(names)


def test_inputs_of_vs_code_become_variables() -> None:
    text = """{
      // comment, with "quotes"
      "inputs": [{"id": "github-token", "type": "promptString", "description": "GitHub token", "password": true},],
      "servers": {"gh": {"type": "http", "url": "https://a.example/mcp", /* x */
                         "headers": {"Authorization": "Bearer ${input:github-token}"},},},
    }"""
    draft = drafted(text)
    assert draft.connections == {
        "gh.org.main": {"auth": {"kind": "bearer", "token": {"env": "GITHUB_TOKEN"}}}
    }
    assert draft.needed() == {"GITHUB_TOKEN": "GitHub token"}
    assert draft.left == []


@pytest.mark.parametrize("nested", [False, True])
def test_opencode(nested: bool) -> None:
    servers = {
        "local": {"type": "local", "command": ["srv"], "environment": {"A": "b"}, "timeout": 9000},
        "remote": {"type": "remote", "url": "https://a.example/mcp", "oauth": False, "enabled": False},
    }
    draft = drafted({"mcp": {"servers": servers} if nested else servers, "theme": "x"})
    assert draft.integrations["local"] == {
        "kind": "mcp", "type": "local", "command": ["srv"], "environment": {"A": "b"}, "timeout": 9000,
    }  # fmt: skip
    assert draft.integrations["remote"]["oauth"] is False
    assert draft.integrations["remote"]["enabled"] is False
    assert draft.left == ["theme: is not about MCP servers"]


def test_executor_jsonc() -> None:
    sources = [
        {
            "kind": "openapi",
            "spec": "https://a.example/openapi.json",
            "baseUrl": "https://a.example",
            "namespace": "api",
            "headers": {
                "Authorization": {"value": "secret-public-ref:my-token", "prefix": "Bearer "},
                "X-V": "1",
            },
        },
        {
            "kind": "graphql",
            "endpoint": "https://g.example/graphql",
            "namespace": "gql",
            "introspectionJson": "{}",
        },
        {
            "kind": "mcp",
            "transport": "remote",
            "name": "Remote MCP",
            "endpoint": "https://m.example/mcp",
            "auth": {"kind": "header", "headerName": "X-Api-Key", "secret": "secret-public-ref:k"},
        },
        {"kind": "mcp", "transport": "stdio", "name": "Local", "command": "npx", "args": ["-y", "x"]},
        {"kind": "openapi", "spec": '{"openapi": "3.1.0"}', "namespace": "inline"},
        {"kind": "other"},
    ]
    draft = drafted({"sources": sources, "secrets": {"my-token": {"name": "My Token"}}})
    assert draft.integrations["api"] == {
        "kind": "openapi",
        "spec": {"url": "https://a.example/openapi.json"},
        "base_url": "https://a.example",
        "headers": {"X-V": "1"},
    }
    assert draft.connections["api.org.main"] == {"auth": {"kind": "bearer", "token": {"env": "MY_TOKEN"}}}
    assert draft.integrations["gql"] == {"kind": "graphql", "endpoint": "https://g.example/graphql"}
    assert draft.connections["remote_mcp.org.main"] == {
        "auth": {"kind": "header", "name": "X-Api-Key", "value": {"env": "K"}}
    }
    assert draft.integrations["local"]["command"] == ["npx", "-y", "x"]
    assert draft.variables["MY_TOKEN"] == "secret `My Token` of Executor's store"
    assert len(draft.left) == 3  # introspectionJson, the document in the file, the unknown kind


def test_agentgateway() -> None:
    draft = drafted("""
binds:
- port: 3000
  listeners:
  - routes:
    - policies: {cors: {allowOrigins: ["*"]}}
      backends:
      - mcp:
          targets:
          - {name: everything, stdio: {cmd: npx, args: ["@modelcontextprotocol/server-everything"]}}
          - {name: remote, mcp: {host: "https://m.example/mcp"}}
          - {name: old, sse: {host: h.example, port: 8000, path: /sse}}
          - {name: petstore, openapi: {schema: {file: petstore.json}, host: p.example, port: 443}}
""")
    assert draft.integrations == {
        "everything": {
            "kind": "mcp",
            "type": "local",
            "command": ["npx", "@modelcontextprotocol/server-everything"],
        },
        "remote": {
            "kind": "mcp",
            "type": "remote",
            "url": "https://m.example/mcp",
            "transport": "streamable-http",
        },
        "old": {"kind": "mcp", "type": "remote", "url": "http://h.example:8000/sse", "transport": "sse"},
        "petstore": {"kind": "openapi", "spec": {"file": "petstore.json"}, "base_url": "https://p.example"},
    }
    assert [line.partition(":")[0] for line in draft.left] == ["binds[0].listeners[0].routes[0].policies"]


def test_gridctl() -> None:
    draft = drafted("""
version: "1"
name: stack
gateway: {code_mode: "on"}
mcp-servers:
  - {name: local, command: [npx, x], replicas: 3}
  - {name: github, image: "ghcr.io/x:1", transport: stdio, env: {GITHUB_TOKEN: "${GITHUB_TOKEN}"}}
  - {name: web, image: "x:1", port: 80}
  - {name: far, ssh: {host: h}, command: [x]}
  - {name: remote, url: "https://m.example/mcp", auth: {type: bearer, token: "${var:PAT}"}}
  - {name: notion, url: "https://n.example/mcp", auth: {type: oauth, scopes: [read]}}
  - name: petstore
    openapi: {spec: "https://p.example/o.json", baseUrl: "https://p.example", auth: {type: bearer, tokenEnv: PET}}
""")
    assert list(draft.integrations) == ["local", "github", "remote", "notion", "petstore"]
    assert draft.integrations["github"]["command"] == [
        "docker",
        "run",
        "-i",
        "--rm",
        "-e",
        "GITHUB_TOKEN",
        "ghcr.io/x:1",
    ]
    assert draft.connections["remote.org.main"] == {"auth": {"kind": "bearer", "token": {"env": "PAT"}}}
    assert draft.integrations["notion"]["oauth"] == {"scope": "read"}
    assert draft.connections["petstore.org.main"] == {"auth": {"kind": "bearer", "token": {"env": "PET"}}}
    for said in ("replicas", "(web): a container that speaks HTTP", "(far): runs over ssh", "gateway"):
        assert any(said in line for line in draft.left), said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[1]", "is neither JSON nor YAML"),
        ("a: [", "is neither JSON nor YAML"),
        ("{}", "is none of the files that are understood (it has nothing)"),
        ("{'a': 1}", "is not JSON"),
        ("name: x\n", "is none of the files that are understood (it has name)"),
        ("version: 1\nintegrations: {}\n", "is a config of Executor already"),
        ("\x00", "cannot be read"),
        ('{"mcpServers": {"a": {"command": "\\ud800"}}}', "is not JSON"),
    ],
)
def test_other_files_are_refused(text: str, why: str) -> None:
    with pytest.raises(UnknownFormat) as refused:
        drafted(text)
    assert why in str(refused.value)
