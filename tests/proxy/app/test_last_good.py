"""A start whose files are invalid goes on with what was applied last, says so, and takes over what is mended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.app.application import open_application
from proxy.app.last_good import LastGood, find_last_good
from proxy.app.options import InvalidConfig, StartOptions
from proxy.config import LoadedConfig, load_config
from tests.proxy.app.started import MEMORY
from tests.proxy.support import config_text, written

CANARY = "canary-93"


def text(folder: Path, more: str = "") -> str:
    """Paths are relative to the file that says them."""
    kept = "server: {reload: {last_good: kept/last-good.json}}\n"
    return config_text(
        connection="{auth: {kind: bearer, token: {env: SHOP_TOKEN}}}", more=MEMORY + kept + more
    )


@pytest.fixture
def env_with(env: Mapping[str, str]) -> dict[str, str]:
    return {**env, "SHOP_TOKEN": CANARY}


def applied(folder: Path, env: Mapping[str, str]) -> tuple[list[Path], LoadedConfig]:
    """A valid config that was kept."""
    (folder / "kept").mkdir(exist_ok=True)
    paths = [written(folder, text(folder))]
    loaded = load_config(paths, env=env, advice=False)
    LastGood(paths, env, lambda: loaded).keep(loaded)
    return paths, loaded


@pytest.mark.parametrize(
    "broken",
    [
        "version: 1\nintegrations: [\n",
        "version: 2\n",
        "",
        "server: {reload: {last_good: kept/last-good.json}}\n",
    ],
)
def test_it_is_found_whatever_is_wrong_with_the_files(
    tmp_path: Path, env_with: dict[str, str], broken: str
) -> None:
    paths, loaded = applied(tmp_path, env_with)
    kept = tmp_path / "kept" / "last-good.json"
    assert CANARY not in kept.read_text()
    assert json.loads(kept.read_text())["connections"]["shop.org.main"]["auth"]["token"] == {
        "env": "SHOP_TOKEN"
    }
    written(tmp_path, broken)
    assert find_last_good(paths, env_with) == kept
    again = load_config([kept], env=env_with, advice=False)
    assert again.config == loaded.config


def test_what_is_not_usable_is_not_found(tmp_path: Path, env_with: dict[str, str]) -> None:
    paths, _ = applied(tmp_path, env_with)
    kept = tmp_path / "kept" / "last-good.json"
    without = {name: value for name, value in env_with.items() if name != "SHOP_TOKEN"}
    assert find_last_good(paths, without) is None
    kept.write_text("{}")
    assert find_last_good(paths, env_with) is None
    kept.unlink()
    assert find_last_good(paths, env_with) is None
    assert find_last_good([tmp_path / "other.yaml"], env_with) is None


def test_a_place_that_cannot_be_written_stops_nothing(
    tmp_path: Path, env_with: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [written(tmp_path, text(tmp_path))]
    loaded = load_config(paths, env=env_with, advice=False)
    LastGood(paths, env_with, lambda: loaded).keep(loaded)
    assert find_last_good(paths, env_with) is None


async def test_a_start_with_it_tells_the_truth_and_takes_over_what_is_mended(
    tmp_path: Path, env_with: dict[str, str]
) -> None:
    paths, _ = applied(tmp_path, env_with)
    written(tmp_path, "version: 1\ncolour: blue\n")
    kept = find_last_good(paths, env_with)
    options = StartOptions(tuple(paths), env_with, watch=False, last_good=kept)
    async with open_application(options) as application:
        status: dict[str, Any] = application.gateway.status()["config"]
        assert (status["generation"], status["in_sync"]) == (1, False)
        assert status["last_reload"]["result"] == "rejected"
        assert status["last_reload"]["diagnostics"][0]["code"] == "E201"
        assert application.metrics.value("executor_config_last_reload_successful") == 0
        assert application.gateway.ready(latest=False)[0]
        assert not application.gateway.ready(latest=True)[0]
        written(tmp_path, text(tmp_path, "console: {enabled: false}\n"))
        assert (await application.gateway.reload()).outcome == "applied"
        status = application.gateway.status()["config"]
        assert (status["generation"], status["in_sync"]) == (2, True)


async def test_without_it_an_invalid_config_ends_the_start(tmp_path: Path, env_with: dict[str, str]) -> None:
    with pytest.raises(InvalidConfig):
        async with open_application(StartOptions((written(tmp_path, "version: 2\n"),), env_with)):
            pass
