"""A pattern that matches no tool is told everywhere where somebody looks: each place of a pattern, for each kind of
integration, on each surface.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import processes
from tests.e2e import configs
from tests.e2e.running import environment, serving
from tests.e2e.upstream import document

STDIO = str(Path(__file__).parents[1] / "integrations" / "mcp" / "stdio_server.py")
SDL = "type Query { echo(first: Int): String }"
RIGHT = {"rest": "things.get", "graph": "query.echo", "local": "echo"}
WRONG = {"rest": "things.gte", "graph": "query.ecoh", "local": "ecoh"}
PLACES = ("policy", "pack", "condition", "rate limit", "include", "exclude", "health")
SURFACES = ("validate", "doctor", "sources", "start log", "status", "reload", "reload log", "same")
# What an MCP server offers is not in the files. A probe of a document in the config is an error, see below.
NOT_SAID: set[tuple[str, str, str]] = {("local", place, "validate") for place in PLACES}
NOT_SAID |= set(product(("rest", "graph"), ("health",), SURFACES))


def dead() -> dict[str, Any]:
    """A config whose every pattern is wrong, once for each kind."""
    upstream: dict[str, Any] = {
        "rest": {"kind": "openapi", "spec": {"inline": document()}, "base_url": "http://127.0.0.1:9"},
        "graph": {"kind": "graphql", "endpoint": "http://127.0.0.1:9", "introspection": {"file": "s.graphql"}},
        "local": {"kind": "mcp", "type": "local", "command": [sys.executable, "-I", "-S", STDIO]},
    }  # fmt: skip
    rules: list[dict[str, Any]] = []
    rates: dict[str, Any] = {}
    for name, wrong in WRONG.items():
        upstream[name] |= {"include": ["*", f"{wrong}A"], "exclude": [f"{wrong}B"]}
        pattern = f"{name}.*.*.{wrong}"
        rules += [
            {"id": f"policy-{name}", "pattern": pattern, "action": "block"},
            {"id": f"pack-{name}", "pack": "github-guardrails", "integration": name},
            {
                "id": f"condition-{name}",
                "pattern": f"{name}.*.*.{RIGHT[name]}",
                "action": "block",
                "when": {"nonesuch": {"equals": "1"}},
            },
        ]
        rates[f"rate-{name}"] = {
            "per": "user",
            "limit": "9/minute",
            "applies_to": "tool_calls",
            "pattern": pattern,
        }
    upstream["local"]["health"] = {"tool": WRONG["local"]}
    return {
        "version": 1,
        "integrations": upstream,
        "connections": {f"{name}.org.main": {} for name in WRONG},
        "policies": rules,
        "rate_limits": rates,
        "server": {"reload": {"watch": False}},
    }


def words(name: str, place: str) -> str:
    """What identifies the finding in any of the texts."""
    wrong = WRONG[name]
    return {
        "policy": f"rule `policy-{name}` matches no tool",
        "pack": f"`pack-{name}/",
        "condition": f"no tool that rule `condition-{name}` matches has an argument `nonesuch`",
        "rate limit": f"rate limit `rate-{name}` matches no tool",
        "include": f"`{wrong}A` matches no tool that `{name}` offers",
        "exclude": f"`{wrong}B` matches no tool that `{name}` offers",
        "health": f"`{name}` has no tool `{wrong}`",
    }[place]


def command(folder: Path, *arguments: str) -> str:
    config = str(folder / "executor.yaml")
    done = processes.run(*arguments, "--config", config, env=environment(folder / "other"))
    return done.stdout + done.stderr


def prepared(folder: Path, config: Mapping[str, Any]) -> Path:
    (folder / "s.graphql").write_text(SDL)
    return configs.write(folder / "executor.yaml", dict(config))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("dead")
    config = dead()
    path = prepared(folder, config)
    texts = {
        "validate": command(folder, "validate"),
        "doctor": command(folder, "doctor"),
        "sources": command(folder, "tools", "sources"),
    }
    with serving(path, folder / "state", env={}) as proxy:
        headers = {"authorization": f"Bearer {proxy.token}"} if proxy.token else {}
        texts["start log"] = proxy.err.text
        texts["status"] = httpx2.get(f"{proxy.url}/-/status", headers=headers).text
        mark = proxy.err.mark()
        config["policies"].append({"pattern": "rest.org.main.things.list", "action": "approve"})
        configs.write(path, config)
        texts["reload"] = httpx2.post(f"{proxy.url}/-/reload", headers=headers, timeout=60).text
        texts["same"] = httpx2.post(f"{proxy.url}/-/reload", headers=headers, timeout=60).text
        texts["reload log"] = "\n".join(proxy.err.text.splitlines()[mark:])
    return texts


@pytest.mark.parametrize(("name", "place", "surface"), list(product(WRONG, PLACES, SURFACES)))
def test_it_is_said(said: dict[str, str], name: str, place: str, surface: str) -> None:
    expected = (name, place, surface) not in NOT_SAID
    assert (words(name, place) in said[surface]) is expected, said[surface]


@pytest.mark.parametrize("name", ["rest", "graph"])
def test_a_probe_of_a_document_in_the_config_is_an_error_where_no_server_starts_either(
    tmp_path: Path, name: str
) -> None:
    config = dead()
    config["integrations"][name]["health"] = {"tool": WRONG[name]}
    prepared(tmp_path, config)
    sentence = words(name, "health")
    assert sentence in command(tmp_path, "validate")
    assert sentence in command(tmp_path, "tools", "sources")
    line = next(one for one in command(tmp_path, "doctor").splitlines() if sentence in one)
    assert line.startswith("bad")


def test_an_override_of_what_is_not_there_names_its_place(tmp_path: Path) -> None:
    config = dead()
    config["integrations"]["rest"]["overrides"] = [{"op": "remove", "path": "/paths/~1nope"}]
    prepared(tmp_path, config)
    for arguments in (("validate",), ("doctor",), ("tools", "sources")):
        text = command(tmp_path, *arguments)
        assert "overrides[0] (remove /paths/~1nope)" in text
        assert "rest" in text
    assert json.loads(command(tmp_path, "doctor", "--json"))[-1]["level"] == "bad"
