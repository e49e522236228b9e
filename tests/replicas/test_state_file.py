"""A state file that cannot be used, seen by who starts the server: a clear reason, and the file as it was."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, spawn
from tests.replicas.fleet import config
from tests.replicas.upstream import Ledger


def started(folder: Path, content: bytes | None) -> Proxy:
    """A server on a state directory with this file in it."""
    state = folder / "state"
    state.mkdir(parents=True)
    if content is not None:
        (state / "state.db").write_bytes(content)
    api = Ledger()
    api.url = "http://127.0.0.1:9"
    file = configs.write(folder / "executor.yaml", config(api, state={"backend": "sqlite"}))
    return spawn("serve", "--config", str(file), "--listen", "127.0.0.1:0", state=state)


@pytest.mark.timeout(180)
def test_a_damaged_or_locked_state_file_is_told_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "whole.db")) as whole:
        whole.executescript("CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(20000));")
    torn = (tmp_path / "whole.db").read_bytes()[:100] + os.urandom(20_000)
    damaged = started(tmp_path / "damaged", torn)
    with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE t (v)")
    locked = started(tmp_path / "held", (tmp_path / "other.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "held" / "state" / "state.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert (damaged.wait(), locked.wait()) == (2, 2)
    assert "is damaged or not a database. Nothing in it was changed" in damaged.err.text
    assert "is locked by another process" in locked.err.text
    assert (tmp_path / "damaged" / "state" / "state.db").read_bytes() == torn
    assert damaged.out.text == locked.out.text == ""
