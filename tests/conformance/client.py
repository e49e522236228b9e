"""The client under test in the official conformance suite: `executor serve`, signed in to from the command line.

The suite runs `python -m tests.conformance.client URL` and plays the MCP server and its authorization server. Here a
config is written for that URL, a server is started, somebody signs in through a browser without a person, and every
tool is called. Exit code 0 when a tool was called, 1 when it could not be: the suite judges by what it has seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.e2e.running import Proxy, environment, serving, spawn

CONNECTION = "it.org.main"
LIMIT_SECONDS = 10.0
_SIGN_INS = 4
SAMPLES = {"number": 1, "integer": 1, "string": "x", "boolean": True, "array": [], "object": {}}


def main() -> int:
    url, scenario = sys.argv[-1], os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config, env = config_for(url, scenario, context, place)
        file = place / "executor.yaml"
        file.write_text(json.dumps(config))
        with serving(file, place / "state", env=env) as proxy:
            done = asyncio.run(use(proxy, place))
            sys.stderr.write(proxy.err.text + "\n")
            return 0 if done else 1


def config_for(
    url: str, scenario: str, context: dict[str, Any], place: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """What an operator would write for this server, and the variables that it names."""
    oauth: dict[str, Any] = {}
    auth: dict[str, Any] = {"kind": "none"}
    env: dict[str, str] = {}
    if "client_secret" in context:
        env["CLIENT_SECRET"] = context["client_secret"]
        oauth = {
            "client_id": context["client_id"],
            "client_secret": {"env": "CLIENT_SECRET"},
            "issuer": issuer_of(url),
        }
    if scenario.startswith("auth/client-credentials"):
        auth = {"kind": "oauth2", "grant": "client_credentials", "client_id": context["client_id"]}
        auth |= {"issuer": issuer_of(url)}
        if "private_key_pem" in context:
            env["CLIENT_KEY"] = context["private_key_pem"]
            auth |= {
                "private_key": {"env": "CLIENT_KEY"},
                "algorithm": context.get("signing_algorithm", "ES256"),
            }
        else:
            auth |= {"client_secret": {"env": "CLIENT_SECRET"}}
        oauth = {}
    if scenario == "auth/basic-cimd":
        oauth = {"client_id": "https://conformance-test.local/client-metadata.json"}
    server = {
        "kind": "mcp",
        "type": "remote",
        "url": url,
        "timeout": 15_000,
        # The suite's authorization servers are on this machine; no upstream may lead there without leave.
        "egress": {"allow": ["localhost", "127.0.0.0/8", "::1/128"]},
        **({"oauth": oauth} if oauth else {}),
    }
    return {
        "version": 1,
        "integrations": {"it": server},
        "connections": {CONNECTION: {"auth": auth}},
        "policies": [{"pattern": "*", "action": "approve"}],
        "state": {"backend": "memory"},
    }, env


def issuer_of(url: str) -> str:
    """What the operator of a registered client knows: who registered it."""
    parts = urlsplit(url)
    for place in (f"{parts.path}", ""):
        known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{place}"
        answer = httpx2.get(known, trust_env=False)
        if answer.status_code == 200:
            return str(answer.json()["authorization_servers"][0])
    raise SystemExit("no protected resource metadata")


async def use(proxy: Proxy, place: Path) -> bool:
    for _ in range(_SIGN_INS):
        if not await ready(proxy) and not sign_in(proxy, place):
            return False
        if not await ready(proxy, LIMIT_SECONDS):
            # The server takes no token of this authorization server any more: it may name another one by now.
            continue
        again = await call_all(proxy)
        if again is None:
            return True
        if not sign_in(proxy, place):
            return False
    return False


async def ready(proxy: Proxy, seconds: float = 0.0) -> bool:
    """Whether the connection is connected, or becomes so within this time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    async with proxy.client() as client:
        while True:
            (row,) = (await client.get("/api/connections")).json()["items"]
            if row["status"] == "connected" and row["toolCount"]:
                return True
            if loop.time() > until:
                sys.stderr.write(f"{row}\n")
                return False
            await asyncio.sleep(0.2)


def sign_in(proxy: Proxy, place: Path) -> bool:
    """`executor auth login`, with a browser that follows redirects."""
    words = ("auth", "login", CONNECTION, "--no-browser", "--server", proxy.url)
    login = spawn(*words, state=place / "state", env=environment(place / "state"))
    try:
        url = login.err.wait(lambda line: line.startswith("http"))
        httpx2.get(url, trust_env=False, follow_redirects=True, timeout=20)
        code = login.process.wait(20)
    except (AssertionError, httpx2.HTTPError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"sign-in: {type(error).__name__}\n")
        login.process.kill()
        code = 1
    sys.stderr.write(f"sign-in ended with {code}: {login.err.text}\n")
    return code == 0


async def call_all(proxy: Proxy) -> str | None:
    """Call every tool; a reason to sign in again, or None."""
    async with proxy.client() as client:
        tools = (await client.get("/api/tools", params={"includeSchemas": "true"})).json()["items"]
    for tool in tools:
        schema = tool.get("inputSchema") or {}
        wanted = {
            name: SAMPLES.get(one.get("type"), "x") for name, one in schema.get("properties", {}).items()
        }
        path = tool["path"]
        code = f"const r = await tools.{path}({json.dumps(wanted)}); return r.ok ? null : r.error"
        answer = await proxy.execute(code)
        sys.stderr.write(f"{path}: {answer.text[:500]}\n")
        if answer.status != "completed":
            return "sign-in"
        error = answer.structured.get("result")
        if error and error["code"] in ("oauth_scope_insufficient", "oauth_reauth_required"):
            return str(error["code"])
    return None


if __name__ == "__main__":
    sys.exit(main())
