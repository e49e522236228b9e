"""What operators see, of a whole application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from proxy.app.operations import Operations
from proxy.live import Live
from proxy.reload import Reloader
from proxy.sandbox import Pool, PoolOptions
from proxy.telemetry import MetricsRegistry
from tests.integrations.echo import Reply, echo_server
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.reload.sources import Source
from tests.proxy.support import LIMIT_SECONDS, config_text, inline, shop, written

TOKEN = "{auth: {kind: bearer, token: {env: SHOP_TOKEN}}}"
CANARY = "canary-6f1c"


async def test_status(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(connection=TOKEN, more=MEMORY)
    async with application_of(tmp_path, text, env, {"SHOP_TOKEN": CANARY}) as application:
        status = application.gateway.status()
    assert status["config"]["generation"] == 1
    assert status["config"]["in_sync"] is True
    assert status["connections"] == [
        {
            "connection": "shop.org.main",
            "kind": "openapi",
            "tools": 4,
            "declared_at": f"{tmp_path / 'executor.yaml'}:8",
            "status": "connected",
            "warnings": [],
        }
    ]
    assert status["sandbox"].keys() == {"warm", "busy", "hardening", "missing", "typescript"}
    assert status["leases"] == 0
    assert isinstance(status["version"], str)
    assert CANARY not in json.dumps(status)


async def test_a_rejected_edit_leaves_it_ready_but_not_the_latest(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        written(tmp_path, config_text(more="colour: blue\n"))
        report = await application.gateway.reload()
        assert report.outcome == "rejected"
        assert report.body["valid"] is False
        assert report.body["diagnostics"][0]["code"] == "E201"
        assert application.gateway.ready(latest=False) == (True, "")
        ready, why = application.gateway.ready(latest=True)
        assert not ready
        assert "/-/status" in why
        last = application.gateway.status()["config"]["last_reload"]
        assert (last["result"], last["trigger"], last["errors"]) == ("rejected", "http", 1)


async def test_reloads_say_what_became_of_them(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        assert (await application.gateway.reload()).outcome == "unchanged"
        written(tmp_path, config_text(more="policies: []\nconsole: {enabled: false}\n"))
        report = await application.gateway.reload()
    assert (report.outcome, report.body["generation"], report.body["changed"]) == ("applied", 2, True)


async def test_a_wrong_document_is_rejected_with_its_line(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        written(tmp_path, config_text('{inline: {openapi: "9.0"}}'))
        report = await application.gateway.reload()
        assert report.outcome == "rejected"
        (wrong,) = report.body["diagnostics"]
        assert (wrong["code"], wrong["line"], wrong["path"]) == ("E206", 6, "integrations.shop.spec")
        assert "OpenAPI version '9.0' is not supported" in wrong["message"]
        assert application.live.current.number == 1


async def test_the_effective_config_has_references_only(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(connection=TOKEN, more=MEMORY)
    async with application_of(tmp_path, text, env, {"SHOP_TOKEN": CANARY}) as application:
        config, sha256 = application.gateway.config()
        assert sha256 == application.live.current.sha256
    assert config["connections"]["shop.org.main"]["auth"] == {
        "kind": "bearer",
        "token": {"env": "SHOP_TOKEN"},
    }
    assert CANARY not in json.dumps(config)


async def test_hashes_of_keys_are_not_shown(tmp_path: Path, env: Mapping[str, str]) -> None:
    digest = "ab" * 32
    keys = f"{{ci: {{hash: sha256:{digest}, groups: [ops]}}, bot: {{value: {{env: BOT}}}}}}"
    text = config_text(more=f"auth: {{api_keys: {{keys: {keys}}}}}\n{MEMORY}")
    async with application_of(tmp_path, text, env, {"BOT": CANARY}) as application:
        config, _ = application.gateway.config()
    shown = config["auth"]["api_keys"]["keys"]
    assert (shown["ci"]["hash"], shown["ci"]["groups"]) == ("***", ["ops"])
    assert shown["bot"]["value"] == {"env": "BOT"}
    assert digest not in json.dumps(config)


async def test_metrics_show_connections_as_they_are(tmp_path: Path, env: Mapping[str, str]) -> None:
    secret = tmp_path / "token"
    secret.write_text(CANARY)
    spec = f"{inline(shop())}\n  twin: {{kind: openapi, spec: {inline(shop())}}}"
    text = config_text(spec, connection=f"{{auth: {{kind: bearer, token: {{file: {secret}}}}}}}")
    async with application_of(tmp_path, text + "  twin.org.main: {}\n", env) as application:
        before = application.gateway.metrics().decode()
        assert 'executor_connection_status{connection="shop.org.main",status="connected"} 1.0' in before
        assert 'executor_sandbox_workers{state="busy"} 0.0' in before
        secret.unlink()
        after = application.gateway.metrics().decode()
        assert 'executor_connection_status{connection="shop.org.main",status="needs_secret"} 1.0' in after
        assert 'connection="shop.org.main",status="connected"' not in after
        secret.write_text(CANARY)
        written(tmp_path, text)
        assert (await application.gateway.reload()).outcome == "applied"
        assert "twin.org.main" not in application.gateway.metrics().decode()
    assert CANARY not in before + after


async def test_before_a_config_is_active_it_is_not_ready() -> None:
    source, metrics = Source(), MetricsRegistry()
    reloader = Reloader(source.load, source.build, source.swap, metrics=metrics)
    async with Pool(PoolOptions(workers=1, prepare_typescript_seconds=None)) as pool:
        operations = Operations(Live(lambda _: None), lambda: reloader, lambda: pool, metrics)
        assert operations.ready(latest=False) == (False, "no configuration is active")
        assert operations.status()["connections"] == []
        assert b"executor_sandbox_workers" in operations.metrics()


async def test_health_is_probed_and_shown(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        text = config_text(f"{inline(shop(echo.url))}\n    health: {{tool: items.list, identity: 0.name}}")
        echo.replies["/items"] = [Reply(200, [("Content-Type", "application/json")], b'[{"name": "Ann"}]')]
        async with application_of(tmp_path, text, env) as application:
            async with asyncio.timeout(LIMIT_SECONDS):
                await echo.arrived.wait()
                # The report follows the answer by a few turns of the loop.
                while not (row := application.gateway.status()["connections"][0]).get("health"):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            assert (row["health"]["healthy"], row["health"]["identity"]) == (True, "Ann")
            healthy = b'executor_connection_healthy{connection="shop.org.main"} 1.0'
            assert healthy in application.gateway.metrics()
            written(tmp_path, config_text(inline(shop(echo.url))))
            assert (await application.gateway.reload()).outcome == "applied"
            assert "health" not in application.gateway.status()["connections"][0]
            assert b"executor_connection_healthy{" not in application.gateway.metrics()


async def test_a_probe_that_writes_is_rejected_with_its_line(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        written(tmp_path, config_text(f"{inline(shop())}\n    health: {{tool: items.delete}}"))
        report = await application.gateway.reload()
        (wrong,) = report.body["diagnostics"]
        assert (wrong["code"], wrong["line"]) == ("E206", 7)
        assert application.live.current.number == 1
