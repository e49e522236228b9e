"""`/api/executions` over HTTP, and what goes on when its caller leaves."""

from __future__ import annotations

import asyncio

import pytest

from proxy.executions import ExecutionResult, Observer
from proxy.executions.result import ExecutionError, ExecutionRequest
from proxy.principal import Principal
from proxy.serving.detached import DetachedTasks
from proxy.serving.http.errors import RateLimited
from proxy.state import StateUnavailable
from tests.proxy.serving.board import Board
from tests.proxy.serving.support import serving


async def test_code_is_run_and_its_result_answered() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post(
            "/api/executions",
            json={"code": "return hello", "timeoutMs": 1000, "metadata": {"job": "nightly"}},
        )
        assert (answer.status_code, answer.json()["result"]) == (200, "hello")
        assert answer.json()["taskId"] == answer.json()["executionId"]  # as over MCP
        assert answer.headers["cache-control"] == "no-store"
    (request,) = server.board.requests
    assert (request.timeout_ms, request.metadata, request.keep) == (1000, {"job": "nightly"}, True)


async def test_the_same_key_gives_the_same_execution() -> None:
    async with serving() as server, server.client() as client:
        key = {"idempotency-key": "k-1"}
        first = await client.post("/api/executions", json={"code": "ask one"}, headers=key)
        again = await client.post("/api/executions", json={"code": "ask one"}, headers=key)
        other = await client.post("/api/executions", json={"code": "ask two"}, headers=key)
        wrong = await client.post("/api/executions", json={"code": "ask"}, headers={"idempotency-key": ""})
        long = await client.post(
            "/api/executions", json={"code": "ask"}, headers={"idempotency-key": "k" * 256}
        )
    assert first.json() == again.json()
    assert len(server.board.paused) == 1
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert (wrong.status_code, long.status_code) == (422, 422)


async def test_with_a_key_the_code_outlives_its_caller() -> None:
    async with serving() as server:
        client = server.client()

        async def leaving() -> None:
            await client.post("/api/executions", json={"code": "wait"}, headers={"idempotency-key": "k"})

        async with asyncio.TaskGroup() as group:
            caller = group.create_task(leaving())
            await server.board.waiting.wait()
            caller.cancel()
        await client.aclose()
        async with server.client() as other:
            # Served after the disconnect: by now the server knows that the first client has gone.
            while not any(route == "api" for route, _ in server.board.finished):
                await other.get("/healthz")
            assert not server.board.cancelled.is_set()
            server.board.go_on.set()
            same = {"json": {"code": "wait"}, "headers": {"idempotency-key": "k"}}
            while (answer := await other.post("/api/executions", **same)).status_code != 200:  # type: ignore[arg-type]
                continue
            assert answer.json()["status"] == "completed"


async def test_without_a_key_it_ends_with_its_caller() -> None:
    async with serving() as server:
        client = server.client()
        async with asyncio.TaskGroup() as group:
            caller = group.create_task(client.post("/api/executions", json={"code": "wait"}))
            await server.board.waiting.wait()
            caller.cancel()
        await client.aclose()
        async with asyncio.timeout(60):
            await server.board.cancelled.wait()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "`code` is required"),
        ({"code": ""}, "must not be empty"),
        ({"code": "x", "timeoutMs": 1}, "from 100 to 600000"),
        ({"code": "x", "runtimeId": "node"}, "quickjs"),
        ({"code": "x", "metadata": []}, "`metadata` must be an object"),
        ({"code": "x", "cod": 1}, "unknown property `cod`"),
    ],
)
async def test_wrong_requests_name_the_field(body: dict[str, object], words: str) -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/api/executions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_argument")
    assert words in answer.json()["error"]["message"]


async def test_lists_are_paged_and_filtered() -> None:
    async with serving() as server, server.client() as client:
        for number in range(3):
            await client.post("/api/executions", json={"code": f"ask {number}"})
        await client.post("/api/executions/exec_1/resume", json={"action": "accept"})
        first = (await client.get("/api/executions", params={"limit": 2})).json()
        rest = (
            await client.get("/api/executions", params={"limit": 2, "cursor": first["nextCursor"]})
        ).json()
        settled = (await client.get("/api/executions", params={"status": "settled"})).json()
        bad = [
            (await client.get("/api/executions", params=one)).status_code
            for one in ({"status": "odd"}, {"limit": 0}, {"cursor": "exec_unknown"}, {"sort": "up"})
        ]
    assert [one["executionId"] for one in first["items"]] == ["exec_3", "exec_2"]
    assert [one["executionId"] for one in rest["items"]] == ["exec_1"]
    assert "nextCursor" not in rest
    assert [one["executionId"] for one in settled["items"]] == ["exec_1"]
    assert bad == [422, 422, 422, 422]


async def test_one_execution_is_for_its_owner_and_for_approvers() -> None:
    async with serving() as server:
        async with server.client("bob") as bob:
            await bob.post("/api/executions", json={"code": "ask it"})
            own = await bob.get("/api/executions/exec_1")
        async with server.client("boss") as boss:
            seen = await boss.get("/api/executions/exec_1")
            listed = await boss.get("/api/executions")
        async with server.client("alice") as alice, server.client("eve") as eve:
            others = [await one.get("/api/executions/exec_1") for one in (alice, eve)]
            unknown = await alice.get("/api/executions/exec_9")
            ended = await eve.post("/api/executions/exec_1/cancel")
    assert own.json() == seen.json() == listed.json()["items"][0]
    assert own.json()["interactions"][0]["message"].startswith("demo.org.main.write")
    assert {one.status_code for one in (*others, unknown, ended)} == {404}
    assert {one.content for one in (*others, unknown, ended)} == {unknown.content}


async def test_cancelling() -> None:
    async with serving() as server, server.client() as client:
        await client.post("/api/executions", json={"code": "ask it"})
        done = await client.post("/api/executions/exec_1/cancel")
        again = await client.post("/api/executions/exec_1/cancel")
    assert done.json() == {"executionId": "exec_1", "status": "canceled"}
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not_cancellable")


class Trouble(Board):
    """A board whose executions cannot run."""

    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        if request.code == "store":
            raise StateUnavailable("redis")
        if request.code == "limited":
            raise RateLimited("few", 3.2)
        error = ExecutionError("NotServing", "No configuration is active; try again shortly.")
        return ExecutionResult("exec_1", "failed", "ws", "key:a", error=error)


async def test_that_nothing_can_be_run_is_an_error() -> None:
    async with serving(board=Trouble()) as server, server.client() as client:
        for code in ("store", "return 1"):
            answer = await client.post("/api/executions", json={"code": code})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "5"


async def test_the_limit_of_executions_counts_these_too() -> None:
    async with serving(board=Trouble()) as server, server.client() as client:
        answer = await client.post("/api/executions", json={"code": "limited"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "4"


async def test_a_server_that_shuts_down_begins_nothing_and_still_shows_and_decides() -> None:
    async with serving() as server, server.client() as client:
        await client.post("/api/executions", json={"code": "ask it"})
        server.drain.begin()
        for path in ("/api/executions", "/api/executions/exec_1/resume"):
            answer = await client.post(path, json={"code": "return 1"} if path.endswith("s") else {})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await client.get("/api/executions/exec_1")).status_code == 200
        decided = await client.post("/api/executions/exec_1/decide", json={"action": "decline"})
        assert decided.json()["decided"] == {"int_1": "decline"}


async def test_work_goes_on_when_its_caller_leaves() -> None:
    detached, begun, go_on, ended = DetachedTasks(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    async with asyncio.TaskGroup() as group:
        caller = group.create_task(detached.run(work()))
        await begun.wait()
        caller.cancel()
    assert (len(detached), ended.is_set()) == (1, False)
    go_on.set()
    await ended.wait()


async def test_results_and_errors_are_the_callers() -> None:
    detached = DetachedTasks()

    async def fails() -> None:
        raise ValueError("why")

    async def works() -> int:
        return 7

    assert await detached.run(works()) == 7
    with pytest.raises(ValueError, match="why"):
        await detached.run(fails())
    assert len(detached) == 0
