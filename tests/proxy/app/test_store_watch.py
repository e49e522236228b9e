"""Readiness and the state store."""

from __future__ import annotations

from proxy.app.store_watch import StoreWatch
from proxy.state import StateUnavailable
from proxy.telemetry import Metrics


class Store:
    up = True

    async def check(self) -> None:
        if not self.up:
            raise StateUnavailable("Redis does not answer: gone.")


async def test_trouble_is_told_while_it_lasts() -> None:
    store, metrics = Store(), Metrics()
    watch = StoreWatch(store.check, metrics)
    troubles = [watch.trouble]
    store.up = False
    await watch.look()
    troubles.append(watch.trouble)
    assert b"executor_state_available 0.0" in metrics.render()[0]
    store.up = True
    await watch.look()
    troubles.append(watch.trouble)
    assert troubles == [None, "the state store cannot be used: Redis does not answer: gone.", None]
    assert b"executor_state_available 1.0" in metrics.render()[0]
