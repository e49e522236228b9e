"""The examples beside the quickstart: each is served as it stands, and does what its README says."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import LIMIT_SECONDS, ROOT, Answer, Proxy, Transcript, post, serving, spawn

EXAMPLES = ROOT / "examples"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # finds `executor` and `python3`
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEAM_KEYS = {
    "PICKER_KEY": "picker-" + "7" * 32,
    "FOREMAN_KEY": "foreman-" + "7" * 32,
    "ANALYST_KEY": "analyst-" + "7" * 32,
}
PIPELINE_KEY = "pipeline-" + "7" * 32
INVENTORY = ("INVENTORY_URL", "INVENTORY_OPENAPI_URL", "INVENTORY_TOKEN")
DELETE = 'return await tools.inventory.org.main.items.delete({itemId: "itm_8"});'


@contextmanager
def script(file: Path, env: Mapping[str, str]) -> Iterator[tuple[str, Transcript]]:
    """One of the programs of an example on a free port, until the block ends. Yields its URL and what it prints."""
    process = subprocess.Popen(
        [sys.executable, str(file), "0"], stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
    )
    assert process.stdout is not None
    out = Transcript(process.stdout)
    try:
        yield out.wait(lambda line: line.startswith("listening on ")).removeprefix("listening on "), out
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)
        out.join()


async def command(*words: str, **env: str) -> tuple[int, str]:
    """A program of an example, or `executor`, from the root of the repository. Exit code and all it said."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "PATH": PATH, **env},
    )
    out, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode()


def test_every_example_is_in_the_list() -> None:
    folders = {file.parent.name for file in EXAMPLES.glob("*/README.md")}
    listed = (EXAMPLES / "README.md").read_text()
    assert len(folders) >= 6
    assert all(f"[{name}]({name}/README.md)" in listed for name in folders)


@pytest.mark.parametrize("name", ["quickstart", "teams", "ci", "approvals", "mcp", "graphql"])
async def test_an_example_has_no_errors_and_no_warnings(name: str) -> None:
    code, said = await command("executor", "validate", "--strict", "--no-env", str(EXAMPLES / name))
    # What needs a server to be checked is said so; `serve` checks it.
    told = [line for line in said.splitlines() if line and not line.startswith("not checked: ")]
    assert code == 0, said
    assert [line[:4] for line in told] == ["ok: "], said


# ---- several files and teams ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with serving(EXAMPLES / "teams", tmp_path_factory.mktemp("teams"), "--demo", env=TEAM_KEYS) as proxy:
        yield proxy


async def test_a_team_sees_what_its_own_file_leaves(teams: Proxy) -> None:
    code = "return (await tools.catalog.tools({limit: 200})).items.map((one) => one.path)"
    seen = {key: await teams.value(code, token=TEAM_KEYS[key]) for key in ("PICKER_KEY", "ANALYST_KEY")}
    assert "inventory.org.main.items.delete" in seen["PICKER_KEY"]
    assert "inventory.org.main.items.list" in seen["ANALYST_KEY"]
    assert not [path for path in seen["ANALYST_KEY"] if path.endswith(("delete", "create", "adjustStock"))]
    assert not [path for paths in seen.values() for path in paths if "purge" in path]


async def test_a_foreman_approves_what_a_picker_may_not(teams: Proxy) -> None:
    paused = await teams.execute(DELETE, token=TEAM_KEYS["PICKER_KEY"])
    assert paused.status == "waiting_for_interaction"
    approve = ("executor", "approvals", "approve", paused.structured["executionId"])
    refused, _ = await command(*approve, EXECUTOR_SERVER=teams.url, EXECUTOR_TOKEN=TEAM_KEYS["PICKER_KEY"])
    assert refused == 1
    approved, said = await command(
        *approve, EXECUTOR_SERVER=teams.url, EXECUTOR_TOKEN=TEAM_KEYS["FOREMAN_KEY"]
    )
    assert approved == 0, said
    done = await resumed(teams, paused, TEAM_KEYS["PICKER_KEY"])
    assert done.value["ok"] is True


async def resumed(proxy: Proxy, paused: Answer, token: str | None = None) -> Answer:
    """Only waits for what others decide."""
    async with proxy.client(token) as client:
        answer = await post(client, "resume", {"executionId": paused.structured["executionId"]})
    return Answer(answer.json()["result"])


# ---- CI ------------------------------------------------------------------------------------------------------------
async def test_a_pipeline_reviews_a_config_without_its_secrets(tmp_path: Path) -> None:
    code, said = await command(str(EXAMPLES / "ci" / "check.sh"))
    assert code == 0, said
    assert "INVENTORY_TOKEN" in said
    broken = tmp_path / "executor.yaml"
    broken.write_text(
        (EXAMPLES / "ci" / "executor.yaml").read_text().replace("action: approve", "action: allow")
    )
    code, said = await command(str(EXAMPLES / "ci" / "check.sh"), str(broken), FORMAT="github")
    assert code == 1
    assert "::error file=" in said


async def test_a_repeated_step_changes_nothing_a_second_time(tmp_path: Path) -> None:
    env = {"PIPELINE_KEY": PIPELINE_KEY}
    with serving(EXAMPLES / "ci", tmp_path, "--demo", env=env) as proxy:
        step = (str(EXAMPLES / "ci" / "release.sh"),)
        runs = [await command(*step, EXECUTOR_URL=proxy.url, BUILD_ID="build-7", **env) for _ in range(2)]
        other = await command(*step, EXECUTOR_URL=proxy.url, BUILD_ID="build-8", **env)
        answers = [json.loads(said) for code, said in [*runs, other] if code == 0]
        assert len(answers) == 3, [*runs, other]
        assert answers[0] == answers[1]
        assert answers[2]["result"] == answers[0]["result"] + 5
        refused = await proxy.value(DELETE, token=PIPELINE_KEY)
    assert refused["error"]["code"] in ("tool_blocked", "tool_not_found")


# ---- approvals with a webhook --------------------------------------------------------------------------------------
def exports(name: str) -> Callable[[str], bool]:
    return lambda line: line.startswith(f"export {name}=")


@contextmanager
def inventory(state: Path) -> Iterator[dict[str, str]]:
    """The demo API as a process of its own, which outlives a server. Yields what a config needs to know of it."""
    demo = spawn("demo", "--port", "0", state=state)
    try:
        lines = [demo.out.wait(exports(name)) for name in INVENTORY]
        yield dict(line.removeprefix("export ").split("=", 1) for line in lines)
    finally:
        demo.stop()


async def test_a_person_is_told_and_decides_and_a_restart_loses_nothing(tmp_path: Path) -> None:
    env = {"APPROVALS_SECRET": SECRET}
    with script(EXAMPLES / "approvals" / "receiver.py", env) as (url, announced), inventory(tmp_path) as api:
        where = {**env, **api, "APPROVALS_URL": url}
        with serving(EXAMPLES / "approvals", tmp_path, env=where) as proxy:
            paused = await proxy.execute(DELETE)
            execution = paused.structured["executionId"]
            line = await asyncio.to_thread(announced.wait, lambda line: line.startswith(execution))
            assert line == f"{execution} waits for 1: {proxy.url}/resume/{execution}"
        with serving(EXAMPLES / "approvals", tmp_path, env=where) as proxy:
            own = {"EXECUTOR_SERVER": proxy.url, "EXECUTOR_STATE_DIR": str(tmp_path)}
            approve = ("executor", "approvals", "approve", execution)
            refused, _ = await command(*approve, **own, EXECUTOR_TOKEN=proxy.token or "")
            approved, said = await command(*approve, **own)
            assert (refused, approved) == (1, 0), said
            done = await resumed(proxy, paused)
    assert done.value["ok"] is True


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,AA=="}, 401)],
)
async def test_the_receiver_believes_nobody_else(headers: dict[str, str], status: int) -> None:
    with script(EXAMPLES / "approvals" / "receiver.py", {"APPROVALS_SECRET": SECRET}) as (url, _):
        given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        _, said = await command("curl", "-s", "-w", "%{http_code}", "-d", "{}", *given, url)
    assert said == str(status)


# ---- upstreams of other kinds --------------------------------------------------------------------------------------
async def test_tools_of_an_mcp_server_are_tools(tmp_path: Path) -> None:
    code = """
        await tools.notes.org.main.add({text: "Call Ada"});
        return (await tools.notes.org.main.list({})).data.notes;"""
    with serving(EXAMPLES / "mcp", tmp_path, env={"PATH": PATH}) as proxy:
        assert await proxy.value(code) == ["Buy milk", "Call Ada"]
        paused = await proxy.execute("return await tools.notes.org.main.clear({})")
    assert paused.status == "waiting_for_interaction"


async def test_fields_and_operations_of_graphql_are_tools(tmp_path: Path) -> None:
    env = {"LIBRARY_CARD": "card-" + "7" * 32}
    code = """
        const found = await tools.library.org.main.query.books({author: "Le Guin", select: "id title"});
        await tools.library.org.main.mutation.lend({id: found.data.books[0].id, reader: "Ada"});
        return [found.data.books.length, (await tools.library.org.main.query.loans({})).data];"""
    with (
        script(EXAMPLES / "graphql" / "library.py", env) as (url, _),
        serving(EXAMPLES / "graphql", tmp_path, env={**env, "LIBRARY_URL": url}) as proxy,
    ):
        count, loans = await proxy.value(code)
        paused = await proxy.execute('return await tools.library.org.main.mutation.discard({id: "2"})')
    assert count == 2
    assert lent(loans) == {"A Wizard of Earthsea": "Ada", "Kindred": None, "The Dispossessed": None}
    assert paused.status == "waiting_for_interaction"


def lent(loans: Any) -> dict[str, str | None]:
    return {book["title"]: book["lentTo"] for book in loans["books"]}
