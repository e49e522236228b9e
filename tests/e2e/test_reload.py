"""A running server and its files: every way of saving them, good and bad content, and what callers notice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client.subscriptions import ToolsListChanged

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import LIMIT_SECONDS, MODERN, Answer, Proxy, post, serving
from tests.e2e.upstream import Upstream, document

Save = Callable[[Path, str], None]
LIST = "return (await tools.shop.org.main.things.list({})).ok"


@dataclass
class Site:
    """A served config: its file, and a number that makes every edition of it another one."""

    proxy: Proxy
    file: Path
    api: Upstream
    editions: Iterator[int]

    def config(self, *rules: dict[str, Any], **sections: Any) -> tuple[str, dict[str, Any]]:
        """A new edition: its name stands in the description of `execute`."""
        name = f"Edition {next(self.editions)}"
        shop = configs.shop(self.api, description=name)
        return name, configs.base(self.api, *rules, **{"integrations": {"shop": shop}, **sections})

    async def apply(self, *rules: dict[str, Any], save: Save | None = None, **sections: Any) -> str:
        """Save a new edition and wait until it serves."""
        name, config = self.config(*rules, **sections)
        since = self.proxy.err.mark()
        (save or in_place)(self.file, configs.text(config))
        await asyncio.to_thread(self.proxy.logged, "config applied", since)
        assert name in await described(self.proxy)
        return name

    async def reject(self, text: str | None) -> dict[str, Any]:
        """Save content that cannot serve (None: no file) and give back the log line that says why."""
        since = self.proxy.err.mark()
        if text is None:
            self.file.unlink()
        else:
            self.file.write_text(text)
        return await asyncio.to_thread(self.proxy.logged, "config rejected", since)

    async def in_sync(self) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (await self.proxy.status())["config"]["in_sync"]:
                pass


async def described(proxy: Proxy) -> str:
    async with proxy.sdk(MODERN) as client:
        tools = (await client.list_tools()).tools
    return tools[0].description or ""


@pytest.fixture(scope="module")
def site(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A watched file."""
    folder = tmp_path_factory.mktemp("watched")
    file = configs.write(folder / "executor.yaml", configs.base(api))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        yield Site(proxy, file, api, count(1))


@pytest.fixture(scope="module")
def asked(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A file that is read again only when somebody asks."""
    folder = tmp_path_factory.mktemp("asked")
    file = configs.write(folder / "executor.yaml", configs.base(api))
    with serving(file, folder / "state", "--no-watch", env=configs.ENV) as proxy:
        yield Site(proxy, file, api, count(1))


# ---- every way of saving -------------------------------------------------------------------------------------------
def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def renamed_over(file: Path, text: str) -> None:
    draft = file.with_name(".draft.tmp")
    draft.write_text(text)
    draft.replace(file)


def like_vim(file: Path, text: str) -> None:
    """`backupcopy=no`: the old file steps aside, a new one takes its name, the backup goes."""
    backup = file.with_name(f"{file.name}~")
    file.rename(backup)
    file.write_text(text)
    backup.unlink()


def in_pieces(file: Path, text: str) -> None:
    """A slow writer: many small writes, each of them visible at once."""
    with file.open("w") as target:
        for start in range(0, len(text), 64):
            target.write(text[start : start + 64])
            target.flush()
            os.fsync(target.fileno())


def deleted_and_made_again(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


@pytest.mark.parametrize("save", [in_place, renamed_over, like_vim, in_pieces, deleted_and_made_again])
async def test_every_way_of_saving_is_seen_and_the_next_one_too(site: Site, save: Save) -> None:
    before = (await site.proxy.status())["config"]["generation"]
    first = await site.apply(save=save)
    second = await site.apply(save=save)
    assert first != second
    assert (await site.proxy.status())["config"]["generation"] == before + 2


async def test_a_document_that_the_config_names_is_watched_as_well(site: Site) -> None:
    spec = site.file.with_name("shop.json")
    spec.write_text(json.dumps(document()))
    shop = configs.shop(site.api) | {"spec": {"file": "shop.json"}}
    _, config = site.config(integrations={"shop": shop})
    since = site.proxy.err.mark()
    configs.write(site.file, config)
    await asyncio.to_thread(site.proxy.logged, "config applied", since)
    since = site.proxy.err.mark()
    spec.write_text(json.dumps(document(things_list="Lists every last thing")))
    entry = await asyncio.to_thread(site.proxy.logged, "config applied", since)
    assert entry["tools"] == "+0-0~1"
    code = "return (await tools.describe.tool({path: 'shop.org.main.things.list'})).description"
    assert await site.proxy.value(code) == "Lists every last thing"


# ---- bad content ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E105"),
        ("# only a comment\n", "E105"),
        ("version: 1\nintegrations: {shop: [\n", "E101"),
        ("version: 1\nintergrations: {}\n", "E201"),
        (None, None),
    ],
)
async def test_bad_content_changes_nothing_and_says_why(
    site: Site, text: str | None, code: str | None
) -> None:
    name = await site.apply()
    sha256 = (await site.proxy.execute(LIST)).raw["_meta"]["executor/config-sha256"]
    await site.reject(text)
    assert name in await described(site.proxy)
    answer = await site.proxy.execute(LIST)
    assert answer.value is True
    assert answer.raw["_meta"]["executor/config-sha256"] == sha256
    config = (await site.proxy.status())["config"]
    assert (config["in_sync"], config["last_reload"]["result"]) == (False, "rejected")
    if code is not None:
        assert code in [one["code"] for one in config["last_reload"]["diagnostics"]]
    assert (await site.proxy.get("/-/ready")).status_code == 200
    assert (await site.proxy.get("/-/ready?config=latest")).status_code == 503
    assert await site.proxy.counted("executor_config_last_reload_successful") == 0
    assert await site.proxy.counted("executor_config_errors") >= 1
    await site.apply()
    assert await site.proxy.counted("executor_config_last_reload_successful") == 1
    assert await site.proxy.counted("executor_config_errors") == 0


async def test_a_diagnostic_names_file_line_and_remedy(site: Site) -> None:
    await site.apply()
    good = site.file.read_text()
    entry = await site.reject(good.replace('"description"', '"descripton"'))
    line = good[: good.index('"description"')].count("\n") + 1
    assert f"executor.yaml:{line}:" in entry["detail"]
    assert "E201" in entry["detail"]
    diagnostic = (await site.proxy.status())["config"]["last_reload"]["diagnostics"][0]
    assert (diagnostic["code"], diagnostic["line"]) == ("E201", line)
    assert "`description`" in diagnostic["help"]
    in_place(site.file, good)
    await site.in_sync()


async def test_going_back_to_what_runs_ends_the_alarm_without_a_new_generation(site: Site) -> None:
    await site.apply()
    before = (await site.proxy.status())["config"]["generation"]
    good = site.file.read_text()
    await site.reject("nonsense: [")
    in_place(site.file, good)
    await site.in_sync()
    assert (await site.proxy.status())["config"]["generation"] == before
    assert await site.proxy.counted("executor_config_last_reload_successful") == 1


async def test_a_new_environment_variable_needs_a_restart_and_says_so(site: Site) -> None:
    await site.apply()
    connection = {"auth": {"kind": "bearer", "token": {"env": "SHOP_TOKEN_TWO"}}}
    _, config = site.config(connections={"shop.org.main": connection})
    await site.reject(configs.text(config))
    diagnostic = (await site.proxy.status())["config"]["last_reload"]["diagnostics"][0]
    assert diagnostic["code"] == "E402"
    assert diagnostic["help"].startswith("this process was started without SHOP_TOKEN_TWO; restart it")
    await site.apply()


async def test_comments_and_order_are_no_change(site: Site) -> None:
    await site.apply()
    before = (await site.proxy.status())["config"]
    text = site.file.read_text()
    in_place(site.file, "# a comment\n" + text)
    since = site.proxy.err.mark()
    site.proxy.signal(signal.SIGHUP)
    await asyncio.to_thread(site.proxy.logged, "config unchanged", since, trigger="sighup")
    assert (await site.proxy.status())["config"]["generation"] == before["generation"]


async def test_a_changed_address_needs_a_restart_and_the_rest_is_taken_over(site: Site) -> None:
    _, config = site.config()
    server = {**config["server"], "listen": "127.0.0.1:1"}
    name = await site.apply(server=server)
    assert (await site.proxy.status())["config"]["restart_required"] == ["server.listen"]
    assert await site.proxy.counted("executor_config_restart_required") == 1
    assert name in await described(site.proxy)
    await site.apply()
    assert (await site.proxy.status())["config"]["restart_required"] == []


# ---- who asks ------------------------------------------------------------------------------------------------------
async def test_sighup_reloads_also_without_watching(asked: Site) -> None:
    name, config = asked.config()
    configs.write(asked.file, config)
    since = asked.proxy.err.mark()
    asked.proxy.signal(signal.SIGHUP)
    await asyncio.to_thread(asked.proxy.logged, "config applied", since, trigger="sighup")
    assert name in await described(asked.proxy)


async def reload(site: Site) -> Any:
    async with site.proxy.client(site.proxy.admin) as client:
        return await client.post("/-/reload")


async def test_post_reload_answers_with_what_it_did(asked: Site) -> None:
    name, config = asked.config()
    configs.write(asked.file, config)
    applied = await reload(asked)
    assert applied.status_code == 200
    body = applied.json()
    status = (await asked.proxy.status())["config"]
    assert (body["changed"], body["generation"], body["sha256"]) == (
        True,
        status["generation"],
        status["sha256"],
    )
    assert name in await described(asked.proxy)
    again = (await reload(asked)).json()
    assert (again["changed"], again["generation"]) == (False, body["generation"])


async def test_post_reload_refuses_a_bad_edit_with_its_diagnostics(asked: Site) -> None:
    good = asked.file.read_text()
    asked.file.write_text(good.replace('"version": 1', '"version": 2'))
    refused = await reload(asked)
    assert refused.status_code == 422
    body = refused.json()
    assert (body["format_version"], body["valid"]) == ("1", False)
    assert body["errors"] == len(body["diagnostics"]) == 1
    assert body["diagnostics"][0]["line"] == 2
    asked.file.write_text(good)
    assert (await reload(asked)).json()["changed"] is False


@pytest.mark.parametrize(
    "key",
    [
        {"hosts": ["tools.example"]},
        {"trusted_proxies": ["192.0.2.1/32"]},
        {"public_url": "https://tools.example"},
    ],
    ids=lambda key: next(iter(key)),
)
async def test_a_reload_that_says_who_else_comes_closes_the_routes_of_operators(
    asked: Site, key: dict[str, Any]
) -> None:
    """Record 0064. Without a word of others, who reaches a loopback listener without a key is its operator."""

    async def served_with(server: dict[str, Any]) -> int:
        _, config = asked.config()
        configs.write(asked.file, {**config, "server": {**config["server"], **server}})
        since = asked.proxy.err.mark()
        asked.proxy.signal(signal.SIGHUP)
        await asyncio.to_thread(asked.proxy.logged, "config applied", since, trigger="sighup")
        return (await nobody.get("/-/config")).status_code

    async with httpx2.AsyncClient(base_url=asked.proxy.url) as nobody:
        assert await served_with({}) == 200
        assert await served_with(key) == 401
        assert await served_with({}) == 200


async def test_callers_follow_the_config_and_a_revoked_key_is_out(asked: Site) -> None:
    """From the local token to keys, one key less, and back: each by one reload."""
    kept, lost = "kept-key-0123456789", "lost-key-0123456789"
    keys = {
        name: {"hash": f"sha256:{hash_key(key)}", "workspace": "default"}
        for name, key in {"kept": kept, "lost": lost}.items()
    }

    async def status_of(token: str | None) -> int:
        async with asked.proxy.client(token) as client:
            return (await post(client, "execute", {"code": "1"})).status_code

    async def use(sections: dict[str, Any]) -> int:
        _, config = asked.config(**sections)
        configs.write(asked.file, config)
        return int((await reload(asked)).status_code)

    local = asked.proxy.token
    auth = {"api_keys": {"keys": keys}, "roles": {"admin": ["key:kept"]}}
    assert await use({"auth": auth, "workspaces": {"default": {}}}) == 200
    assert [await status_of(one) for one in (local, kept, lost)] == [401, 200, 200]
    # Loopback alone does not make an operator any more.
    assert (await reload(asked)).status_code == 401
    asked.proxy.admin = kept
    del keys["lost"]
    assert await use({"auth": auth, "workspaces": {"default": {}}}) == 200
    assert [await status_of(one) for one in (local, kept, lost)] == [401, 200, 401]
    assert await use({}) == 200
    asked.proxy.admin = None
    assert [await status_of(one) for one in (local, kept, lost)] == [200, 401, 401]


# ---- who is told ---------------------------------------------------------------------------------------------------
async def test_a_handshake_client_is_notified_and_lists_the_new_description(site: Site) -> None:
    heard = asyncio.Event()

    async def message(incoming: Any) -> None:
        if isinstance(incoming, types.ToolListChangedNotification):
            heard.set()

    async with site.proxy.sdk("legacy", message_handler=message) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True
        await client.list_tools()
        name = await site.apply()
        await asyncio.wait_for(heard.wait(), LIMIT_SECONDS)
        assert name in ((await client.list_tools()).tools[0].description or "")


async def test_a_listening_stateless_client_is_notified(site: Site) -> None:
    async with site.proxy.sdk(MODERN) as client, client.listen(tools_list_changed=True) as events:
        await site.apply()
        assert isinstance(await asyncio.wait_for(anext(events), LIMIT_SECONDS), ToolsListChanged)


async def test_a_client_that_did_not_list_again_is_told_in_the_result(site: Site) -> None:
    await site.apply()
    async with site.proxy.sdk("legacy") as client:
        await client.list_tools()
        first = Answer((await client.call_tool("execute", {"code": LIST})).model_dump(by_alias=True))
        await site.apply()
        second = Answer((await client.call_tool("execute", {"code": LIST})).model_dump(by_alias=True))
    assert first.text == "true"
    assert second.text == "true"
    assert "shop" in second.raw["content"][-1]["text"]
    assert first.structured["catalogRevision"] != second.structured["catalogRevision"]
    assert first.raw["_meta"]["executor/config-sha256"] != second.raw["_meta"]["executor/config-sha256"]


# ---- what is under way ---------------------------------------------------------------------------------------------
async def test_an_execution_under_way_keeps_its_connections_and_meets_new_blocks_at_once(site: Site) -> None:
    await site.apply()
    code = """
        const held = await tools.shop.org.main.hold.wait({gate: "swap"});
        const next = await tools.shop.org.main.things.list({});
        const other = await tools.shop.org.main.things.get({id: "t1"});
        return {held: held.ok, next: next.error, other: other.ok};"""
    running = asyncio.create_task(site.proxy.execute(code))  # noqa: TID251 - awaited below
    await asyncio.to_thread(site.api.arrived, "swap")
    rule = {
        "id": "now-blocked",
        "pattern": "shop.*.*.things.list",
        "action": "block",
        "reason": "From now on",
    }
    await site.apply(rule)
    site.api.open("swap")
    seen = (await running).value
    assert (seen["held"], seen["other"]) == (True, True)
    assert seen["next"]["code"] == "tool_blocked"
    assert seen["next"]["details"] == {"rule": "now-blocked", "reason": "From now on"}
    await site.apply()


async def test_loosening_waits_for_the_next_execution(site: Site) -> None:
    await site.apply()
    code = """
        await tools.shop.org.main.hold.wait({gate: "loosen"});
        return (await tools.shop.org.main.things.create({body: {name: "nail"}})).error.code;"""
    running = asyncio.create_task(site.proxy.execute(code))  # noqa: TID251 - awaited below
    await asyncio.to_thread(site.api.arrived, "loosen")
    await site.apply({"id": "free", "pattern": "shop.*.*.things.create", "action": "approve"})
    site.api.open("loosen")
    assert (await running).status == "waiting_for_interaction"
    assert await site.proxy.value(
        "return (await tools.shop.org.main.things.create({body: {name: 'nail'}})).ok"
    )
    await site.apply()


async def test_a_removed_connection_answers_connection_removed(site: Site) -> None:
    await site.apply()
    code = """
        const held = await tools.shop.org.main.hold.wait({gate: "removed"});
        return [held.ok, (await tools.shop.org.main.things.list({})).error.code];"""
    running = asyncio.create_task(site.proxy.execute(code))  # noqa: TID251 - awaited below
    await asyncio.to_thread(site.api.arrived, "removed")
    connection = {"auth": {"kind": "bearer", "token": {"env": "SHOP_TOKEN"}}}
    await site.apply(connections={"shop.org.second": connection})
    site.api.open("removed")
    assert (await running).value == [True, "connection_removed"]
    gone = await site.proxy.value("return (await tools.shop.org.main.things.list({})).error.code")
    assert gone == "tool_not_found"
    await site.apply()
    assert await site.proxy.value(LIST) is True


async def test_many_edits_in_a_row_end_with_the_last_one(site: Site) -> None:
    name = ""
    for _ in range(10):
        name, config = site.config()
        configs.write(site.file, config)
    async with asyncio.timeout(LIMIT_SECONDS):
        while name not in await described(site.proxy):
            pass
    assert await site.proxy.value(LIST) is True


async def test_nothing_is_held_after_all_that(site: Site) -> None:
    assert (await site.proxy.status())["leases"] == 0
    assert '"level": "error"' not in "\n".join(
        line for line in site.proxy.err.text.splitlines() if '"config rejected"' not in line
    )
