"""`executor.yaml.example` is served as it stands, once everything that it refers to is there: here, on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from graphql import build_schema, introspection_from_schema

from tests import processes
from tests.e2e.running import ROOT, Proxy, environment, serving
from tests.e2e.threaded import served

KEY = "test"  # its hash stands in the example
SERVER = ROOT / "tests" / "integrations" / "mcp" / "sdk_server.py"
ENV = {
    "GITHUB_TOKEN": "github-token-of-the-test",
    "CRM_CLIENT_SECRET": "crm-client-secret-of-the-test",
    "CRM_SANDBOX_TOKEN": "crm-sandbox-token-of-the-test",
    "DOCS_MCP_KEY": "docs-key-of-the-test",
    "STATUS_API_KEY": "status-key-of-the-test",
    "OTLP_AUTH": "otlp-header-of-the-test",
}
GITHUB = {
    "openapi": "3.1.0",
    "info": {"title": "GitHub", "version": "1"},
    "paths": {
        "/repos/{owner}/{repo}": {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in ("owner", "repo")
            ],
            "get": {"operationId": "repos/get", "responses": {"200": {"description": "ok"}}},
            "delete": {"operationId": "repos/delete", "responses": {"204": {"description": "gone"}}},
        },
        "/repos/{owner}/{repo}/issues": {
            "post": {
                "operationId": "issues/create",
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("owner", "repo")
                ],
                "responses": {"201": {"description": "made"}},
            }
        },
    },
}
STATUS = {
    "openapi": "3.0.3",
    "info": {"title": "Status", "version": "1"},
    "paths": {
        "/incidents": {"get": {"operationId": "incidents", "responses": {"200": {"description": "ok"}}}}
    },
}


class _StandIns(BaseHTTPRequestHandler):
    """Everything that the example calls over HTTP, told apart by path: answers with what it was sent."""

    def log_message(self, format: str, *args: Any) -> None:
        """Tests do not print."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        path = self.path.partition("?")[0]
        if path == "/status/openapi.json":
            body: Any = {**STATUS, "servers": [{"url": "/status"}]}
        elif path == "/oauth/token":
            body = {"access_token": "crm-access-token", "token_type": "Bearer", "expires_in": 3600}
        elif path.startswith("/crm"):
            body = {"data": {"customer": {"name": self.headers["authorization"]}}}
        else:
            body = {"authorization": self.headers["authorization"], "target": self.path}
        data = json.dumps(body).encode()
        self.send_response(404 if ".well-known" in path else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer


def stand_ins(folder: Path, base: str, docs: str) -> str:
    """The example, with references to what this machine has. Nothing else of it changes."""
    text = (ROOT / "executor.yaml.example").read_text()
    command = json.dumps([sys.executable, str(SERVER), "stdio"])
    egress = "\n    egress: {allow: [127.0.0.0/8]}"
    for there, here in {
        'command: [npx, -y, "@modelcontextprotocol/server-filesystem@2026.8.31", /data]': f"command: {command}",
        "base_url: https://api.github.com": f"base_url: {base}{egress}",
        "endpoint: https://crm.example.com/graphql": f"endpoint: {base}/crm{egress}",
        "https://crm-sandbox.example.com/graphql": f"{base}/crm",
        "url: https://mcp.example.com/docs": f"url: {docs}/mcp{egress}",
        "spec: {url: https://status.example.com/openapi.json, refresh: 24h}": (
            f"spec: {{url: {base}/status/openapi.json, refresh: 24h}}{egress}"
        ),
        "https://login.example.com": base,
        "https://otel.example.com": base,
        "issuer: https://github.com/login/oauth": f"issuer: {base}/login/oauth",
        "/run/secrets/": f"{folder}/secrets/",
        "/var/lib/executor/": f"{folder}/",
        "sink: stdout": f"sink: {{file: {folder}/audit.jsonl}}",
    }.items():
        assert there in text, f"the example has changed: {there}"
        text = text.replace(there, here)
    return text


@contextmanager
def mcp_server() -> Iterator[str]:
    """The remote MCP server; yields its origin."""
    process = subprocess.Popen([sys.executable, str(SERVER), "http"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def write_files(folder: Path) -> str:
    """The files that it names; gives the private key for signed API keys."""
    for name in ("secrets", "specs"):
        (folder / name).mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "secrets" / "api-key-public.pem").write_bytes(pem)
    (folder / "secrets" / "github-oauth").write_text("github-secret-of-the-test")
    (folder / "secrets" / "state-key").write_text(base64.b64encode(bytes(range(32))).decode())
    for file in (folder / "secrets").iterdir():
        file.chmod(0o600)
    (folder / "specs" / "github.json").write_text(json.dumps(GITHUB))
    schema = build_schema("type Query { customer: Customer } type Customer { name: String }")
    (folder / "specs" / "crm.introspection.json").write_text(json.dumps(introspection_from_schema(schema)))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def lock(config: Path, state: Path, env: Mapping[str, str]) -> None:
    """The example asks for a lock (`lock.mode`), which is made of what the stand-ins say."""
    done = processes.run("lock", "--yes", "--config", str(config), env=environment(state, env))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("example")
    env = {**ENV, "ANONYMOUS_AUTH_PRIVATE_KEY_PEM": write_files(folder)}
    with served(_StandIns) as base, mcp_server() as docs:
        (folder / "executor.yaml").write_text(stand_ins(folder, base, docs))
        lock(folder / "executor.yaml", folder / "state", env)
        with serving(folder / "executor.yaml", folder / "state", env=env) as proxy:
            yield proxy


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (
            "return (await tools.github.org.main.repos.get({owner: 'acme', repo: 'site'})).data.authorization",
            "Bearer [redacted]",
        ),
        (
            "return (await tools.crm.org.main.query.customer({})).data.customer.name",
            "Bearer [redacted]",
        ),
        ("return (await tools.crm.org.sandbox.query.customer({})).data.customer.name", "Token [redacted]"),
        (
            "return (await tools.status.org.main.incidents.getOperation({})).data.target",
            "/status/incidents?api_key=[redacted]",
        ),
        ("return (await tools.files.org.main.add({a: 1, b: 2})).ok", True),
        ("return (await tools.docs.org.main.add({a: 1, b: 2})).ok", True),
    ],
)
async def test_every_integration_of_the_example_answers(example: Proxy, code: str, result: Any) -> None:
    assert await example.value(code, token=KEY) == result
