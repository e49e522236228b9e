"""What a config wants of its lock, and what is said about a lock file that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.app.locking import LockProblem, lock_file, vendored_catalogs
from proxy.config import LoadedConfig, load_config
from proxy.lock.file import LockedSource, LockFile, write_lock
from proxy.lock.vendored import VendoredCatalog, catalog_path

CONFIG = """\
version: 1
lock: {file: executor.lock, mode: %s}
integrations:
  far: {kind: openapi, spec: {url: "https://far.example.com/openapi.json"}}
connections: {far.org.main: {}}
"""


def loaded(folder: Path, mode: str = "enforce") -> LoadedConfig:
    (folder / "executor.yaml").write_text(CONFIG % mode)
    return load_config([folder / "executor.yaml"], env=None)


def test_without_a_lock_section_that_asks_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "executor.lock").write_text("{")
    assert lock_file(loaded(tmp_path, "'off'")) is None


def test_a_missing_lock_is_said_at_the_config(tmp_path: Path) -> None:
    with pytest.raises(LockProblem, match="there is no") as caught:
        lock_file(loaded(tmp_path))
    said = caught.value.diagnostic
    assert (said.code, Path(said.file).name, said.line) == ("E702", "executor.yaml", 2)


@pytest.mark.parametrize(("broken", "words"), [("{", "no JSON"), (None, "a FIFO")])
def test_a_broken_lock_is_said_at_its_line(tmp_path: Path, broken: str | None, words: str) -> None:
    lock = tmp_path / "executor.lock"
    if broken is None:
        os.mkfifo(lock)
    else:
        lock.write_text(broken)
    with pytest.raises(LockProblem, match=words) as caught:
        lock_file(loaded(tmp_path))
    said = caught.value.diagnostic
    assert (said.code, said.file, said.line) == ("E206", str(lock), 1)


def test_a_vendored_catalog_stands_beside_the_lock(tmp_path: Path) -> None:
    write_lock(tmp_path / "executor.lock", LockFile({"far": LockedSource("openapi", catalog="0" * 64)}))
    config = loaded(tmp_path)
    path = catalog_path(tmp_path / "executor.lock", "far")
    assert vendored_catalogs(config, lock_file(config)) == {"far.org.main": VendoredCatalog(path, "0" * 64)}
    assert vendored_catalogs(config, None) == {}
