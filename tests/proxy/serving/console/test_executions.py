"""Executions: who sees which, filters and pages, and one of them with everything that is known of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from proxy.executions import ExecutionReport
from proxy.history.recent import RecentExecutions
from proxy.principal import Principal
from tests.proxy.serving.console.running import AGENT, config, console, sent, text_of
from tests.proxy.serving.pages.support import field_of

PAGE = "/console/executions"
HOSTILE = "console.warn('</pre><script>alert(1)</script>\\u202e\\u001b[31m'); throw new Error('<img src=x>')"


async def test_each_sees_their_own_and_operators_all(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss, made.as_("bob") as bob:
        theirs = (await made.run("return 1")).execution_id
        own = (await made.run("return 2", Principal("default", "key:bob", "key"), keep=True)).execution_id
        everything, mine = text_of(await boss.get(PAGE)), text_of(await bob.get(PAGE))
        assert theirs in everything
        assert own in everything
        assert own in mine
        assert theirs not in mine
        for path in (f"{PAGE}/{theirs}", f"{PAGE}/{theirs}/result", f"/console/run?execution={theirs}"):
            assert (await bob.get(path)).status_code == 404
            assert (await boss.get(path)).status_code == 200
        assert (await boss.get(f"{PAGE}/exec_{'0' * 32}")).status_code == 404
        assert (await boss.get(f"{PAGE}/a%20b")).status_code == 404


async def test_filters_and_pages(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss:
        failed = (await made.run("throw 1")).execution_id
        for _ in range(27):
            made.application.recent.executed(copy_of(made.application.recent, failed))
        await made.run("return 1")
        first = await boss.get(PAGE)
        assert first.text.count(f'href="{PAGE}/exec_') == 25
        more = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
        assert (await boss.get(more)).text.count(f'href="{PAGE}/exec_') == 4
        assert (await boss.get(f"{PAGE}?state=completed")).text.count(f'href="{PAGE}/exec_') == 1
        assert "Nothing matches" in text_of(
            await boss.get(f"{PAGE}?tool=orders&state=bogus&account=key:agent")
        )
        assert (await boss.get(f"{PAGE}?cursor=1e9_x")).status_code == 400


def copy_of(recent: RecentExecutions, execution_id: str) -> ExecutionReport:
    """The report of an execution once more, under a new id."""
    found = recent.find(execution_id, "default")
    assert found is not None
    assert found.report is not None
    number = len(recent.of("default"))
    return replace(found.report, execution_id=f"exec_copy{number}", began_ms=1_700_000_000_000.0 + number)


async def test_one_that_failed(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env, config(tmp_path / "audit.jsonl")) as made, made.as_("boss") as boss:
        ran = await made.run(f"await tools.shop.org.main.items.get({{id: '1'}});\n{HOSTILE}")
        page = await boss.get(f"{PAGE}/{ran.execution_id}")
        said = text_of(page)
        assert 'class="failed" id="failed-line"' in page.text
        assert "Line 2, marked below" in said
        assert "[warn] </pre><script>alert(1)</script>\\u{202E}" in said
        assert "<script>alert" not in page.text
        assert "<img src=x>" not in page.text
        assert "\x1b" not in page.text
        assert "style=" not in page.text
        assert "upstream" in said, "how the call went"
        assert "approve_by_default: reads" in said
        assert '<svg class="track"' in page.text
        result = await boss.get(f"{PAGE}/{ran.execution_id}/result")
        assert json.loads(result.text)["status"] == "failed"
        assert result.headers["content-disposition"] == f'attachment; filename="{ran.execution_id}.json"'


async def test_one_that_paused_and_went_on(tmp_path: Path, env: Mapping[str, str]) -> None:
    code = "const a = await tools.shop.org.main.items.create({body: {}});\nreturn a.ok ? 1 : a.error.code"
    async with console(tmp_path, env, config(tmp_path / "audit.jsonl")) as made, made.as_("boss") as boss:
        held = await made.run(code, mode="model")
        page = f"{PAGE}/{held.execution_id}"
        before = await boss.get(page)
        assert f'href="/resume/{held.execution_id}"' in before.text
        assert "waiting asks asks" in text_of(before)
        done = await made.application.gateway.resume(held.execution_id, "accept", None, None, AGENT)
        assert done.status == "completed"
        after = await boss.get(page)
        said = text_of(after)
        assert "paused 1 time, on" in said
        assert "then a pause of" in said
        assert '<rect class="waits"' in after.text
        assert '<rect class="pause"' in after.text
        made.application.auditing.close()
        said = text_of(await boss.get(page))
        assert "The chain is whole over" in said
        assert '"event": "approval"' in said


async def test_the_trail_and_places_are_for_operators(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent, made.as_("boss") as boss:
        ran = await made.run("await tools.shop.org.main.items.delete({id: '1'}); await tools.nothing.here()")
        own = text_of(await agent.get(f"{PAGE}/{ran.execution_id}"))
        assert "blocked no-deletes" in own
        assert "executor.yaml" not in own
        assert "Audit trail" not in own
        assert "not written to a file" in text_of(await boss.get(f"{PAGE}/{ran.execution_id}"))


async def test_run_again_runs_as_the_one_who_is_signed_in(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss:
        first = await made.run("\n\nreturn 'again'")
        page = await boss.get(f"/console/run?execution={first.execution_id}")
        assert ">\n\n\nreturn &#39;again&#39;</textarea>" in page.text, "a browser drops the first line break"
        ran = await sent(boss, "/console/run", code="\r\n\r\nreturn 'again'")
        shown = text_of(await boss.get(ran.headers["location"]))
        assert "key:boss" in shown
        assert "again" in shown
        assert (await sent(boss, "/console/run", code=" ")).status_code == 400
        assert (await sent(boss, "/console/run", code="x" * 30_001)).status_code == 413


async def test_a_large_result_is_cut_and_comes_whole_as_a_file(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent, made.as_("boss") as boss:
        middle = await made.run("return 'y'.repeat(9000)")
        assert "1,000 more characters are not shown" in text_of(
            await agent.get(f"{PAGE}/{middle.execution_id}")
        )
        large = await made.run("return 'x'.repeat(400000)", keep=True)
        file = f"{PAGE}/{large.execution_id}/result"
        assert len(json.loads((await agent.get(file)).text)["result"]) == 400_000
        assert json.loads((await boss.get(file)).text)["result"]["bytes"] == 400_002


async def test_two_replicas_drive_one_execution(tmp_path: Path, env: Mapping[str, str]) -> None:
    """What each of them saw is on the page of both."""
    code = "await tools.shop.org.main.items.get({id: '1'});\nreturn (await tools.shop.org.main.items.create()).ok"
    text = config(state="state: {backend: sqlite}\n")
    (tmp_path / "two").mkdir()
    async with console(tmp_path, env, text) as one, console(tmp_path / "two", env, text) as two:
        held = await one.run(code)
        done = await two.application.gateway.resume(held.execution_id, "accept", None, None, AGENT)
        assert done.status == "completed"
        names = [made.application.replicas.id for made in (one, two)]
        for made in (one, two):
            async with made.as_("boss") as boss:
                said = text_of(await boss.get(f"{PAGE}/{held.execution_id}"))
                assert f"paused 1 time, on {', '.join(names)}" in said
                assert f"items.get on {names[0]}" in said
                assert f"items.create on {names[1]}" in said


async def test_one_that_waits_is_cancelled(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("agent") as agent, made.as_("bob") as bob:
        held = await made.run("await tools.shop.org.main.items.create()")
        page = f"{PAGE}/{held.execution_id}"
        token = field_of((await agent.get(page)).text, "csrf")
        assert (await agent.post(f"{page}/cancel", {"csrf": "x"})).status_code == 403
        other = field_of((await bob.get("/console/run")).text, "csrf")
        assert (await bob.post(f"{page}/cancel", {"csrf": other})).status_code == 404
        ended = await agent.post(f"{page}/cancel", {"csrf": token})
        assert "canceled" in text_of(await agent.get(ended.headers["location"]))
        assert (await agent.post(f"{page}/cancel", {"csrf": token})).status_code == 409


async def test_every_address_is_below_the_public_path(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made:
        ran = await made.run("await tools.shop.org.main.items.create()")
        made.prefix = "/tools/executor"
        async with made.as_("boss", "/tools/executor") as boss:
            tool = "/console/tools/shop.org.main.items.create"
            for path in (
                PAGE,
                f"{PAGE}/{ran.execution_id}",
                "/console/tools",
                tool,
                "/console/policies",
                "/approvals",
            ):
                page = await boss.get(f"/tools/executor{path}")
                assert page.status_code == 200
                for place in re.findall(r'(?:href|action|src)="([^"#]+)"', page.text):
                    assert place.startswith("/tools/executor/"), (path, place)
            sent_on = await sent(boss, f"/tools/executor{tool}", action="run")
            assert sent_on.headers["location"].startswith("/tools/executor/console/executions/exec_")
