"""How many approvals wait, and since when: figures of the store, told between its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from proxy.app.pending import ApprovalsWatch
from proxy.config import Config
from proxy.executions import SILENT, ExecutionRequest
from proxy.principal import Principal
from proxy.state import PausedSummary, StateUnavailable
from proxy.telemetry import MetricsRegistry
from tests.integrations.echo import echo_server
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, inline, shop

CONFIG = Config.model_validate(
    {"version": 1, "workspaces": {"slow": {"elicitation": {"approval_timeout": "1h"}}, "default": {}}}
)
LOCAL = Principal("default", "local", "local")


class Store:
    now = 1000.0
    answer: PausedSummary | None = PausedSummary(0, None, None)

    async def summary(self) -> PausedSummary:
        if self.answer is None:
            raise StateUnavailable("Redis does not answer.")
        return self.answer


async def test_the_age_is_what_is_over_of_the_time_to_decide() -> None:
    store, metrics = Store(), MetricsRegistry()
    pending = ApprovalsWatch(store.summary, metrics, lambda: store.now)

    def figures() -> tuple[float | None, float | None]:
        pending.measure(CONFIG)
        names = ("executor_approvals_pending", "executor_approvals_oldest_pending_seconds")
        return metrics.value(names[0]), metrics.value(names[1])

    assert all(math.isnan(one or 0) for one in figures())
    await pending.look()
    assert figures() == (0, 0)
    store.answer = PausedSummary(2, store.now + 840, "default")
    await pending.look()
    assert figures() == (2, 60)
    store.now += 30
    assert figures() == (2, 90)
    # Somebody has made the time shorter since it paused.
    store.answer = PausedSummary(1, store.now + 2000, "default")
    await pending.look()
    assert figures() == (1, 0)
    # A workspace with a time of its own.
    store.answer = PausedSummary(1, store.now + 3000, "slow")
    await pending.look()
    assert figures() == (1, 600)
    store.answer = None
    await pending.look()
    assert all(math.isnan(one or 0) for one in figures())


async def test_a_pause_is_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        async with application_of(tmp_path, config_text(inline(shop(echo.url))), env) as application:
            request = ExecutionRequest("return (await tools.shop.items.delete({id: 'a'})).ok", 60_000)
            await application.gateway.execute(request, LOCAL, SILENT)
            await application.pending.look()
            application.gateway.metrics()
            assert application.metrics.value("executor_approvals_pending") == 1
            age = application.metrics.value("executor_approvals_oldest_pending_seconds")
            assert age is not None
            assert 0 <= age < 600
