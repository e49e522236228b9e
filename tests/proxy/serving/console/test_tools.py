"""Tools: searched as agents do, shown with what is decided about them, called through the gate alone (T12)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.proxy.serving.console.running import AGENT, console, sent, text_of

CREATE = "/console/tools/shop.org.main.items.create"


async def test_everybody_finds_what_their_agents_find(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss, made.as_("bob") as bob:
        mine = text_of(await boss.get("/console/tools?q=list+items"))
        assert "shop.org.main.items.list" in mine
        assert "items.list" not in text_of(await bob.get("/console/tools"))
        assert (await bob.get("/console/tools/shop.org.main.items.list")).status_code == 404
        assert "items.list" not in text_of(await boss.get("/console/tools?as=key%3Dbob"))
        shown = text_of(await boss.get("/console/tools/shop.org.main.items.list?as=key%3Dbob"))
        assert "cannot see the tool" in shown
        assert "hidden" in shown
        assert (await bob.get("/console/tools?as=key%3Dboss")).status_code == 403
        for wrong in ("as=ann", "as=workspace%3Dother", "as=key%3Da%2Ckey%3Db"):
            assert (await boss.get(f"/console/tools?{wrong}")).status_code == 400
        assert "No tool that you may see matches." in text_of(await boss.get("/console/tools?q=zzz"))
        assert (await boss.get("/console/tools?offset=9999999&q=%00%ff")).status_code == 200


async def test_a_tool_with_its_types_and_what_decides(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss, made.as_("bob") as bob:
        shown = text_of(await boss.get(CREATE))
        for words in (
            "asks",
            "Decided by asks in",
            "executor.yaml:1",
            "name?: string",
            "no-deletes",
            "not reached",
        ):
            assert words in shown
        other = text_of(await bob.get(CREATE))
        assert "Decided by asks" in other
        assert "executor.yaml" not in other, "places in files are for operators"
        assert "no-deletes" not in other
        blocked = (await boss.get("/console/tools/shop.org.main.items.delete")).text
        assert "Kept &lt;b&gt;for ever&lt;/b&gt;" in blocked


async def test_the_form_makes_code_and_says_what_is_wrong(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent:
        page = "/console/tools/shop.org.main.items.get"
        wrong = await sent(agent, page, action="code")
        assert wrong.status_code == 422
        assert "Please answer this." in wrong.text
        right = await sent(agent, page, action="code", **{"argument.0": "</script>\u202ex"})
        assert right.status_code == 200
        assert "return await tools.shop.org.main.items.get({" in text_of(right)
        assert "&lt;/script&gt;\\u{202E}x" in right.text
        assert (await made.application.gateway.list(AGENT)).items == (), "nothing ran"


async def test_what_is_run_goes_through_the_gate(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent:
        ran = await sent(agent, CREATE, action="run")
        assert ran.status_code == 303
        page = await agent.get(ran.headers["location"])
        assert "paused" in text_of(page)
        assert "/resume/exec_" in page.text
        code = "return (await tools.shop.org.main.items.delete({id: '1'})).error.code"
        blocked = await sent(agent, "/console/run", code=code)
        assert "tool_blocked" in text_of(await agent.get(blocked.headers["location"]))
        (execution,) = await made.application.gateway.pending(AGENT)
        assert execution.account_id == "key:agent"


async def test_only_a_form_of_ours_runs_anything(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent:
        assert (await agent.post(CREATE, {"action": "run"})).status_code == 403
        assert (await agent.post("/console/run", {"code": "return 1"})).status_code == 403
        assert (await agent.get(f"{CREATE}?action=run")).status_code == 200
        assert made.application.recent.of("default") == []
