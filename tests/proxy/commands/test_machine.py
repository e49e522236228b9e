"""What `doctor` says of the places of the state, for each way that they can be wrong."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.commands.machine import cache, directory, state_checks, uses_state_dir
from proxy.config import load_config
from proxy.config.model import Config
from proxy.state.sqlite.schema import STEPS
from tests.proxy.support import written

SQLITE = "state: {backend: sqlite}\n"
KEYED = "state: {backend: sqlite, encryption_key: {env: MACHINE_KEY}}\n"
MEMORY = "state: {backend: memory}\n"
AUTH = f"auth: {{api_keys: {{keys: {{bot: {{hash: 'sha256:{'0' * 64}'}}}}}}}}\n"


def config(folder: Path, text: str) -> Config:
    found = load_config([written(folder, f"version: 1\n{text}")], env=None).config
    assert found is not None
    return found


def checked(
    folder: Path, text: str = SQLITE, env: Mapping[str, str] | None = None
) -> dict[str, tuple[str, str]]:
    where = {"EXECUTOR_STATE_DIR": str(folder / "state"), **(env or {})}
    return {one.name: (one.level, one.detail) for one in state_checks(config(folder, text), where)}


@pytest.mark.parametrize(
    ("text", "used"), [(SQLITE, True), (MEMORY, True), (MEMORY + AUTH, False), (SQLITE + AUTH, True)]
)
def test_a_state_directory_that_nothing_uses_is_not_judged(tmp_path: Path, text: str, used: bool) -> None:
    assert uses_state_dir(config(tmp_path, text)) is used


def test_a_cache_that_cannot_be_kept_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    below = cache({"EXECUTOR_STATE_DIR": str(tmp_path / "file")})
    assert (below.level, below.detail.partition("; until then ")[2]) == (
        "warn",
        "documents are compiled at each start",
    )
    assert cache({"EXECUTOR_STATE_DIR": str(tmp_path)}).level == "ok"
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert cache({}).level == "warn"


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert {level for level, _ in found.values()} == {"ok"}
    assert "at the first start" in found["state key"][1]
    assert checked(tmp_path, MEMORY) == {}


def test_a_key_is_set_or_not(tmp_path: Path) -> None:
    assert checked(tmp_path, KEYED, {"MACHINE_KEY": "k" * 32})["state key"][0] == "ok"
    level, detail = checked(tmp_path, KEYED)["state key"]
    assert (level, "MACHINE_KEY" in detail) == ("bad", True)


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.key").write_text("k" * 43)
    (tmp_path / "state" / "state.key").chmod(0o644)
    level, detail = checked(tmp_path)["state key"]
    assert (level, "chmod 600" in detail) == ("bad", True)


@pytest.mark.parametrize(("ahead", "level"), [(-1, "ok"), (0, "ok"), (1, "bad")])
def test_the_version_of_the_file(tmp_path: Path, ahead: int, level: str) -> None:
    (tmp_path / "state").mkdir()
    db = sqlite3.connect(tmp_path / "state" / "state.db")
    db.execute(f"PRAGMA user_version = {len(STEPS) + ahead}")
    db.close()
    assert checked(tmp_path)["state version"][0] == level


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(b"this is no database" * 100)
    assert checked(tmp_path)["state version"][0] == "bad"


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert directory("state", tmp_path / "file" / "x").level == "bad"
    assert directory("state", tmp_path / "a" / "b").level == "ok"


def test_a_directory_that_others_can_write_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    found = directory("state", tmp_path)
    assert (found.level, "chmod 700" in found.detail) == ("warn", True)
