"""Every command that README, the documents and the examples print runs as printed, and ends with the code that is
expected of it. A block that is new fails until it is said here where it runs.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from proxy.cli import whole_parser
from tests.e2e.printed import PLACES, Block, Pasted, blocks, environment, fresh_clone, paste, ran
from tests.e2e.running import ROOT, Proxy, serving

KEY = "operator-" + "7" * 32
BLOCKS = {block.place: block for block in blocks()}
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(?:\.venv/bin/)?executor ([^`]+)`")
YAML = re.compile(r"^```(?:ya?ml|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
README = "version: 1\nintegrations:\n  github:"

# Commands that are seen elsewhere: what they begin with, and where.
ELSEWHERE = {
    "make test": "is what runs this",
    "make install": "tests/tools/test_make_venv.py",
    "make check": "is what runs this",
    ".ci/run": "is what runs this; tests/test_distribution.py has its stages",
    "npx add-mcp": "asks at a terminal, and a registry; tests/proxy/app/test_welcome.py has its words",
}
# Of what begins so, the exit code that is none of success: what it shows is what it is printed for.
CODES = {
    "executor test": 1,
    "executor test -k": 1,
    "executor test --coverage-min": 1,
    "executor test --replay": 0,
}
# What stands for something of the reader's own.
OWN = {
    "http://127.0.0.1:8080/mcp": "$EXECUTOR_SERVER/mcp",
    "https://executor.example.com": "$EXECUTOR_SERVER",
    "ws_team": "default",
    "--generation 7": "--generation 1",
}
SAYS = re.compile(r'"event": "listening"|^Executor serves ')


def operation(name: str, *parts: str, **more: object) -> dict[str, object]:
    """One of GitHub's: its tag is the first part of its name."""
    path = [{"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts]
    answer = {"200": {"description": "done"}}
    return {
        "operationId": name,
        "tags": [name.partition("/")[0]],
        "parameters": path,
        "responses": answer,
        **more,
    }


def github() -> dict[str, object]:
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    repo, issue = ("owner", "repo"), ("owner", "repo", "issue_number")
    paths = {
        "/repos/{owner}/{repo}": {
            "patch": operation("repos/update", *repo, requestBody=body),
            "delete": operation("repos/delete", *repo),
        },
        "/repos/{owner}/{repo}/issues": {
            "get": operation("issues/list-for-repo", *repo),
            "post": operation("issues/create", *repo, requestBody=body),
        },
        "/repos/{owner}/{repo}/issues/{issue_number}/comments": {
            "post": operation("issues/create-comment", *issue, requestBody=body),
        },
    }
    info = {"title": "GitHub", "version": "1"}
    return {"openapi": "3.0.3", "info": info, "servers": [{"url": "https://api.github.com"}], "paths": paths}


CONFIG = """version: 1
integrations:
  github: {kind: openapi, spec: {file: specs/github.json}, base_url: "http://127.0.0.1:9"}
connections:
  github.org.main: {auth: {kind: bearer, token: {env: GITHUB_TOKEN}}}
auth:
  api_keys:
    keys:
      ci_bot: {value: {env: KEY}, groups: [ops]}
      ci: {value: {env: GITHUB_TOKEN}}
  roles: {admin: [ops], approver: [ops]}
policies:
  - {id: no-deletes, pattern: github.*.*.repos.delete, action: block}
  - {id: ci-may-comment, pattern: github.org.main.issues.createComment, action: approve, principals: ["key:ci"]}
audit: {sink: {file: audit.jsonl}}
"""


def example(file: str, containing: str) -> str:
    """The block of a document that has this in it."""
    found = [one for one in YAML.findall((ROOT / file).read_text()) if containing in one]
    assert len(found) == 1, f"{file}: {len(found)} blocks have {containing!r}"
    return str(found[0])


def workplace(folder: Path, config: str) -> Path:
    """A repository with a config, the documents that it names, and what other programs keep."""
    texts = {
        "executor.yaml": config,
        "specs/github.json": json.dumps(github()),
        "specs/shop.json": json.dumps({**github(), "info": {"title": "Shop", "version": "1"}}),
        "policies.test.yaml": example("docs/testing.md", "nobody deletes a repository"),
        ".vscode/mcp.json": json.dumps({"servers": {"notes": {"command": "npx", "args": ["notes@1"]}}}),
        ".cursor/mcp.json": json.dumps({"mcpServers": {"notes": {"command": "npx", "args": ["notes@1"]}}}),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *words], cwd=folder, check=True, timeout=60)
    return folder


@dataclass(frozen=True)
class Served:
    """A server with a past of one call, and the trail of it."""

    proxy: Proxy
    trail: str
    digest: str

    def environment(self, folder: Path) -> dict[str, str]:
        url = self.proxy.url
        mine = {"URL": url, "EXECUTOR_SERVER": url, "TOKEN": KEY, "EXECUTOR_TOKEN": KEY, "KEY": KEY}
        return environment(folder, **mine, BUILD_ID="build-7", GITHUB_TOKEN="g" * 40)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = workplace(tmp_path_factory.mktemp("served"), CONFIG)
    with serving(folder, folder / "state", env={"KEY": KEY, "GITHUB_TOKEN": "g" * 40}) as proxy:
        proxy.admin = KEY
        code = 'return await tools.github.org.main.repos.delete({owner: "acme", repo: "site"})'
        headers = {"authorization": f"Bearer {KEY}"}
        done = httpx2.post(f"{proxy.url}/api/executions", json={"code": code}, headers=headers, timeout=60)
        assert done.status_code == 200, done.text
        digest = httpx2.get(f"{proxy.url}/-/status", headers=headers).json()["config"]["sha256"]
        yield Served(proxy, (folder / "audit.jsonl").read_text(), digest)


# ---- one after the other, in one shell -----------------------------------------------------------------------------
def config_of(block: Block) -> str:
    """What the reader of this place has in front of him."""
    if block.file == "README.md":
        return example("README.md", "api.github.com")
    return example("docs/auth.md", "signing:") if block.file == "docs/auth.md" else CONFIG


def seen_here(block: Block) -> tuple[str, ...]:
    return tuple(one for one in block.commands if not one.startswith(tuple(ELSEWHERE)))


def servers() -> list[Block]:
    return [
        one for one in BLOCKS.values() if "make run " in one.commands[0] or " serve " in str(one.commands)
    ]


DECIDE = "examples/approvals/README.md", ".venv/bin/executor approvals ls"
SERVERS = servers()
PASTED = [
    block
    for block in BLOCKS.values()
    if seen_here(block) and block not in SERVERS and (block.file, block.commands[0]) != DECIDE
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_clone(tmp_path_factory.mktemp("clone"))


@pytest.mark.parametrize("block", PASTED, ids=lambda block: block.place)
def test_the_commands_of_a_block_run_as_printed(
    block: Block, served: Served, clone: Path, tmp_path: Path
) -> None:
    folder = clone if block.file.startswith("examples/") else workplace(tmp_path, config_of(block))
    if "executor init" in block.commands[0]:
        (folder / "executor.yaml").unlink()
    elif folder is not clone:
        (folder / "audit.jsonl").write_text(served.trail)
    env = served.environment(tmp_path)
    exported = tmp_path / "exported"
    for command in seen_here(block):
        line = command.replace("8d03be71", served.digest[:8])
        for own, mine in OWN.items():
            line = line.replace(own, mine)
        # Of the shell that they are all typed into the next one has what was exported.
        done = ran(f"[ ! -e {exported} ] || . {exported}\n{line}\nexport -p > {exported}", folder, env)
        assert done.returncode == expected(command), f"{command}\n{done.stdout}"
        assert "Traceback" not in done.stdout


def expected(command: str) -> int:
    longest = max((start for start in CODES if command.startswith(start)), key=len, default="")
    return CODES.get(longest, 0)


# ---- what is left running ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", SERVERS, ids=lambda block: block.place)
def test_a_server_that_is_printed_starts(block: Block, clone: Path) -> None:
    with paste(seen_here(block), clone) as pasted:
        pasted.out.wait(lambda line: bool(SAYS.search(line)))
        if block.file == "examples/ci/README.md":
            pasted.out.wait(lambda line: '"status":"completed"' in line)
        if block.file == DECIDE[0]:
            decide(pasted)
    assert "Traceback" not in pasted.out.text


def decide(pasted: Pasted) -> None:
    """What that example says to do next, in another terminal."""
    listed, approve = next(
        block.commands for block in BLOCKS.values() if (block.file, block.commands[0]) == DECIDE
    )
    asked = pasted.other(
        "curl -s http://127.0.0.1:8080/api/executions "
        '-H "Authorization: Bearer $(cat ~/.local/state/executor/local-token)" -H "Content-Type: application/json" '
        """-d '{"code": "return await tools.inventory.org.main.items.delete({itemId: \\"itm_8\\"})"}'"""
    )
    assert '"waiting_for_interaction"' in asked.stdout, asked.stdout
    execution = json.loads(asked.stdout)["executionId"]
    done = pasted.other(listed)
    assert (done.returncode, execution in done.stdout) == (0, True), done.stdout
    done = pasted.other(approve.replace("ID", execution))
    assert done.returncode == 0, done.stdout


def test_every_block_is_run_or_seen_elsewhere() -> None:
    run = {block.place for block in (*PASTED, *SERVERS)}
    left = [block for place, block in BLOCKS.items() if place not in run and seen_here(block)]
    assert [(block.file, block.commands[0]) for block in left] == [DECIDE]
    assert len(BLOCKS) >= 19


# ---- in a sentence or a table --------------------------------------------------------------------------------------
def spans() -> list[tuple[str, str]]:
    files = sorted({file for pattern in PLACES for file in ROOT.glob(pattern) if file.name != "CHANGELOG.md"})
    texts = [(file.relative_to(ROOT).as_posix(), FENCED.sub("", file.read_text())) for file in files]
    return [(name, " ".join(found.split())) for name, text in texts for found in SPAN.findall(text)]


def test_a_command_in_a_sentence_is_one_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Its words are ours; what it needs beside them may be left out, and `a|b` means either."""
    parser = whole_parser()
    found = spans()
    for place, text in found:
        words = shlex.split(re.split(r" [|>&<]", text)[0])
        for either in range(max((word.count("|") + 1 for word in words), default=1)):
            with contextlib.suppress(SystemExit):
                parser.parse_args([word.split("|")[min(either, word.count("|"))] for word in words])
            said = capsys.readouterr().err
            fine = "are required:" in said or "expected one argument" in said or text == "fmt"
            assert not said or fine, f"{place}: `executor {text}`\n{said}"
    assert len(found) > 150
