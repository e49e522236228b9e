"""Signed keys and anonymous tokens of a served proxy, and callers that variables declare."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from proxy.auth import hash_key
from tests import processes
from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.e2e.upstream import Upstream
from tests.oauth.issuer import issuing, signed

PAIR = ECKey.generate_key("P-256")
SIGNING = {**configs.ENV, "SIGNING_KEY": PAIR.as_pem(private=True).decode().strip().replace("\n", "\\n")}
SECRET = "0123456789abcdef0123456789abcdef"
WHO = "return 1"


def executor(
    *arguments: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return processes.run(*arguments, stdin=stdin, env={**os.environ, **(env or {})})


@pytest.fixture(scope="module")
def file(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    return configs.write(folder / "executor.yaml", config(api))


def config(api: Upstream, **signing: Any) -> dict[str, Any]:
    return configs.base(
        api,
        auth={
            "anonymous_tokens": True,
            "api_keys": {
                "keys": {"fixed": {"hash": f"sha256:{hash_key('fixed-key')}", "workspace": "red"}},
                "signing": {"private_key": {"env": "SIGNING_KEY"}, **signing},
            },
            "roles": {"admin": ["key:fixed"]},
        },
        workspaces={"red": {}, "blue": {}},
    )


@pytest.fixture(scope="module")
def proxy(file: Path) -> Iterator[Proxy]:
    with serving(file, file.parent / "state", env=SIGNING) as running:
        running.admin = "fixed-key"
        yield running


def created(file: Path, *arguments: str) -> str:
    done = executor("keys", "create", *arguments, "--signed", "--config", str(file), env=SIGNING)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def ask(proxy: Proxy, path: str, **headers: str) -> tuple[int, str]:
    async with proxy.client(**headers) as client:
        answer = await post(client, "execute", {"code": WHO}, path)
    error = answer.json().get("error", {})
    return answer.status_code, error.get("message", "")


async def test_a_key_from_the_command_line_is_let_in_until_it_is_revoked(
    proxy: Proxy, file: Path, api: Upstream
) -> None:
    key = created(file, "ci", "--workspace", "red", "--group", "dev")
    answer = await proxy.execute(WHO, token=key)
    assert (answer.structured["accountId"], answer.structured["workspaceId"]) == ("key:ci", "red")
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        for path in ("/mcp/anonymous?workspaceId=red", "/v1/mcp/anonymous?workspaceId=red"):
            assert await ask(proxy, path, **headers) == (200, "")
    verified = executor("keys", "verify", "--config", str(file), stdin=key, env=SIGNING)
    assert verified.stdout.startswith("valid: ci, workspace red, groups dev, id ")
    lines = executor("keys", "revoke", "--config", str(file), stdin=key, env=SIGNING).stdout
    revoked = lines.partition("revoked: [")[2].partition("]")[0]
    mark = proxy.err.mark()
    configs.write(file, config(api, revoked=[revoked]))
    proxy.logged("config applied", mark)
    status, message = await ask(proxy, "/mcp", authorization=f"Bearer {key}")
    assert (status, message) == (401, "This key has been revoked")
    assert "revoked" in executor("keys", "verify", "--config", str(file), stdin=key, env=SIGNING).stdout
    mark = proxy.err.mark()
    configs.write(file, config(api))
    proxy.logged("config applied", mark)


async def test_the_errors_of_the_anonymous_endpoint_come_in_order(
    proxy: Proxy, file: Path, api: Upstream, tmp_path: Path
) -> None:
    key = created(file, "ci", "--workspace", "red")
    user = signed(
        {"alg": "ES256", "typ": "executor-key+jwt"},
        {"workspaceId": "red", "accountId": "user:x#root", "aud": "executor-mcp", "exp": 2**40},
        PAIR,
        "ES256",
    )
    here = "/mcp/anonymous"
    assert (await ask(proxy, here))[0] == 400
    assert (await ask(proxy, here, authorization="Bearer nonsense"))[0] == 400
    assert (await ask(proxy, f"{here}?workspaceId=red"))[0] == 401
    assert (await ask(proxy, f"{here}?workspaceId=blue", authorization="Bearer nonsense"))[0] == 401
    status, message = await ask(proxy, f"{here}?workspaceId=blue", authorization=f"Bearer {key}")
    assert (status, message) == (403, "This key belongs to another workspace.")
    status, message = await ask(proxy, f"{here}?workspaceId=red", authorization=f"Bearer {user}")
    assert status == 403
    assert message.startswith("Key authentication is not enabled for this account")
    plain = configs.write(tmp_path / "plain.yaml", configs.base(api))
    with serving(plain, tmp_path / "state", env=configs.ENV) as unsigned:
        unsigned.token = None
        assert (await ask(unsigned, here))[0] == 400
        status, message = await ask(unsigned, f"{here}?workspaceId=default")
        assert (status, "not configured" in message) == (503, True)
        assert (await ask(unsigned, f"{here}?workspaceId=default", authorization="Bearer x"))[0] == 503
        async with unsigned.client() as client:
            assert (await client.post("/v1/auth/anonymous/token")).status_code == 503


async def test_an_anonymous_token(proxy: Proxy) -> None:
    async with proxy.client() as client:
        unnamed = await client.post("/v1/auth/anonymous/token")
        made = await client.post("/v1/auth/anonymous/token?workspaceId=blue")
        by_body = await client.post("/v1/auth/anonymous/token", json={"workspaceId": "blue"})
        foreign = await client.post("/v1/auth/anonymous/token?workspaceId=none")
        assert (await client.get("/v1/auth/anonymous/token")).status_code == 405
    assert unnamed.status_code == 400
    assert foreign.status_code == 403
    assert made.status_code == by_body.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    assert set(body) == {"tokenType", "accessToken", "accountId", "expiresAtMs"}
    assert body["tokenType"] == "Bearer"
    answer = await proxy.execute(WHO, token=body["accessToken"])
    assert answer.structured["accountId"] == body["accountId"]
    assert answer.structured["workspaceId"] == "blue"
    assert (
        await ask(proxy, "/mcp/anonymous?workspaceId=blue", authorization=f"Bearer {body['accessToken']}")
    )[0] == 401
    async with proxy.client(body["accessToken"]) as client:
        assert (await client.get("/api/executions")).status_code == 200


async def test_anonymous_tokens_are_thirty_a_minute_and_address(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api))
    with serving(file, tmp_path / "state", env=SIGNING) as own:
        async with own.client() as client:
            answers = [await client.post("/v1/auth/anonymous/token?workspaceId=red") for _ in range(31)]
    assert [one.status_code for one in answers] == [200] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


# ---- callers that variables declare ----------------------------------------------------------------------------------
async def test_variables_of_the_original_declare_keys(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", configs.base(api))
    env = {**configs.ENV, "MCP_API_KEY_SECRET": SECRET, "MCP_API_KEY_TTL_SECONDS": "120"}
    claims = {"workspaceId": "default", "accountId": "k1", "sub": "k1", "aud": "executor-mcp", "exp": 2**40}
    key = signed({"alg": "HS256", "typ": "JWT"}, claims, OctKey.import_key(SECRET), "HS256")
    with serving(file, tmp_path / "state", env=env) as own:
        assert own.token is None
        answer = await own.execute(WHO, token=key, path="/mcp/anonymous?workspaceId=default")
        assert answer.structured["accountId"] == "key:k1"
    made = executor(
        "keys", "create", "ci", "--signed", "--workspace", "default", "--config", str(file), env=env
    )
    assert made.stdout.count(".") == 2
    short = executor("validate", str(file), env={**configs.ENV, "MCP_API_KEY_SECRET": "change-me"})
    assert "E409" in short.stdout + short.stderr
    assert "openssl rand -base64 32" in short.stdout + short.stderr


async def test_variables_of_the_original_declare_an_issuer(api: Upstream, tmp_path: Path) -> None:
    """As the WorkOS set-up of the published documentation has it."""
    server = {"public_url": "https://executor.example.com"}
    file = configs.write(tmp_path / "executor.yaml", configs.base(api, server=server))
    with issuing() as issuer:
        env = {
            **configs.ENV,
            "EXECUTOR_DEPLOYMENT_MODE": "cloud",
            "MCP_AUTHORIZATION_SERVER": issuer.url,
            "WORKOS_CLIENT_ID": "client_1",
        }
        with serving(file, tmp_path / "state", env=env) as own:
            answer = await own.execute(
                WHO, token=issuer.token("client_1"), path="/v1/mcp?workspaceId=default"
            )
            assert answer.structured["accountId"] == f"user:{issuer.url}#alice"
            async with own.client() as client:
                found = await client.get(
                    "/.well-known/oauth-protected-resource",
                    params={"resource": "https://executor.example.com/v1/mcp?workspaceId=default"},
                )
            assert found.json() == {
                "resource": "https://executor.example.com/v1/mcp?workspaceId=default",
                "authorization_servers": [issuer.url],
                "bearer_methods_supported": ["header"],
            }
    refused = executor("validate", str(file), env={**configs.ENV, "EXECUTOR_DEPLOYMENT_MODE": "cloud"})
    assert "EXECUTOR_DEPLOYMENT_MODE=cloud needs MCP_AUTHORIZATION_SERVER" in refused.stdout + refused.stderr
