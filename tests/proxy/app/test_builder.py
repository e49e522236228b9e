"""What a build makes and refuses, against a real application."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.reload import Rejected
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, inline, shop, written


async def test_a_build_touches_nothing_that_serves(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        before = application.live.current, application.access
        written(tmp_path, config_text(more="  shop.org.second: {}\nauth: {anonymous: true}\n"))
        built = await application.build(application.load(), 2)
        assert (application.live.current, application.access) == before
        assert (built.generation.number, built.effects.added) == (2, 4)
        assert built.access.local_token is None
        application.swap(built)
        assert application.live.current is built.generation


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (config_text(inline({"swagger": "1.2"})), "E206"),
        (config_text(more="lock: {mode: enforce}\n"), "E702"),
    ],
)
async def test_what_cannot_be_served_is_rejected_with_its_code(
    tmp_path: Path, env: Mapping[str, str], text: str, code: str
) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        written(tmp_path, text)
        with pytest.raises(Rejected) as caught:
            await application.build(application.load(), 2)
        assert [one.code for one in caught.value.diagnostics] == [code]
        assert application.live.current.number == 1


async def test_a_machine_without_means_to_compile_is_not_called_a_wrong_config(
    tmp_path: Path, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        written(tmp_path, config_text(inline(shop(info={"title": "Shop", "version": "2"}))))
        monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
        with pytest.raises(Rejected, match="cannot compile a document here") as caught:
            await application.build(application.load(), 2)
        assert "No such file or directory" in (caught.value.error or "")


async def test_no_reload_opens_a_bound_address_to_strangers(tmp_path: Path, env: Mapping[str, str]) -> None:
    """`server.listen` changes with a restart only; until then the open address is the one that counts."""
    keys = f"api_keys: {{keys: {{ci: {{hash: 'sha256:{'0' * 64}', workspace: default}}}}}}"
    workspaces = "workspaces: {default: {}}\n"
    open_to_keys = f"server: {{listen: 0.0.0.0:0}}\nauth: {{{keys}}}\n{workspaces}"
    async with application_of(tmp_path, config_text(more=open_to_keys), env) as application:
        application.listens_on(application.listen)
        for auth in ("", "auth: {anonymous: true}\n", f"auth: {{anonymous: true, {keys}}}\n"):
            written(tmp_path, config_text(more=f"{auth}{workspaces}"))
            outcome = await application.reloader.reload("http")
            assert [one.code for one in outcome.diagnostics if one.severity == "error"] == ["E501"]
            assert application.live.current.number == 1
        written(tmp_path, config_text(more=f"auth: {{{keys}}}\n{workspaces}"))
        assert (await application.reloader.reload("http")).result == "applied"
