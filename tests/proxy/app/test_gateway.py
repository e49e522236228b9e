"""What serving asks, answered by a whole application."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Failure
from proxy.app.application import Application
from proxy.auth import AuthError, AuthRequest, hash_key
from proxy.calls import PlainValue
from proxy.catalog import PAUSE_RULE
from proxy.executions import SILENT, ExecutionRequest
from proxy.principal import Principal
from proxy.serving.gateway import Gateway
from proxy.serving.http.errors import RateLimited
from proxy.serving.modes import ModeRules
from tests.integrations.echo import Reply, echo_server
from tests.proxy.app.started import application_of
from tests.proxy.support import Notice, config_text, inline, shop, written

LOCAL = Principal("default", "local", "local")
KEYS = f"""\
workspaces: {{a: {{}}, b: {{integrations: []}}}}
auth:
  anonymous: true
  api_keys: {{keys: {{bot: {{hash: "sha256:{hash_key("k3y")}", workspace: a, groups: [ops]}}}}}}
  roles: {{admin: [ops]}}
"""


class Heard(logging.Handler):
    """Tells that a line with these words was logged."""

    def __init__(self, words: str, notice: Notice) -> None:
        super().__init__()
        self._words, self._notice = words, notice

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self._notice()


@contextmanager
def hearing(words: str) -> Iterator[Notice]:
    notice = Notice()
    handler = Heard(words, notice)
    logger = logging.getLogger("executor.app")
    logger.addHandler(handler)
    try:
        yield notice
    finally:
        logger.removeHandler(handler)


async def known(
    application: Application, headers: dict[str, str], query: dict[str, str] | None = None
) -> Principal:
    return await application.gateway.authenticate(AuthRequest.of(headers, query or {}), "127.0.0.1")


async def reload(application: Application, folder: Path, text: str) -> str:
    written(folder, text)
    return (await application.gateway.reload()).outcome


async def test_it_is_a_gateway(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        gateway: Gateway = application.gateway
        assert gateway.ready(latest=True) == (True, "")
        assert gateway.config_sha256() == application.live.current.sha256


async def test_the_local_token(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        token = application.access.local_token
        assert token is not None
        local = await known(application, {"authorization": f"Bearer {token.reveal()}"})
        assert local == LOCAL
        assert application.gateway.is_admin(local)
        with pytest.raises(AuthError) as caught:
            await known(application, {})
    assert (caught.value.status, caught.value.code) == (401, -32001)
    assert caught.value.www_authenticate == 'Bearer realm="executor"'


async def test_keys_and_workspaces(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(more=KEYS), env) as application:
        bot = await known(application, {"x-api-key": "k3y"})
        assert bot == Principal("a", "key:bot", "key", frozenset({"ops"}))
        assert application.gateway.is_admin(bot)
        guest = await known(application, {}, {"workspaceId": "b"})
        assert guest == Principal("b", "anonymous", "anonymous")
        assert not application.gateway.is_admin(guest)
        with pytest.raises(AuthError) as caught:
            await known(application, {"x-api-key": "k3y"}, {"workspaceId": "b"})
    assert (caught.value.status, caught.value.www_authenticate) == (403, None)


async def test_a_key_that_a_reload_removed_is_refused(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(more=KEYS), env) as application:
        await known(application, {"x-api-key": "k3y"})
        assert (
            await reload(application, tmp_path, config_text(more=KEYS.replace(hash_key("k3y"), "0" * 64)))
            == "applied"
        )
        with pytest.raises(AuthError) as caught:
            await known(application, {"x-api-key": "k3y"})
    assert caught.value.status == 401


async def test_requests_over_the_limit(tmp_path: Path, env: Mapping[str, str]) -> None:
    limits = "rate_limits: {few: {per: workspace, limit: 2/hour}}\n"
    async with application_of(tmp_path, config_text(more=limits), env) as application:
        gateway = application.gateway
        for _ in range(2):
            await gateway.check_request_limit(LOCAL, "127.0.0.1")
        with pytest.raises(RateLimited) as caught:
            await gateway.check_request_limit(LOCAL, "127.0.0.1")
        assert caught.value.limit == "few"
        assert 0 < caught.value.retry_after_seconds <= 3601
        assert application.metrics.value("executor_rate_limit_hits_total", limit="few") == 1


async def test_executions_over_the_limit(tmp_path: Path, env: Mapping[str, str]) -> None:
    limits = "rate_limits: {runs: {per: user, applies_to: executions, limit: 1/hour}}\n"
    async with application_of(tmp_path, config_text(more=limits), env) as application:
        gateway = application.gateway
        result = await gateway.execute(ExecutionRequest("return 6 * 7"), LOCAL, SILENT)
        assert (result.status, result.result) == ("completed", 42)
        with pytest.raises(RateLimited):
            await gateway.execute(ExecutionRequest("return 1"), LOCAL, SILENT)
        await gateway.check_request_limit(LOCAL, "127.0.0.1")
        assert application.metrics.value("executor_executions_total", status="completed") == 1


async def test_code_calls_tools(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with (
        echo_server() as echo,
        application_of(tmp_path, config_text(inline(shop(echo.url))), env) as application,
    ):
        code = "return (await tools.shop.org.main.items.get({id: '7'})).data.path"
        result = await application.gateway.execute(ExecutionRequest(code), LOCAL, SILENT)
        assert result.result == "/items/7", result.text()
        code = "return await tools.shop.org.main.items.delete({id: '7'})"
        result = await application.gateway.execute(ExecutionRequest(code), LOCAL, SILENT)
        assert result.status == "waiting_for_interaction", result.text()
        assert [seen.method for seen in echo.log] == ["GET"]
        assert application.metrics.value("executor_tool_calls_total", integration="shop", outcome="ok") == 1


async def test_nothing_waits_for_a_decision(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        result = await application.gateway.resume("exec_1", "accept", None, None, LOCAL)
    assert result.status == "execution_not_found"


async def test_the_description_is_the_callers(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(more=KEYS), env) as application:
        text, revision = application.gateway.description(Principal("a", "key:bot", "key"))
        other, _ = application.gateway.description(Principal("b", "anonymous", "anonymous"))
        assert "shop.org.main" in text
        assert PAUSE_RULE in text
        assert "shop" not in other
        assert len(text.encode()) <= 2048
        assert application.gateway.changes_since(Principal("a", "x", "user"), revision) is None


async def test_an_edit_changes_the_description_and_is_announced(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    heard: list[frozenset[str]] = []
    async with application_of(tmp_path, config_text(), env) as application:
        gateway = application.gateway
        text, revision = gateway.description(LOCAL)
        stop = gateway.subscribe(heard.append)
        assert await reload(application, tmp_path, config_text(more="  shop.org.second: {}\n")) == "applied"
        assert heard == [frozenset({"default"})]
        assert "shop.org.second" in gateway.description(LOCAL)[0]
        assert "shop.org.second" not in text
        changed = gateway.changes_since(LOCAL, revision)
        assert changed is not None
        assert changed[0] == (
            "Changed since you last listed tools: shop. Search again before you rely on them."
        )
        assert gateway.changes_since(LOCAL, changed[1]) is None
        stop()
        await reload(application, tmp_path, config_text())
        assert len(heard) == 1


def document(**parts: Any) -> Reply:
    return Reply(200, [("Content-Type", "application/json")], json.dumps(shop(**parts)).encode())


async def test_a_document_that_changes_is_announced(tmp_path: Path, env: Mapping[str, str]) -> None:
    rung = Notice()
    async with echo_server() as echo:
        echo.replies["/api.json"] = [document(paths={})]
        text = config_text(f"{{url: {echo.url}/api.json, refresh: 5ms}}")
        async with application_of(tmp_path, text, env) as application:
            application.gateway.subscribe(lambda changed: rung())
            before, revision = application.gateway.description(LOCAL)
            echo.replies["/api.json"] = [document()]
            await rung.wait()
            assert application.gateway.description(LOCAL)[0] != before
            assert application.gateway.changes_since(LOCAL, revision) is not None
            assert application.live.current.number == 1


async def test_a_changed_document_beside_one_that_is_wrong_by_now(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """What serves stays, and keeps serving: the wrong file is the next reload's to report."""
    file = tmp_path / "twin.json"
    file.write_text(json.dumps(shop()))
    async with echo_server() as echo:
        echo.replies["/api.json"] = [document(paths={})]
        spec = f"{{url: {echo.url}/api.json, refresh: 5ms}}\n  twin: {{kind: openapi, spec: {{file: twin.json}}}}"
        text = config_text(spec, more="  twin.org.main: {}\n")
        async with application_of(tmp_path, text, env) as application:
            rung = Notice()
            application.gateway.subscribe(lambda changed: rung())
            before = application.live.current
            with hearing("cannot be served") as said:
                file.write_text("{}")
                echo.replies["/api.json"] = [document()]
                await said.wait()
            assert application.live.current is before
            file.write_text(json.dumps(shop()))
            echo.replies["/api.json"] = [document(info={"title": "Shop", "version": "3"})]
            await rung.wait()
            assert application.live.current is not before


async def test_a_workspace_that_left_the_config(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        with pytest.raises(AuthError) as caught:
            application.gateway.description(Principal("gone", "local", "local"))
    assert caught.value.status == 403


async def test_requests_are_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        application.gateway.request_finished("/mcp", 200, 0.01)
        assert application.metrics.value("executor_requests_total", path="/mcp", status="200") == 1


async def test_tools_and_decisions_as_the_caller_would_get_them(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    rules = """\
policies:
  - {id: hush, pattern: "shop.*.*.*.delete", action: block, reason: never, disclose: false, when: {id: {in: [a]}}}
  - {id: gone, pattern: shop.org.main.items.create, action: block, principals: [user:ann]}
"""
    async with application_of(tmp_path, config_text(more=rules), env) as application:
        gateway: Gateway = application.gateway
        ann = Principal("default", "user:ann", "user")
        page = await gateway.look_up("catalog.tools", {"query": ""}, ann)
        assert isinstance(page, PlainValue)
        assert "shop.org.main.items.create" not in repr(page.value)
        told = gateway.explain(ann, "shop.org.main.items.delete", {"id": "a"})
        assert isinstance(told, dict)
        assert (told["action"], told["rule"], told["reason"]) == ("block", None, None)
        assert "considered" not in told
        whole = gateway.explain(LOCAL, "shop.org.main.items.delete", {"id": "a"})
        assert isinstance(whole, dict)
        assert (whole["rule"], len(whole["considered"])) == ("hush", 1)
        hidden = gateway.explain(ann, "shop.org.main.items.create", None)
        unknown = gateway.explain(ann, "shop.org.main.items.nothing", None)
        assert isinstance(hidden, Failure)
        assert isinstance(unknown, Failure)
        assert hidden.code == unknown.code == "tool_not_found"


async def test_an_ambiguous_tool_is_named(tmp_path: Path, env: Mapping[str, str]) -> None:
    two = config_text().replace("shop.org.main: ", "shop.org.main: {}\n  shop.org.other: ")
    async with application_of(tmp_path, two, env) as application:
        found = application.gateway.explain(LOCAL, "shop.items.list", None)
        assert isinstance(found, Failure)
        assert found.code == "tool_ambiguous"


async def test_a_workspaces_own_words_about_approvals_go_first(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    more = "elicitation: {mode: browser, client_may_choose: false}\n"
    spaces = "workspaces: {a: {}, b: {elicitation: {mode: native, client_may_choose: true}}}\n"
    async with application_of(tmp_path, config_text(more=more + spaces), env) as application:
        rules = [application.gateway.elicitation(Principal(name, "x", "key")) for name in ("a", "b")]
        assert rules == [ModeRules("browser", client_may_choose=False), ModeRules("native")]
