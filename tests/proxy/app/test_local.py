"""A generation for commands: open inside the block, closed after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.app.local import open_live
from proxy.connections.opening import WrongSource
from tests.integrations.echo import echo_server
from tests.proxy.support import call, config_text, data_of, inline, load, serving, shop, written


async def test_its_upstreams_work(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        auth = "{auth: {kind: bearer, token: {env: TOKEN}}}"
        text = config_text(inline(shop(echo.url)), connection=auth)
        async with serving(tmp_path, text, env, {"TOKEN": "t0k"}) as live:
            assert live.current.number == 1
            connection = live.current.workspaces["default"].connections["shop.org.main"]
            assert data_of(await call(connection, "items.get", {"id": "7"}))["path"] == "/items/7"
        assert echo.log[0].header("authorization") == "Bearer t0k"
    assert not live.serving


async def test_documents_are_cached_in_the_state_directory(tmp_path: Path) -> None:
    async with serving(tmp_path, config_text(), {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}):
        pass
    assert len(list((tmp_path / "state" / "cache").iterdir())) == 1


async def opened(path: Path, env: Mapping[str, str]) -> None:
    async with open_live(load(path), env):
        raise AssertionError("a wrong document was opened")


async def test_a_wrong_document_is_its_integrations(tmp_path: Path, env: Mapping[str, str]) -> None:
    with pytest.raises(WrongSource) as caught:
        await opened(written(tmp_path, config_text("{inline: {}}")), env)
    assert caught.value.integration == "shop"
