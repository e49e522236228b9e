"""The webhook's sender, over a real store and real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integrations.http import HttpClient
from proxy.config.secrets import Resolver
from proxy.executions import pauses
from proxy.live import Live
from proxy.state import State
from proxy.state.opening import open_state
from proxy.telemetry import MetricsRegistry
from proxy.webhooks import Timing, WebhookSender
from tests.integrations.echo import Echo, Reply, Seen, echo_server
from tests.proxy.support import LIMIT_SECONDS, config_text, generation_of
from tests.proxy.webhooks.samples import ADA, NOW, paused, settled
from tests.proxy.webhooks.test_signature import verified

SECRET = "whsec_" + base64.b64encode(b"a canary of thirty-two bytes.....").decode()
AT_ONCE = Timing(first_pause_seconds=0.0, attempts=3, sweep_seconds=1000.0)


def hook(url: str) -> str:
    return f"approvals: {{webhook: {{url: '{url}/hook', secret: {{env: HOOK}}}}}}\n"


class Counted(MetricsRegistry):
    """Rings whenever something is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.rung = asyncio.Event()

    def count(self, name: str, amount: float = 1, /, **labels: str) -> None:
        super().count(name, amount, **labels)
        self.rung.set()


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{one.message} {getattr(one, 'event_fields', '')}" for one in caplog.records)


@dataclass
class World:
    """A store, a config that serves, and a receiver. `events` are the bodies in order."""

    folder: Path
    env: Mapping[str, str]
    live: Live
    state: State
    echo: Echo
    http: HttpClient
    metrics: Counted = field(default_factory=Counted)

    @asynccontextmanager
    async def sender(
        self, secret: str | None = SECRET, timing: Timing = AT_ONCE, now: float = NOW
    ) -> AsyncIterator[None]:
        resolver = Resolver({} if secret is None else {"HOOK": secret})
        sender = WebhookSender(
            self.live, self.state, self.http, resolver, lambda execution, session: f"https://x/{execution}",
            self.metrics, timing=timing, clock=lambda: now,
        )  # fmt: skip
        task = asyncio.create_task(sender.run())  # noqa: TID251 - awaited right here
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def use(self, more: str) -> None:
        self.live.swap(await generation_of(self.folder, config_text(more=more), self.env, 2))

    async def pause(self, execution_id: str, *names: str) -> None:
        await paused(self.state, execution_id, *names)
        await self.state.publish(pauses("default"), execution_id.encode())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not condition():
                self.echo.arrived.clear()
                await self.echo.arrived.wait()

    async def counted(self, outcome: str, count: int = 1) -> None:
        """Until so many attempts ended in this way: that is known a moment after the receiver answered."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while self.count(outcome) < count:
                self.metrics.rung.clear()
                await self.metrics.rung.wait()

    def count(self, outcome: str) -> float:
        name = "executor_webhook_deliveries_total"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0

    @property
    def events(self) -> list[Any]:
        return [json.loads(one.body) for one in self.echo.log]

    @property
    def told(self) -> list[list[str]]:
        return [[one["id"] for one in event["data"]["interactions"]] for event in self.events]


@asynccontextmanager
async def world_of(folder: Path, env: Mapping[str, str], more: str | None = None) -> AsyncIterator[World]:
    async with (
        echo_server() as echo,
        open_state("memory", path=folder / "none", url=None, keys=()) as state,
        HttpClient() as http,
    ):
        live = Live(lambda _: None)
        text = config_text(more=hook(echo.url) if more is None else more)
        live.swap(await generation_of(folder, text, env))
        yield World(folder, env, live, state, echo, http)


def headers(seen: Seen) -> dict[str, str]:
    return {name.lower(): value for name, value in seen.headers}


async def test_a_new_pause_is_told_and_signed(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world, world.sender():
        await world.pause("exec_1", "int_1")
        await world.until(lambda: len(world.echo.log) == 1)
        await world.counted("sent")
        seen = world.echo.log[0]
        assert (seen.method, seen.path, seen.header("content-type")) == ("POST", "/hook", "application/json")
        assert verified(SECRET, headers(seen), seen.body)
        assert seen.header("webhook-timestamp") == str(int(NOW))
        data = world.events[0]["data"]
        assert (data["executionId"], data["accountId"], data["sessionId"]) == (
            "exec_1",
            ADA.account_id,
            "s_1",
        )
        assert data["approvalUrl"] == "https://x/exec_1"
        assert world.told == [["int_1"]]


async def test_pauses_of_before_the_start_are_told(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world:
        for number in range(3):
            await paused(world.state, f"exec_{number}", f"int_{number}")
        async with world.sender():
            await world.counted("sent", 3)
        async with world.sender():
            await world.pause("exec_9", "int_9")
            await world.counted("sent", 4)
        assert sorted(world.told) == [["int_0"], ["int_1"], ["int_2"], ["int_9"]], "each of them once"


async def test_of_two_replicas_one_sends(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world, world.sender(), world.sender():
        for number in range(5):
            await world.pause(f"exec_{number}", f"int_{number}")
        await world.counted("sent", 5)
        await world.pause("exec_last", "int_last")
        await world.counted("sent", 6)
        assert sorted(one[0] for one in world.told) == [
            "int_0",
            "int_1",
            "int_2",
            "int_3",
            "int_4",
            "int_last",
        ]


async def test_a_message_that_failed_is_sent_again_with_the_same_id(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with world_of(tmp_path, env) as world:
        world.echo.replies["/hook"] = [Reply(500), Reply(302, [("Location", "/elsewhere")]), Reply(204)]
        async with world.sender():
            await world.pause("exec_1", "int_1")
            await world.counted("sent")
        assert world.count("retried") == 2
        assert len({one.header("webhook-id") for one in world.echo.log}) == 1
        assert [one.path for one in world.echo.log] == ["/hook"] * 3, "redirects are not followed"


async def test_another_process_goes_on_where_one_stopped(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world:
        world.echo.replies["/hook"] = [Reply(503), Reply(200)]
        slow = Timing(first_pause_seconds=60.0, sweep_seconds=1000.0)
        async with world.sender(timing=slow):
            await world.pause("exec_1", "int_1")
            await world.counted("retried")
            assert len(world.echo.log) == 1, "not before its time"
        async with world.sender(now=NOW + 100):
            await world.counted("sent")
        assert len({one.header("webhook-id") for one in world.echo.log}) == 1


async def test_it_gives_up_in_the_end_and_says_so(
    tmp_path: Path, env: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with world_of(tmp_path, env) as world:
        world.echo.replies["/hook"] = [Reply(500)]
        with caplog.at_level(logging.WARNING, "executor.webhook"):
            async with world.sender():
                await world.pause("exec_1", "int_1")
                await world.counted("failed")
        assert len(world.echo.log) == AT_ONCE.attempts
        assert "webhook_given_up" in logged(caplog)
        assert "HTTP 500" in logged(caplog)


@pytest.mark.parametrize("secret", [None, "hush-hush-hush"])
async def test_nothing_is_sent_without_a_usable_secret(
    tmp_path: Path, env: Mapping[str, str], secret: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with world_of(tmp_path, env) as world:
        with caplog.at_level(logging.WARNING, "executor.webhook"):
            async with world.sender(secret):
                await world.pause("exec_1", "int_1")
                await world.counted("failed")
        assert world.echo.log == []
        assert "secret" in logged(caplog)
        assert "hush-hush-hush" not in logged(caplog)


async def test_a_receiver_that_is_gone_is_left_alone(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world, echo_server() as other:
        world.echo.replies["/hook"] = [Reply(410)]
        async with world.sender():
            await world.pause("exec_1", "int_1")
            await world.counted("failed")
            await world.pause("exec_2", "int_2")
            await world.use(hook(other.url))
            await world.counted("sent")
        assert len(world.echo.log) == 1
        assert json.loads(other.log[0].body)["data"]["executionId"] == "exec_2"


async def test_a_reload_turns_it_on_and_off(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env, more="") as world, world.sender():
        await world.pause("exec_1", "int_1")
        await world.use(hook(world.echo.url))
        await world.counted("sent")
        await world.use("")
        await world.pause("exec_2", "int_2")
        await world.use(hook(world.echo.url))
        await world.counted("sent", 2)
        assert world.told == [["int_1"], ["int_2"]]


async def test_a_pause_that_asks_nothing_new_is_not_told_again(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with world_of(tmp_path, env) as world, world.sender():
        await world.pause("exec_1", "int_1", "int_2")
        await world.counted("sent")
        await world.pause("exec_1", "int_2")
        await world.pause("exec_2", "int_3")
        await world.counted("sent", 2)
        await world.pause("exec_1", "int_2", "int_4")
        await world.counted("sent", 3)
        assert world.told == [["int_1", "int_2"], ["int_3"], ["int_2", "int_4"]]


async def test_what_was_decided_meanwhile_is_not_told(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with world_of(tmp_path, env) as world:
        await settled(world.state, await paused(world.state, "exec_1", "int_1"))
        async with world.sender():
            await world.state.publish(pauses("default"), b"exec_1")
            await world.pause("exec_2", "int_2")
            await world.counted("sent")
        assert world.told == [["int_2"]]


async def test_a_receiver_that_cannot_be_reached_holds_up_nobody(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with world_of(tmp_path, env, more=hook("http://127.0.0.1:9")) as world, world.sender():
        await world.pause("exec_1", "int_1")
        await world.counted("failed")
        assert world.count("retried") == AT_ONCE.attempts - 1
