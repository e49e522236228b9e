"""Where a command finds its server and its token, and what it says when there is none."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from integrations.base import Secret
from proxy.auth import approver_token, local_token
from proxy.commands.common import CannotRun
from proxy.commands.remote import Refused, Remote, ServerAccess, execution_path, find_server
from tests.proxy.commands.boarded import boarded
from tests.proxy.support import written


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """A state directory of its own: these tests are about what is in it."""
    return {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}


def asked(**options: object) -> argparse.Namespace:
    return argparse.Namespace(**{"server": None, "token": None, "workspace": None, "config": None, **options})


def test_the_minted_token_is_for_this_machine_only(env: Mapping[str, str]) -> None:
    folder = Path(env["EXECUTOR_STATE_DIR"])
    approver, agent = approver_token(folder), local_token(folder)
    near = asked(server="http://localhost:8080/")
    assert find_server(near, env) == ServerAccess(
        "http://localhost:8080", approver, str(folder / "approver.token"), None
    )
    assert find_server(near, env, "agent").token == agent
    with pytest.raises(CannotRun, match=r"no token for https://executor\.example\.com: set EXECUTOR_TOKEN"):
        find_server(asked(server="https://executor.example.com"), env)


def test_a_given_token_goes_before_the_minted_one(env: Mapping[str, str]) -> None:
    approver_token(Path(env["EXECUTOR_STATE_DIR"]))
    named = {**env, "EXECUTOR_TOKEN": "mine", "EXECUTOR_SERVER": "https://executor.example.com"}
    assert find_server(asked(), named).token == Secret("mine")
    assert find_server(asked(token="other"), named).token == Secret("other")


def test_without_any_token_the_way_out_is_named(env: Mapping[str, str]) -> None:
    with pytest.raises(
        CannotRun, match=r"approver\.token does not exist\. Set EXECUTOR_TOKEN .* approver role"
    ):
        find_server(asked(server="http://127.0.0.1:8080"), env)
    path = Path(env["EXECUTOR_STATE_DIR"]) / "approver.token"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * 43)
    path.chmod(0o644)
    with pytest.raises(CannotRun, match="chmod 600"):
        find_server(asked(server="http://127.0.0.1:8080"), env)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("0.0.0.0:9001", "http://127.0.0.1:9001"),
        ('"[::1]:9001"', "http://[::1]:9001"),
        ("{env: PLACE, default: '127.0.0.1:9002'}", "http://127.0.0.1:9003"),
    ],
)
def test_the_config_says_where_the_server_is(
    tmp_path: Path, env: Mapping[str, str], listen: str, url: str
) -> None:
    auth = 'auth: {api_keys: {keys: {k: {hash: "sha256:' + "0" * 64 + '"}}}}\n'
    path = written(tmp_path, f"version: 1\nserver: {{listen: {listen}}}\n{auth}")
    given = {**env, "EXECUTOR_TOKEN": "t", "PLACE": "127.0.0.1:9003"}
    assert find_server(asked(config=[str(path)]), given).url == url


def test_a_config_that_says_no_place(tmp_path: Path, env: Mapping[str, str]) -> None:
    given = {**env, "EXECUTOR_TOKEN": "t"}
    free = written(tmp_path, "version: 1\nserver: {listen: '127.0.0.1:0'}\n")
    with pytest.raises(CannotRun, match="takes a free port"):
        find_server(asked(config=[str(free)]), given)
    bad = written(tmp_path, "version: 2\n", "bad.yaml")
    with pytest.raises(CannotRun, match="the config is invalid"):
        find_server(asked(config=[str(bad)]), given)
    with pytest.raises(CannotRun, match="no such file"):
        find_server(asked(config=[str(tmp_path / "gone.yaml")]), given)


def test_without_a_config_it_is_the_default_place(
    tmp_path: Path, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_server(asked(), {**env, "EXECUTOR_TOKEN": "t"}).url == "http://127.0.0.1:8080"


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "http://user:pw@127.0.0.1"])
def test_a_server_is_a_url(env: Mapping[str, str], url: str) -> None:
    with pytest.raises(CannotRun, match="expected a URL"):
        find_server(asked(server=url), env)


def remote(url: str, token: str = "alice", workspace: str | None = None) -> Remote:
    return Remote(ServerAccess(url, Secret(token), "--token", workspace))


def test_what_goes_wrong_says_what_to_do() -> None:
    with (
        remote("http://127.0.0.1:9") as nobody,
        pytest.raises(CannotRun, match="Is `executor serve` running"),
    ):
        nobody.get("/api/approvals")
    with boarded() as server:
        with remote(server.url, "wrong") as stranger, pytest.raises(CannotRun, match="token of --token"):
            stranger.get("/api/approvals")
        with remote(server.url) as known, pytest.raises(Refused) as caught:
            known.get(execution_path("../x y"))
        assert (caught.value.status, caught.value.code) == (404, "not_found")
        with remote(server.url, workspace="ws_one") as known:
            assert known.get("/api/approvals") == {"items": []}


@contextmanager
def other_server() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(60)


def test_another_kind_of_server() -> None:
    with other_server() as url, remote(url) as page, pytest.raises(CannotRun, match="is no Executor server"):
        page.get("/api/approvals")
