"""The tasks beside a running application: a changed file is followed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.application import open_application
from proxy.app.options import StartOptions
from tests.proxy.app.started import MEMORY
from tests.proxy.support import Notice, config_text, written

QUICK = MEMORY + "server: {reload: {poll_interval: 100ms, settle: 10ms}}\n"


async def test_a_changed_file_is_served(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = written(tmp_path, config_text(more=QUICK))
    rung = Notice()
    async with open_application(StartOptions((path,), env)) as application:
        application.gateway.subscribe(lambda changed: rung())
        written(tmp_path, config_text(more="  shop.org.second: {}\n" + QUICK))
        await rung.wait()
        assert application.live.current.number == 2
