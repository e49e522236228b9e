"""Calls everything that `/api/openapi.json` of a running server promises, with values that nobody thinks of.

`python -m tests.api_truth.run [EXAMPLES]`: every status, content type and body that is not described there is a
finding, and the exit code is 1. The server is `executor serve` with callers, two workspaces and registration on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx2

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.upstream import upstream

KEY: Final = "exk_truth-key-0000000000000"
CHECKS: Final = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "ignored_auth",
        "negative_data_rejection",
        "missing_required_header",
        "unsupported_method",
        "allow_header_conformance",
    )
)
# Left out: `positive_data_acceptance`, because a value may have the right form and still name nothing (404), or what is
# there already (409); `use_after_free`, `ensure_resource_availability` and `object_level_authorization`, which need
# links between operations (tests/e2e/test_workspaces.py tries what they would).
# Both are promised where they occur: an authorization server that is away (502: sign-ins to MCP servers that nobody
# answers for, here `https://mcp.example.com`), and a state store that is, or a server that shuts down (503).
EXPECTED: Final = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502", "503"]\n'
# It waits five minutes for a person, by design.
WAITS: Final = "/auth/authenticate$"
USUAL_EXAMPLES: Final = 25


def run(proxy: Proxy, examples: int, folder: Path) -> int:
    """The exit code of schemathesis."""
    settings = folder / "schemathesis.toml"
    known = {"path.workspaceID": "one", "query.workspaceId": "one", "path.name": "docs", **existing(proxy)}
    lines = ["[parameters]", *(f'"{key}" = "{value}"' for key, value in known.items()), EXPECTED]
    settings.write_text("\n".join(lines))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
        *("run", f"{proxy.url}/api/openapi.json"),
        # The same in both places: two different credentials are a request that is refused before anything else.
        *("--header", f"Authorization: Bearer {KEY}", "--header", f"x-api-key: {KEY}", "--checks", CHECKS),
        # It says that values are hard to invent for an operation, and nothing about the answers.
        *("--suppress-health-check", "filter_too_much"),
        *("--exclude-path-regex", WAITS, "--max-examples", str(examples)),
        *("--phases", "examples,coverage,fuzzing", "--request-timeout", "30"),
    ]
    return subprocess.run(command, check=False, cwd=folder).returncode


def existing(proxy: Proxy) -> dict[str, str]:
    """A paused execution, a tool, a connection and a server that are there: not every answer is 404."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.Client(base_url=proxy.url, headers=headers, timeout=60) as http:
        docs = {"type": "remote", "url": "https://mcp.example.com", "enabled": False}
        path = "/api/v1/workspaces/one/mcp"
        http.post(path, json={"name": "docs", "config": docs}).raise_for_status()
        tool = http.get("/api/tools").json()["items"][0]["path"]
        code = f"return await tools.{tool}({{}})"
        execution = http.post("/api/executions", json={"code": code}).json()["executionId"]
    connection = ".".join(tool.split(".")[:3])
    return {"path.address": tool, "path.connection": connection, "path.executionId": execution}


def main(arguments: list[str]) -> int:
    if find_spec("schemathesis") is None:
        print(
            "schemathesis is not installed: `make install` brings it, and nothing was checked",
            file=sys.stderr,
        )
        return 2
    examples = int(arguments[0]) if arguments else USUAL_EXAMPLES
    with tempfile.TemporaryDirectory() as name, upstream() as api:
        folder = Path(name)
        with serving(
            configs.write(folder / "executor.yaml", config(api)), folder / "state", env=configs.ENV
        ) as proxy:
            return run(proxy, examples, folder)


def config(api: object) -> dict[str, object]:
    base = configs.base(api)  # type: ignore[arg-type]
    keys = {"truth": {"hash": f"sha256:{hash_key(KEY)}", "workspace": "one", "groups": ["ops"]}}
    return {
        **base,
        "rate_limits": {},
        "auth": {"api_keys": {"keys": keys}, "roles": {"admin": ["ops"], "approver": ["ops"]}},
        "workspaces": {"one": {}, "two": {}},
        "api": {"registration": "overlay"},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
