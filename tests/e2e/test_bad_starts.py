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


def kept(name: str, content: bytes) -> Callable[[Path], None]:
    """A file of the state directory."""

    def write(folder: Path) -> None:
        (folder / "state").mkdir(mode=0o700)
        (folder / "state" / name).write_bytes(content)
        (folder / "state" / name).chmod(0o600)

    return write


def beside(name: str, content: bytes) -> Callable[[Path], None]:
    """A file in the folder of the config, or the config itself."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def no_certificates(folder: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (folder / name).write_text("x")


def directory(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).mkdir(parents=True, mode=0o700)


def fifo(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
        os.mkfifo(folder / name, 0o600)

    return make


def link(name: str, target: str) -> Callable[[Path], None]:
    """To nowhere, to itself, or to something that can be opened and not read (`UNREADABLE`), for root too."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return make


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
UNREADABLE = "/proc/self/mem"
FILE_TOKEN = {"connections": {"shop.org.main": {"auth": {"kind": "bearer", "token": {"file": "token"}}}}}
LOCKED = {"lock": {"mode": "enforce"}}
TLS = {"server": {"tls": {"cert": {"file": "cert.pem"}, "key": {"file": "key.pem"}}}}
NOWHERE = {"EXECUTOR_STATE_DIR": "/proc/none"}


def document(name: str) -> dict[str, Any]:
    one = {"kind": "openapi", "spec": {"file": name}, "base_url": "http://127.0.0.1:9"}
    return {"integrations": {"shop": one}}


def metrics(listen: str) -> dict[str, Any]:
    return {"telemetry": {"metrics": {"listen": listen}}}


def program(command: str) -> dict[str, Any]:
    return {
        "integrations": {"notes": {"kind": "mcp", "type": "local", "command": [command]}},
        "connections": {},
    }


def redis(url: str) -> dict[str, Any]:
    return {"sections": {"state": REDIS}, "env": {"URL": url, "KEY": KEY}}


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
    BadStart("no rejected config", 2, '"event": "cannot start", "detail": "', {}, an_open_token),
    BadStart("a directory as token", 2, "regular file", {}, another_thing_as_token),
    BadStart("a key of the store that others can read", 2, "chmod 600", SQLITE, an_open_key),
    BadStart("a file that is no database", 2, "state.db", SQLITE, no_database),
    BadStart(
        "Redis that is not there", 2, "127.0.0.1", {"state": REDIS}, env={"URL": "redis://127.0.0.1:9", "KEY": KEY}
    ),
    BadStart("an audit file in no directory", 2, "audit", {"audit": {"sink": {"file": "/proc/none/audit"}}}),
    # The config.
    BadStart("no mapping", 78, "E111", prepare=beside("executor.yaml", b"- 1")),
    BadStart("an empty file", 78, "E105", prepare=beside("executor.yaml", b"")),
    BadStart("UTF-16", 78, "save it as UTF-8", prepare=beside("executor.yaml", "version: 1".encode("utf-16"))),
    BadStart("Latin-1", 78, "save it as UTF-8", prepare=beside("executor.yaml", b"version: 1 # \xe9")),
    BadStart("a config that is nested without end", 78, "E109", prepare=beside("executor.yaml", b"[" * 5000)),
    BadStart("a config that cannot be read", 78, "let the user", prepare=link("executor.yaml", UNREADABLE)),
    BadStart("a link to itself as config", 2, "leads nowhere", prepare=link("executor.yaml", "executor.yaml")),
    BadStart("a list for a mapping", 78, "E203", {"server": [1]}),
    BadStart("nothing for a mapping", 78, "E210", {"state": None}),
    # Files that it names.
    BadStart("a document that is a directory", 78, "E304", document("shop"), directory("shop")),
    BadStart("a document that never ends", 78, "is a FIFO", document("shop.json"), fifo("shop.json")),
    BadStart("a document that is a link to itself", 78, "E304", document("l.json"), link("l.json", "l.json")),
    BadStart("a document that is none", 78, "spec", document("shop.json"), beside("shop.json", b"[" * 100_000)),
    BadStart("a secret that is a directory", 78, "E404", FILE_TOKEN, directory("token")),
    BadStart("a secret that cannot be read", 78, "let the user", FILE_TOKEN, link("token", UNREADABLE)),
    BadStart("a secret of two lines", 78, "E407", FILE_TOKEN, beside("token", b"one\ntwo")),
    BadStart("a secret in another encoding", 78, "save it as UTF-8", FILE_TOKEN, beside("token", b"\xff\xfe")),
    BadStart(
        "a variable in another encoding", 78, "is not UTF-8",
        {"connections": {"shop.org.main": {"auth": {"kind": "bearer", "token": {"env": "ODD"}}}}},
        env={"ODD": "\udcff\udcfe"},
    ),
    BadStart("certificates that are none", 78, "E410", TLS, no_certificates),
    BadStart("certificates that are directories", 78, "E304", TLS, directory("cert.pem")),
    BadStart("a lock that is damaged", 78, "executor lock", LOCKED, beside("executor.lock", b"{{{")),
    BadStart("a lock that is a directory", 78, "executor lock", LOCKED, directory("executor.lock")),
    BadStart("a lock that is not there", 78, "E702", LOCKED),
    BadStart("a program that is not there", 78, "E304", program("./nope")),
    BadStart("a program that cannot be executed", 78, "chmod +x", program("./x"), beside("x", b"#!/bin/sh")),
    # Addresses.
    BadStart("both listeners at one address", 78, "server.listen", {
        "server": {"listen": "127.0.0.1:18080"}, **metrics("127.0.0.1:18080")
    }, words=("serve",)),
    BadStart("a listener for metrics elsewhere", 2, "telemetry.metrics.listen", metrics("192.0.2.1:9464")),
    BadStart("a unix socket in no directory", 2, "is no directory", words=("serve", "--listen", "unix:/none/x")),
    BadStart("a unix socket that is a file", 2, "is no socket", words=("serve", "--listen", "unix:/etc/passwd")),
    BadStart("a unix socket that is a directory", 2, "is no socket", words=("serve", "--listen", "unix:/tmp")),
    BadStart("a port that is none", 2, "expected HOST:PORT", words=("serve", "--listen", "127.0.0.1:70000")),
    BadStart("no address", 2, "expected HOST:PORT", words=("serve", "--listen", "nonsense")),
    BadStart("a Redis without a port", 78, "E206", **redis("redis://127.0.0.1:none")),
    BadStart("a Redis of another scheme", 78, "E206", **redis("http://127.0.0.1:1")),
    # What is kept.
    BadStart("a key of the store of two letters", 2, "state.key", SQLITE, kept("state.key", b"ab")),
    BadStart("a key of the store that is no text", 2, "state.key", SQLITE, kept("state.key", b"\xff" * 40)),
    BadStart("a key of the store that is a directory", 2, "is a directory", SQLITE, directory("state/state.key")),
    BadStart("a key of the store that never ends", 2, "is a FIFO", SQLITE, fifo("state/state.key")),
    BadStart("a link to itself as key", 2, "state.key", SQLITE, link("state/state.key", "state.key")),
    BadStart("a store that is a directory", 2, "state.path", SQLITE, directory("state/state.db")),
    BadStart("a store that never ends", 2, "is a FIFO", SQLITE, fifo("state/state.db")),
    BadStart("a store behind a link to nowhere", 2, "state.path", SQLITE, link("state/state.db", "/proc/none/db")),
    BadStart("a token that is no text", 2, "holds no token", prepare=kept("local-token", b"\xff" * 50)),
    BadStart("a token that never ends", 2, "regular file", prepare=fifo("state/local-token")),
    BadStart("nowhere to keep anything", 2, "EXECUTOR_STATE_DIR", SQLITE, env=NOWHERE),
    BadStart("nowhere to keep a token", 2, "EXECUTOR_STATE_DIR", env=NOWHERE),
    BadStart("an audit file that is a directory", 2, "audit", {"audit": {"sink": {"file": "/"}}}),
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
    assert ("config rejected" in process.err.text) <= (bad.code == 78)


def test_a_key_is_in_no_message(tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(json.dumps(config(state=SHORT)))
    process = spawn("serve", "--config", str(file), state=tmp_path / "state", env={"KEY": "hunter2hunter"})
    assert process.wait() == 78
    assert "hunter2" not in process.err.text
    assert "KEY" not in os.environ
