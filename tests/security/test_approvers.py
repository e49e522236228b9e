"""T12 through a whole server: who may approve what `approver: human` holds, on every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.proxy.commands.running import Run, at_terminal
from tests.security.test_crash_windows import DOCUMENT, Counting, counting, resume

JsonObject = dict[str, Any]
CODE = "return (await tools.plain.org.main.post.postOperation({})).ok"
AGENT, LEAD, BOSS = "agent-key", "lead-key", "boss-key"
KEYS = {
    "agent": {"hash": f"sha256:{hash_key(AGENT)}"},
    "lead": {"hash": f"sha256:{hash_key(LEAD)}", "groups": ["approvers"]},
    "boss": {"hash": f"sha256:{hash_key(BOSS)}", "groups": ["approvers"]},
}


def config(api: Counting, **sections: Any) -> JsonObject:
    rule = {"id": "a-person", "pattern": "plain.*", "action": "require_approval", "approver": "human"}
    return {
        "version": 1,
        "integrations": {"plain": {"kind": "openapi", "spec": {"inline": DOCUMENT}, "base_url": api.url}},
        "connections": {"plain.org.main": {"auth": {"kind": "none"}}},
        "policies": [rule],
        **sections,
    }


@pytest.fixture(scope="module")
def api() -> Iterator[Counting]:
    with counting() as running:
        yield running


@pytest.fixture(scope="module")
def local(api: Counting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A server without an `auth` section: the agents' token and the approver's were minted."""
    folder = tmp_path_factory.mktemp("approvers")
    with serving(configs.write(folder / "executor.yaml", config(api)), folder / "state") as proxy:
        proxy.approver = (folder / "state" / "approver.token").read_text().strip()  # type: ignore[attr-defined]
        proxy.state = folder / "state"  # type: ignore[attr-defined]
        yield proxy


@pytest.fixture
def run(local: Proxy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run({"EXECUTOR_SERVER": local.url}, monkeypatch, capsys)


async def rest(proxy: Proxy, token: str, path: str, body: JsonObject) -> tuple[int, str]:
    async with proxy.client(token) as client:
        answer = await client.post(path, json=body)
    return answer.status_code, answer.text


async def by_mcp(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    async with proxy.client(token) as client:
        answer = await post(client, "resume", {"executionId": execution, "action": "accept"})
    return answer.text


async def by_resume(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    return (await rest(proxy, token, f"/api/executions/{execution}/resume", {"action": "accept"}))[1]


async def by_decide(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    return (await rest(proxy, token, f"/api/executions/{execution}/decide", {"action": "accept"}))[1]


async def by_session(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    path = f"/api/mcp-sessions/s1/executions/{execution}/resume"
    return (await rest(proxy, token, path, {"action": "accept"}))[1]


async def by_cli(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    run.set(EXECUTOR_TOKEN=token)
    ran = run("approvals", "approve", execution)
    return ran.out + ran.err


async def by_cli_resume(proxy: Proxy, run: Run, token: str, execution: str) -> str:
    run.set(EXECUTOR_TOKEN=token)
    ran = run("resume", execution, "--action", "accept")
    return ran.out + ran.err


Route = Callable[[Proxy, Run, str, str], Awaitable[str]]
OPEN_TO_PEOPLE: Mapping[str, Route] = {
    "resume": by_resume,
    "decide": by_decide,
    "session": by_session,
    "approvals": by_cli,
    "cli resume": by_cli_resume,
}


@pytest.mark.parametrize("name", ["mcp", *OPEN_TO_PEOPLE])
async def test_t12_only_another_person_satisfies_it(local: Proxy, run: Run, api: Counting, name: str) -> None:
    route = OPEN_TO_PEOPLE.get(name, by_mcp)
    assert local.token is not None
    approver: str = local.approver  # type: ignore[attr-defined]
    before = api.counts["/post"]
    paused = await local.execute(CODE, sessionId="s1")
    execution = paused.structured["executionId"]
    assert paused.structured["interaction"]["approver"] == "human"

    assert "another person" in (await route(local, run, local.token, execution)).lower()
    assert (await resume(local, execution, action="accept")).status == "waiting_for_interaction"
    # Over MCP the approver's token counts for no more than the agents'.
    assert "another person" in (await by_mcp(local, run, approver, execution)).lower()
    assert api.counts["/post"] == before

    await OPEN_TO_PEOPLE.get(name, by_decide)(local, run, approver, execution)
    assert (await resume(local, execution)).value is True
    assert api.counts["/post"] == before + 1


async def test_t12_the_local_agent_sees_no_more_than_its_own(local: Proxy, run: Run) -> None:
    async with local.client(local.approver) as person:  # type: ignore[attr-defined]
        own = (await person.post("/api/executions", json={"code": "return 1"})).json()["executionId"]
        assert own in (await person.get("/api/executions")).text
    async with local.client() as agent:
        assert own not in (await agent.get("/api/executions")).text
        assert (await agent.get(f"/api/executions/{own}")).status_code == 404


async def test_t12_the_role_does_not_help_for_ones_own_calls(
    api: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    auth = {"api_keys": {"keys": KEYS}, "roles": {"approver": ["approvers"]}}
    file = configs.write(tmp_path / "executor.yaml", config(api, auth=auth, state={"backend": "memory"}))
    with serving(file, tmp_path / "state") as proxy:
        run = Run({"EXECUTOR_SERVER": proxy.url}, monkeypatch, capsys)
        execution = (await proxy.execute(CODE, token=LEAD)).structured["executionId"]
        assert "another person" in await by_decide(proxy, run, LEAD, execution)
        # Somebody without the role does not even see it (T14).
        assert "nothing of this id" in await by_decide(proxy, run, AGENT, execution)
        assert not (tmp_path / "state" / "approver.token").exists()
        assert "approved" in await by_cli(proxy, run, BOSS, execution)
        assert '"result":true' in await by_resume(proxy, run, LEAD, execution)


async def test_an_approval_after_the_server_was_killed(
    api: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api))
    before = api.counts["/post"]
    with serving(file, tmp_path / "state") as first:
        execution = (await first.execute(CODE)).structured["executionId"]
        first.signal_group(SIGKILL)
        first.wait()
    with serving(file, tmp_path / "state") as second:
        # No token is named: the approver's is found in the state directory.
        run = Run(
            {"EXECUTOR_SERVER": second.url, "EXECUTOR_STATE_DIR": str(tmp_path / "state")},
            monkeypatch,
            capsys,
        )
        monkeypatch.delenv("EXECUTOR_TOKEN", raising=False)
        assert execution in run("approvals", "ls").out
        assert run("approvals", "approve", execution).code == 0
        ran = run("resume", execution)
        assert (ran.code, ran.out) == (0, "true\n")
    assert api.counts["/post"] == before + 1


async def test_calling_a_tool_on_a_server_that_holds_it(
    api: Counting, local: Proxy, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXECUTOR_TOKEN", raising=False)
    run.set(EXECUTOR_STATE_DIR=str(local.state))  # type: ignore[attr-defined]
    words = ["call", "plain.org.main.post.postOperation", "--server", local.url]
    before = api.counts["/post"]
    held = run(*words)
    assert (held.code, held.out) == (3, "")
    assert "executor approvals approve exec_" in held.err
    # The agents' token asks, and whoever sits at the terminal answers with the approver's.
    said, code = at_terminal(words, "y")
    assert (code, '"done": true' in said) == (0, True)
    assert api.counts["/post"] == before + 1
    run.set(EXECUTOR_TOKEN=local.token or "")
    said, code = at_terminal(words, "y")
    assert (code, "another person" in said.lower()) == (3, True)
    assert api.counts["/post"] == before + 1
