"""The store that the config asks for, and readiness while it is away."""

from __future__ import annotations

import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from integrations.base import Secret
from proxy.app.options import CannotServe, InvalidConfig
from proxy.app.store import FILE_NAME, KEY_NAME, StoreWatch, open_store
from proxy.config import Config
from proxy.state import MemoryState, StateUnavailable
from proxy.state.keys import KeyRing
from proxy.state.sqlite import SqliteOptions, open_sqlite
from proxy.telemetry import MetricsRegistry


def config(**state: object) -> Config:
    return Config.model_validate({"version": 1, **({"state": state} if state else {})})


async def test_without_a_section_it_is_a_file_in_the_state_directory_with_a_key_beside_it(
    tmp_path: Path,
) -> None:
    async with open_store(config(), {"EXECUTOR_STATE_DIR": str(tmp_path)}) as store:
        await store.check()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o077 == 0


async def test_memory_writes_no_file(tmp_path: Path) -> None:
    async with open_store(config(backend="memory"), {"EXECUTOR_STATE_DIR": str(tmp_path)}) as store:
        assert isinstance(store, MemoryState)
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_missing_key_names_its_variable(tmp_path: Path) -> None:
    wanted = config(backend="sqlite", encryption_key={"env": "STATE_KEY"})
    with pytest.raises(InvalidConfig, match="STATE_KEY"):
        async with open_store(wanted, {"EXECUTOR_STATE_DIR": str(tmp_path)}):
            raise AssertionError("it must not open")


async def test_a_place_that_cannot_be_written_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotServe, match=r"set EXECUTOR_STATE_DIR or `state\.path`"):
        async with open_store(config(), {"EXECUTOR_STATE_DIR": str(tmp_path / "file" / "below")}):
            raise AssertionError("it must not open")


async def test_a_damaged_file_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 1000)
    with pytest.raises(CannotServe, match=FILE_NAME):
        async with open_store(config(), {"EXECUTOR_STATE_DIR": str(tmp_path)}):
            raise AssertionError("it must not open")


class Store:
    up = True

    async def check(self) -> None:
        if not self.up:
            raise StateUnavailable("Redis does not answer: gone.")


async def test_trouble_is_told_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    store, metrics = Store(), MetricsRegistry()
    watch = StoreWatch(store.check, metrics)
    troubles = [watch.trouble]
    store.up = False
    await watch.look()
    await watch.look()
    troubles.append(watch.trouble)
    assert b"executor_state_available 0.0" in metrics.render()[0]
    store.up = True
    await watch.look()
    troubles.append(watch.trouble)
    assert troubles == [None, "the state store cannot be used: Redis does not answer: gone.", None]
    assert b"executor_state_available 1.0" in metrics.render()[0]
    assert metrics.value("executor_state_outages_total") == 1
    assert [line.getMessage().split()[0] for line in caplog.records] == ["not_ready", "ready_again"]


@pytest.mark.parametrize("trouble", ["locked", "full"])
async def test_a_file_in_trouble_leaves_a_log_line_and_a_metric(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    file, metrics = tmp_path / FILE_NAME, MetricsRegistry()
    ring = KeyRing([Secret("k" * 32)])
    async with open_sqlite(file, ring, time.time, SqliteOptions(busy_seconds=0.05)) as state:
        watch = StoreWatch(state.check, metrics)
        await watch.look()
        assert watch.trouble is None
        other = sqlite3.connect(file, isolation_level=None)
        if trouble == "locked":
            other.execute("BEGIN IMMEDIATE")
            await watch.look()
            other.execute("ROLLBACK")
            assert "is locked by another process" in str(watch.trouble)
        else:
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
            try:
                await watch.look()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                signal.signal(signal.SIGXFSZ, ignored)
            assert "full" in str(watch.trouble)
        other.close()
        assert metrics.value("executor_state_outages_total") == 1
        assert metrics.value("executor_state_available") == 0
        assert [line.getMessage().split()[0] for line in caplog.records if line.levelname == "WARNING"] == [
            "not_ready"
        ]
        await watch.look()
        assert watch.trouble is None
