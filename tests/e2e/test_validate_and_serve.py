"""What `validate` lets pass, a start does not refuse, and the other way round: over configs and documents that were
changed at random. `EXECUTOR_AGREE_CASES` makes it longer."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.app.application import open_application
from proxy.app.options import InvalidConfig, StartOptions
from proxy.cli import main
from tests.integrations.tls import Authority
from tests.proxy.support import shop

CASES = int(os.environ.get("EXECUTOR_AGREE_CASES", "20"))
SDL = """
type Query { book(id: ID!): Book, books(first: Int = 10): [Book!]! }
type Book { id: ID!, title: String, by: Author }
type Author { name: String! }
type Mutation { rename(id: ID!, title: String!): Book }
"""
OPERATIONS = "query Titles($n: Int) { books(first: $n) { ...Short } }\nfragment Short on Book { title }\n"
CONFIG: dict[str, Any] = {
    "version": 1,
    "integrations": {
        "shop": {
            "kind": "openapi",
            "spec": {"file": "shop.json"},
            "base_url": "http://127.0.0.1:9",
            "include": ["items.*"],
            "overrides": [{"op": "replace", "path": "/info/title", "value": "Store"}],
            "health": {"tool": "items.list", "identity": "items.0.id"},
        },
        "library": {
            "kind": "graphql",
            "endpoint": "http://127.0.0.1:9/graphql",
            "introspection": {"file": "library.graphql"},
            "documents": ["ops/*.graphql"],
            "selection": {"depth": 2, "fields": 10},
        },
        "notes": {"kind": "mcp", "type": "local", "command": ["./notes.py"], "cwd": "ops", "timeout": "2s"},
    },
    "connections": {
        "shop.org.main": {"auth": {"kind": "bearer", "token": {"env": "SHOP"}}},
        "library.org.main": {},
        "notes.org.main": {},
    },
    "policies": [
        {"id": "no", "pattern": "shop.*.*.items.delete", "action": "block"},
        {"pattern": "shop.org.main.items.create", "action": "approve", "when": {"body.name": {"in": ["a"]}}},
    ],
    "rate_limits": {"all": {"per": "workspace", "limit": "10/second"}},
    "state": {"backend": "memory", "encryption_key": {"env": "KEY"}},
    "server": {
        "listen": "127.0.0.1:8080",
        "tls": {"cert": {"file": "cert.pem"}, "key": {"file": "key.pem"}, "client_ca": {"file": "ca.pem"}},
    },
    "telemetry": {"metrics": {"listen": "127.0.0.1:9464"}},
    "lock": {"mode": "enforce", "file": "executor.lock"},
    "audit": {"sink": "off", "code": "digest", "redact": ["$.password"]},
}
DOCUMENTS = {
    "shop.json": json.dumps(shop()),
    "library.graphql": SDL,
    "ops/titles.graphql": OPERATIONS,
    "notes.py": "#!/usr/bin/env python3\n",
}
ENV = {"SHOP": "shop-token-of-these-tests", "KEY": "k" * 20}
ODD: tuple[Any, ...] = (None, 0, -1, True, "", "x", "items.list", [], {}, ["x"], {"x": 1}, "nope.json", "a b")


def written(folder: Path, made: Mapping[str, str]) -> Path:
    for name, text in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "notes.py").chmod(0o755)
    return folder / "executor.yaml"


@cache
def certificates() -> Mapping[str, str]:
    with TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        issued = authority.issue("server")
        return {
            "cert.pem": issued.cert.read_text(),
            "key.pem": issued.key.read_text(),
            "ca.pem": authority.bundle.read_text(),
        }


@cache
def lock_text() -> str:
    """What `executor lock` writes for the documents as they are."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXECUTOR_STATE_DIR", str(Path(folder) / "state"))
        plain = {name: section for name, section in CONFIG.items() if name not in ("lock", "server")}
        config = written(Path(folder), {"executor.yaml": json.dumps(plain), **DOCUMENTS})
        with redirect_stdout(io.StringIO()):
            words = ("--no-launch", "--only", "shop", "--only", "library")
            assert main(["lock", "--yes", *words, "--config", str(config)]) == 0
        return (Path(folder) / "executor.lock").read_text()


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in below for place in places(value, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with one place removed, renamed, or put in another's stead."""
    tree = copy.deepcopy(tree)
    *above, last = draw(st.sampled_from(places(tree)[1:]))
    parent = tree
    for key in above:
        parent = parent[key]
    how = draw(st.sampled_from(("remove", "replace", "rename")))
    if how == "remove":
        del parent[last]
    elif how == "rename" and isinstance(parent, dict):
        parent[draw(st.sampled_from((f"{last}s", str(last)[:-1] or "k", str(last).upper())))] = parent.pop(
            last
        )
    else:
        parent[last] = draw(st.sampled_from(ODD))
    return tree


@st.composite
def changed_text(draw: st.DrawFn, text: str) -> str:
    """The text with a piece cut out or doubled."""
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, min(len(text), start + 12)))
    return text[:start] + draw(st.sampled_from(("", text[start:end] * 2))) + text[end:]


@st.composite
def files(draw: st.DrawFn) -> dict[str, str]:
    """All files of a config; one of them is not as it should be."""
    made = {
        "executor.yaml": json.dumps(CONFIG),
        **DOCUMENTS,
        **certificates(),
        "executor.lock": lock_text(),
    }
    name = draw(
        st.sampled_from(
            (*["executor.yaml"] * 3, *(name for name in made if name not in ("executor.yaml", "notes.py")))
        )
    )
    if name == "executor.yaml":
        made[name] = json.dumps(draw(changed(CONFIG)))
    elif name == "shop.json" and draw(st.booleans()):
        made[name] = json.dumps(draw(changed(shop())))
    elif name == "executor.lock" and draw(st.booleans()):
        made[name] = json.dumps(draw(changed(json.loads(made[name]))))
    else:
        made[name] = draw(changed_text(made[name]))
    return made


def validated(config: Path) -> list[str]:
    """The errors of `executor validate`, with the environment."""
    out = io.StringIO()
    with redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        for name, value in ENV.items():
            patch.setenv(name, value)
        code = main(["validate", "--json", "--config", str(config)])
    found = [
        f"{one['code']} {one['message']}"
        for one in json.loads(out.getvalue())["diagnostics"]
        if one["severity"] == "error"
    ]
    assert code == bool(found)
    return found


def refused(config: Path, state: Path) -> str | None:
    """What a start says when it does not accept the config."""

    async def start() -> None:
        options = StartOptions((config,), {**ENV, "EXECUTOR_STATE_DIR": str(state)}, watch=False)
        async with open_application(options):
            pass

    try:
        asyncio.run(start())
    except InvalidConfig as error:
        return str(error)
    return None


def agree(folder: Path, made: dict[str, str]) -> None:
    config = written(folder, made)
    errors, said = validated(config), refused(config, folder / "state")
    assert bool(errors) == bool(said), f"validate: {errors}\nserve: {said}"


def test_the_config_that_is_changed_is_valid(tmp_path: Path) -> None:
    made = {"executor.yaml": json.dumps(CONFIG), **DOCUMENTS, "executor.lock": lock_text(), **certificates()}
    agree(tmp_path, made)
    assert validated(tmp_path / "executor.yaml") == []


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=files())
def test_validate_and_a_start_agree(tmp_path_factory: pytest.TempPathFactory, made: dict[str, str]) -> None:
    agree(tmp_path_factory.mktemp("agree"), made)
