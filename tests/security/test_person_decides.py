"""T12 through a whole server: where a person is to decide, the account that asked decides by no machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.proxy.commands.running import Run
from tests.security.test_approvers import OPEN_TO_PEOPLE, by_decide, config
from tests.security.test_crash_windows import Counting, counting, resume

JsonObject = dict[str, Any]
CODE = "return (await tools.plain.org.main.post.postOperation({})).ok"
RULE = {"id": "ask", "pattern": "plain.*", "action": "require_approval"}
MODES = {
    "browser": {"mode": "browser"},
    "browser, locked": {"mode": "browser", "client_may_choose": False},
    "native": {"mode": "native"},
    "native, locked": {"mode": "native", "client_may_choose": False},
}


@pytest.fixture(scope="module")
def api() -> Iterator[Counting]:
    with counting() as running:
        yield running


@pytest.fixture(scope="module", params=list(MODES))
def local(
    request: pytest.FixtureRequest, api: Counting, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("person")
    sections = config(api, elicitation=MODES[request.param], policies=[RULE])
    with serving(configs.write(folder / "executor.yaml", sections), folder / "state") as proxy:
        proxy.approver = (folder / "state" / "approver.token").read_text().strip()  # type: ignore[attr-defined]
        yield proxy


@pytest.fixture
def run(local: Proxy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run({"EXECUTOR_SERVER": local.url}, monkeypatch, capsys)


async def begun(proxy: Proxy) -> JsonObject:
    """An execution that waits, begun with the agents' token by a program."""
    async with proxy.client() as agent:
        body: JsonObject = (
            await agent.post("/api/executions", json={"code": CODE, "sessionId": "s1"})
        ).json()
    assert (body["status"], "approvalUrl" in body) == ("user_approval_required", True)
    return body


@pytest.mark.parametrize("name", list(OPEN_TO_PEOPLE))
async def test_the_asking_account_decides_on_no_route_of_machines(
    local: Proxy, run: Run, api: Counting, name: str
) -> None:
    assert local.token is not None
    execution, before = (await begun(local))["executionId"], api.counts["/post"]
    assert "approval page" in await OPEN_TO_PEOPLE[name](local, run, local.token, execution)
    async with local.client() as agent:
        for action in ("accept", "decline", "cancel"):
            said = await agent.post(f"/api/executions/{execution}/decide", json={"action": action})
            assert (said.status_code, said.json()["error"]["code"]) == (403, "needs_approval_page")
        (listed,) = [
            one
            for one in (await agent.get("/api/approvals")).json()["items"]
            if one["executionId"] == execution
        ]
        assert listed["mayApprove"] is False
        assert (await agent.get(f"/api/executions/{execution}")).json()["decided"] == {}
    assert api.counts["/post"] == before
    # Another account decides on every one of these routes.
    await OPEN_TO_PEOPLE[name](local, run, local.approver, execution)  # type: ignore[attr-defined]
    async with local.client() as agent:
        ended = (await agent.post(f"/api/executions/{execution}/resume")).json()
    assert (ended["status"], ended["result"]) == ("completed", True)


async def test_a_page_sign_in_with_the_same_token_decides(local: Proxy, api: Counting) -> None:
    begun_at, before = await begun(local), api.counts["/post"]
    place = begun_at["approvalUrl"].removeprefix(local.url)
    headers = {"sec-fetch-site": "same-origin", "origin": local.url}
    async with httpx2.AsyncClient(base_url=local.url, follow_redirects=True) as browser:
        form = {"credential": local.token or "", "next": place}
        shown = await browser.post("/login", data=form, headers=headers)
        assert shown.status_code == 200, shown.text
        fields = dict(re.findall(r'name="(csrf|question)" value="([^"]+)"', shown.text))
        said = await browser.post(place, data={**fields, "action": "accept"}, headers=headers)
        assert said.status_code == 200, said.text
    async with local.client() as agent:
        ended = (await agent.post(f"/api/executions/{begun_at['executionId']}/resume")).json()
    assert ended["status"] == "completed"
    assert api.counts["/post"] == before + 1


async def test_after_a_person_declined_accepting_says_so(local: Proxy, run: Run, api: Counting) -> None:
    before = api.counts["/post"]
    execution = (await begun(local))["executionId"]
    async with local.client(local.approver) as person:  # type: ignore[attr-defined]
        said = await person.post(f"/api/executions/{execution}/decide", json={"action": "decline"})
        assert said.status_code == 200
    async with local.client() as agent:
        tried = await agent.post(f"/api/executions/{execution}/resume", json={"action": "accept"})
        told = await post(agent, "resume", {"executionId": execution, "action": "accept"})
    assert (tried.status_code, tried.json()["error"]["code"]) == (409, "already_decided")
    assert "A person declined" in tried.json()["error"]["message"]
    assert "A person declined" in told.text
    assert "run the code again" not in told.text.lower()
    assert api.counts["/post"] == before


async def test_in_model_mode_the_asking_account_still_decides(
    api: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api, policies=[RULE]))
    with serving(file, tmp_path / "state") as proxy:
        run = Run({"EXECUTOR_SERVER": proxy.url}, monkeypatch, capsys)
        execution = (await proxy.execute(CODE)).structured["executionId"]
        assert '"accept"' in await by_decide(proxy, run, proxy.token or "", execution)
        assert (await resume(proxy, execution)).value is True
