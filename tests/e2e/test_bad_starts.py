"""A start that cannot be: which exit code tells a supervisor what (78 the config, 2 this machine), with words and
without a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxy.auth import hash_key
from tests.e2e.running import spawn
from tests.proxy.support import shop

KEY = "k" * 32


def config(**sections: Any) -> dict[str, Any]:
    one = {"kind": "openapi", "spec": {"inline": shop()}, "base_url": "http://127.0.0.1:9"}
    plain = {"version": 1, "integrations": {"shop": one}, "connections": {"shop.org.main": {}}}
    return {**plain, "state": {"backend": "memory"}, **sections}


def nothing(_: Path) -> None:
    pass


def a_file_as_state_directory(folder: Path) -> None:
    (folder / "state").write_text("not a directory")


def an_open_token(folder: Path) -> None:
    (folder / "state").mkdir()
    token = folder / "state" / "local-token"
    token.write_text("t" * 43)
    token.chmod(0o666)


def another_thing_as_token(folder: Path) -> None:
    (folder / "state" / "local-token").mkdir(parents=True)


def no_database(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "state.db").write_bytes(b"this is no database" * 100)


def an_open_key(folder: Path) -> None:
    (folder / "state").mkdir()
    key = folder / "state" / "state.key"
    key.write_text("k" * 43)
    key.chmod(0o644)


@dataclass(frozen=True)
class BadStart:
    """`prepare` gets the folder of the config; the state directory is `state` in it."""

    name: str
    code: int
    says: str
    sections: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], None] = nothing
    env: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ("serve", "--listen", "127.0.0.1:0")


STDIO = ("mcp",)
SQLITE = {"state": {"backend": "sqlite"}}
REDIS = {"backend": "redis", "url": {"env": "URL"}, "encryption_key": {"env": "KEY"}}
SHORT = {"backend": "memory", "encryption_key": {"env": "KEY"}}
AUTH = {"api_keys": {"keys": {"bot": {"hash": f"sha256:{hash_key('k3y')}"}}}}
NO_LISTENER = ("serve", "--listen", "192.0.2.1:8080")
STARTS = (
    BadStart("an unknown key", 78, "E201", {"intergrations": {}}),
    BadStart("a missing secret", 78, "E402", {"state": REDIS}),
    BadStart("a short key, memory", 78, "E408", {"state": SHORT}, env={"KEY": "short"}),
    BadStart("a short key, sqlite", 78, "E408", {"state": {**SHORT, "backend": "sqlite"}}, env={"KEY": "short"}),
    BadStart("a short second key", 78, "E408", {"state": SHORT}, env={"KEY": f"{KEY}\nshort"}),
    BadStart("everybody may come", 78, "E501", {"server": {"listen": "0.0.0.0:8080"}}),
    BadStart("everybody may come, by option", 78, "E501", words=("serve", "--listen", "0.0.0.0:0")),
    BadStart("an address of another machine", 2, "192.0.2.1:8080", {"auth": AUTH}, words=NO_LISTENER),
    BadStart("a state directory that is a file", 2, "EXECUTOR_STATE_DIR", SQLITE, a_file_as_state_directory),
    BadStart("the same without a store on disk", 2, "state", {}, a_file_as_state_directory),
    BadStart("a token that others can write", 2, "chmod", {}, an_open_token),
    BadStart("a directory as token", 2, "regular file", {}, another_thing_as_token),
    BadStart("a key of the store that others can read", 2, "chmod 600", SQLITE, an_open_key),
    BadStart("a file that is no database", 2, "state.db", SQLITE, no_database),
    BadStart(
        "Redis that is not there", 2, "127.0.0.1", {"state": REDIS}, env={"URL": "redis://127.0.0.1:9", "KEY": KEY}
    ),
    BadStart("an audit file in no directory", 2, "audit", {"audit": {"sink": {"file": "/proc/none/audit"}}}),
    BadStart("a workspace that is not there", 2, "no such workspace", words=(*STDIO, "--workspace", "x")),
    BadStart(
        "a mode that the config forbids", 2, "native",
        {"elicitation": {"client_may_choose": False}}, words=(*STDIO, "--elicitation-mode", "native"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("bad", STARTS, ids=lambda bad: bad.name)
def test_a_bad_start_says_whose_fault_it_is(bad: BadStart, tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(json.dumps(config(**bad.sections)))
    bad.prepare(tmp_path)
    process = spawn(*bad.words, "--config", str(file), state=tmp_path / "state", env=bad.env)
    code = process.wait()
    assert (code, "Traceback" in process.err.text) == (bad.code, False), process.err.text
    assert bad.says in process.err.text
    assert process.out.text == ""


def test_a_key_is_in_no_message(tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(json.dumps(config(state=SHORT)))
    process = spawn("serve", "--config", str(file), state=tmp_path / "state", env={"KEY": "hunter2hunter"})
    assert process.wait() == 78
    assert "hunter2" not in process.err.text
    assert "KEY" not in os.environ
