"""Health probes against real servers: what is asked, what is said about it, and when it is asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Credential, JsonObject, PreparedCall, Result
from integrations.shared_config import Health
from proxy.connections.connection import OpenConnection
from proxy.connections.health import (
    HealthChecks,
    HealthReport,
    ProbeTarget,
    log_change,
    probe,
    probe_all,
    targets_of,
)
from tests.integrations.echo import Echo, Reply, echo_server
from tests.proxy.support import (
    LIMIT_SECONDS,
    config_of,
    config_text,
    connections_in,
    inline,
    logged,
    shop,
    supervised,
)

TOKEN = "{auth: {kind: bearer, token: {env: TOKEN}}}"
CANARY = "canary-b7d1"


def health(tool: str = "items.get", **more: Any) -> Health:
    return Health.model_validate({"tool": tool, **more})


@asynccontextmanager
async def opened(
    tmp_path: Path, env: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Echo, OpenConnection]]:
    async with (
        echo_server() as echo,
        connections_in(env, secrets=secrets or {"TOKEN": CANARY}) as connections,
    ):
        text = config_text(inline(shop(echo.url)), connection=TOKEN)
        found = await connections.open(config_of(tmp_path, text))
        yield echo, found.connections["shop.org.main"]


def named(name: str) -> Reply:
    return Reply(200, [("Content-Type", "application/json")], f'{{"id": "1", "name": "{name}"}}'.encode())


async def test_a_probe_calls_the_tool_with_the_credential(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env) as (echo, connection):
        echo.replies["/items/me"] = [named("Ann")]
        report = await probe(ProbeTarget(connection, health(arguments={"id": "me"}, identity="name")))
        assert (report.healthy, report.identity, report.error) == (True, "Ann", None)
        assert echo.log[-1].header("authorization") == f"Bearer {CANARY}"


async def test_an_upstream_that_repeats_the_credential_is_not_quoted(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with opened(tmp_path, env) as (echo, connection):
        echo.replies["/items/me"] = [Reply(401, [], f'{{"message": "bad {CANARY}"}}'.encode()), named(CANARY)]
        target = ProbeTarget(connection, health(arguments={"id": "me"}, identity="name"))
        refused, repeated = await probe(target), await probe(target)
        assert (refused.healthy, refused.error) == (False, "connection_rejected (HTTP 401)")
        assert repeated.identity == "[redacted]"
        assert CANARY not in str([refused.as_json(), repeated.as_json()])


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("items.destroy", {}, "there is no tool `items.destroy`"),
        ("items.delete", {"id": "1"}, "`items.delete` does not only read"),
        ("items.create", {}, "`items.create` does not only read"),
        ("items.get", {}, "wrong arguments for `items.get`"),
    ],
)
async def test_what_cannot_be_probed_is_not_sent(
    tmp_path: Path, env: Mapping[str, str], tool: str, arguments: JsonObject, words: str
) -> None:
    async with opened(tmp_path, env) as (echo, connection):
        report = await probe(ProbeTarget(connection, health(tool, arguments=arguments)))
        assert report.healthy is None
        assert words in (report.error or "")
        assert echo.log == []


async def test_a_missing_secret_is_not_healthy(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env, {"OTHER": "x"}) as (echo, connection):
        report = await probe(ProbeTarget(connection, health(arguments={"id": "1"})))
        assert (report.healthy, report.error) == (False, "connection_value_missing")
        assert echo.log == []


async def test_a_connection_without_upstream_says_why() -> None:
    down = OpenConnection(
        "a", "org", "main", "openapi", "", 1, "", None, Credential, {"status": "failed", "error": "gone"}
    )
    assert (await probe(ProbeTarget(down, health()))).error == "gone"


async def test_an_identity_that_is_no_text_is_left_out(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env) as (echo, connection):
        for identity in ("nothing", "id.deeper"):
            echo.replies["/items/me"] = [named("Ann")]
            report = await probe(ProbeTarget(connection, health(arguments={"id": "me"}, identity=identity)))
            assert (report.healthy, report.identity) == (True, None)


def test_reports_as_json_leave_out_what_there_is_not() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert HealthReport(True, at, 12, "ann").as_json() == {
        "healthy": True,
        "checkedAt": "2026-01-02T03:04:05+00:00",
        "milliseconds": 12,
        "identity": "ann",
    }
    assert HealthReport(None, at, error="no").as_json()["error"] == "no"


async def test_only_integrations_with_health_are_targets(tmp_path: Path, env: Mapping[str, str]) -> None:
    probed = f"{inline(shop())}\n    health: {{tool: items.list}}\n  quiet: {{kind: openapi, spec: {inline(shop())}}}"
    config = config_of(tmp_path, config_text(probed, more="  quiet.org.main: {}\n  shop.org.other: {}\n"))
    async with connections_in(env) as connections:
        found = await connections.open(config)
        targets = targets_of(found.connections, config)
    assert [one.connection.prefix for one in targets] == ["shop.org.main", "shop.org.other"]


class Reports:
    """Hears of reports, and lets tests wait for them."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, HealthReport]] = asyncio.Queue(100)

    def __call__(self, prefix: str, before: HealthReport | None, now: HealthReport) -> None:
        self.heard.put_nowait((prefix, now))

    async def next(self) -> HealthReport:
        async with asyncio.timeout(LIMIT_SECONDS):
            return (await self.heard.get())[1]


async def test_what_is_watched_is_probed_again_when_it_changed(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    reports = Reports()
    async with opened(tmp_path, env) as (echo, connection), supervised() as tasks:
        checks = HealthChecks(tasks, reports, first_seconds=0)
        checks.watch([ProbeTarget(connection, health(arguments={"id": "1"}))])
        assert (await reports.next()).healthy
        checks.watch([ProbeTarget(connection, health(arguments={"id": "1"}))])
        checks.watch([ProbeTarget(connection, health("items.destroy"))])
        assert (await reports.next()).healthy is None
        assert len(echo.log) == 1
        remembered = checks.report("shop.org.main")
        assert remembered is not None
        assert remembered.healthy is None
        await checks.stop()
        assert checks.report("shop.org.main") is None


async def test_probes_go_on_at_their_interval(tmp_path: Path, env: Mapping[str, str]) -> None:
    reports = Reports()
    often = health(arguments={"id": "1"}).model_copy(update={"interval": 0.01})
    async with opened(tmp_path, env) as (echo, connection), supervised() as tasks:
        checks = HealthChecks(tasks, reports, first_seconds=0)
        echo.replies["/items/1"] = [Reply(500), named("Ann")]
        checks.watch([ProbeTarget(connection, often)])
        assert [(await reports.next()).healthy for _ in range(3)][-1]
        await checks.stop()


class Broken:
    """An upstream with a defect."""

    def __init__(self, upstream: Any) -> None:
        self.toolset = upstream.toolset
        self.prepare = upstream.prepare

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        raise RuntimeError(CANARY)

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_a_defect_ends_neither_the_task_nor_the_server(
    tmp_path: Path, env: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    reports = Reports()
    async with opened(tmp_path, env) as (_, connection), supervised() as tasks:
        from dataclasses import replace

        broken = replace(connection, upstream=Broken(connection.upstream))
        checks = HealthChecks(tasks, reports, first_seconds=0)
        checks.watch([ProbeTarget(broken, health(arguments={"id": "1"}))])
        report = await reports.next()
        await checks.stop()
    assert (report.healthy, report.error) == (None, "internal_error")
    assert "RuntimeError" in logged(caplog)
    assert CANARY not in logged(caplog)


async def test_all_are_probed_at_once(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env) as (echo, connection):
        found = await probe_all([ProbeTarget(connection, health(arguments={"id": "1"}))])
        assert found["shop.org.main"].healthy
        assert len(echo.log) == 1


def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = datetime.now(UTC)
    well, ill = HealthReport(True, now), HealthReport(False, now, error="upstream_timeout")
    with caplog.at_level(logging.INFO, "executor.connections"):
        for before, after in ((None, well), (well, well), (well, ill), (ill, ill), (ill, well)):
            log_change("a.org.main", before, after)
    assert [one.levelname for one in caplog.records] == ["INFO", "WARNING", "INFO"]
    assert "upstream_timeout" in logged(caplog)


async def test_what_every_account_signs_in_to_is_not_probed(tmp_path: Path, env: Mapping[str, str]) -> None:
    entry = "{auth: {kind: oauth2, grant: authorization_code, issuer: https://i.example.com}}"
    spec = f"{inline(shop())}\n    health: {{tool: items.list}}"
    config = config_of(tmp_path, config_text(spec, connection=entry, more=f"  shop.user.me: {entry}\n"))
    async with connections_in(env) as connections:
        opened = (await connections.open(config)).connections
        assert [one.connection.prefix for one in targets_of(opened, config)] == ["shop.org.main"]
