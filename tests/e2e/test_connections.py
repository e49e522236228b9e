"""Two people sign in to one connection: from the middle of a call, from the page, from the command line. The server,
the authorization server and the API behind it are real, and nothing secret is left anywhere (T31).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from proxy.auth import hash_key
from tests import processes
from tests.e2e import configs
from tests.e2e.running import MODERN, Answer, Proxy, environment, post, serving, spawn
from tests.integrations.oauth.server import AuthServer, auth_thread
from tests.proxy.state.servers import redis_server
from tests.proxy.support import shop

ALICE, BOB = "exk_alice-key-000000000000", "exk_bob-key-00000000000000"
MINE = "shop.user.me"
ASK = (
    "const r = await tools.shop.user.me.items.list({}); "
    "if (!r.ok) throw new Error(JSON.stringify(r)); return r.data.account"
)
LISTED = f"https?://[^/]+/sign-in/{MINE}\\?account=key%3Aalice"
ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])


@dataclass
class Scene:
    """The authorization server and a proxy whose config signs people in there."""

    auth: AuthServer
    proxy: Proxy
    folder: Path

    async def browse(self, url: str) -> httpx2.Response:
        """A browser that goes to the authorization server and is sent back."""
        async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as browser:
            return await browser.get(url)


def config_in(folder: Path, auth: AuthServer, **sections: Any) -> Path:
    entry = {"auth": {"kind": "oauth2", "grant": "authorization_code", "issuer": auth.issuer}}
    config = {
        "version": 1,
        "rate_limits": {},
        "integrations": {
            "shop": {"kind": "openapi", "spec": {"inline": shop()}, "base_url": f"{auth.url}/api"}
        },
        "connections": {MINE: entry, "shop.org.main": entry},
        "auth": {
            "api_keys": {
                "keys": {
                    "alice": {"hash": f"sha256:{hash_key(ALICE)}", "groups": ["admins"]},
                    "bob": {"hash": f"sha256:{hash_key(BOB)}"},
                }
            },
            "roles": {"admin": ["admins"]},
        },
        "audit": {"sink": {"file": str(folder / "audit.jsonl")}, "arguments": "full"},
        "server": {"reload": {"drain_timeout": "5s"}},
        **sections,
    }
    return configs.write(folder / "executor.yaml", config)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with auth_thread() as auth, serving(config_in(tmp_path, auth), tmp_path / "state", env={}) as proxy:
        yield Scene(auth, proxy, tmp_path)


class Login:
    """`executor auth login` as a process, whose browser is the test."""

    def __init__(self, scene: Scene, key: str, connection: str = MINE) -> None:
        words = ("auth", "login", connection, "--no-browser", "--server", scene.proxy.url)
        self.process = spawn(*words, state=scene.folder / "state", env={"EXECUTOR_TOKEN": key})

    @property
    def url(self) -> str:
        return self.process.err.wait(lambda line: line.startswith("http"))


def command(scene: Scene, key: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = environment(scene.folder / "state", {"EXECUTOR_TOKEN": key})
    return processes.run("auth", *words, "--server", scene.proxy.url, env=env)


async def log_in(scene: Scene, key: str) -> None:
    login = Login(scene, key)
    await scene.browse(login.url)
    assert login.process.wait() == 0, login.process.err.text
    assert f"signed in to {MINE}" in login.process.out.text


async def test_from_the_command_line(scene: Scene) -> None:
    assert command(scene, ALICE, "status", MINE).returncode == 1
    await log_in(scene, ALICE)
    shown = command(scene, ALICE, "status", MINE)
    assert (shown.returncode, "connected" in shown.stdout) == (0, True)
    assert command(scene, BOB, "status", MINE).returncode == 1
    assert await scene.proxy.value(ASK, token=ALICE) == "ann"
    scene.auth.account = "bob-upstream"
    await log_in(scene, BOB)
    assert await scene.proxy.value(ASK, token=BOB) == "bob-upstream"
    assert await scene.proxy.value(ASK, token=ALICE) == "ann"
    out = command(scene, BOB, "logout", MINE)
    assert (out.returncode, out.stdout) == (0, f"signed out of {MINE}\n")
    assert (await scene.proxy.execute(ASK, token=BOB)).status == "waiting_for_interaction"
    assert await scene.proxy.value(ASK, token=ALICE) == "ann"
    refused = command(scene, BOB, "login", "shop.org.main", "--no-browser")
    assert (refused.returncode, "only operators" in refused.stderr) == (1, True)


async def test_on_another_device(scene: Scene) -> None:
    """RFC 8628, where the authorization server has it; its answer that it has not is an error that says what else."""
    without = command(scene, ALICE, "login", MINE, "--device")
    assert (without.returncode, "sign in with a browser" in without.stderr) == (1, True), without.stderr
    scene.auth.quirks.devices = True
    words = ("auth", "login", MINE, "--device", "--server", scene.proxy.url)
    login = spawn(*words, state=scene.folder / "state", env={"EXECUTOR_TOKEN": ALICE})
    assert f"{scene.auth.url}/device-page" in login.err.wait(lambda line: line.startswith("Open http"))
    scene.auth.enter(login.err.wait(lambda line: line.startswith("    USER")).strip(), "alice-upstream")
    assert login.wait() == 0, login.err.text
    assert login.out.text.strip() == f"signed in to {MINE}"
    assert await scene.proxy.value(ASK, token=ALICE) == "alice-upstream"
    refused = command(scene, BOB, "login", "shop.org.main", "--device")
    assert (refused.returncode, "only operators" in refused.stderr) == (1, True)
    for wrong in (("--no-browser",), ("--port", "1234")):
        assert command(scene, BOB, "login", MINE, "--device", *wrong).returncode == 2


async def test_a_machine_without_a_browser_shows_a_code_or_else_the_address(scene: Scene) -> None:
    """Nobody asked for `--device`: the code is for servers that have it, the address for all others."""
    nothing = {"PATH": str(scene.folder), "DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
    words = ("auth", "login", MINE, "--server", scene.proxy.url)
    here = spawn(*words, state=scene.folder / "state", env={"EXECUTOR_TOKEN": ALICE, **nothing})
    await scene.browse(here.err.wait(lambda line: line.startswith("http")))
    assert here.wait() == 0, here.err.text
    assert "enter the code" not in here.err.text
    scene.auth.quirks.devices, scene.auth.account = True, "ann"
    elsewhere = spawn(*words, state=scene.folder / "state", env={"EXECUTOR_TOKEN": BOB, **nothing})
    scene.auth.enter(elsewhere.err.wait(lambda line: line.startswith("    USER")).strip(), "bob-upstream")
    assert elsewhere.wait() == 0, elsewhere.err.text
    assert await scene.proxy.value(ASK, token=BOB) == "bob-upstream"
    assert await scene.proxy.value(ASK, token=ALICE) == "ann"


async def resumed(scene: Scene, execution_id: str, key: str, action: str = "accept") -> Answer:
    async with scene.proxy.client(key) as client:
        answer = await post(client, "resume", {"executionId": execution_id, "action": action})
        return Answer(answer.json()["result"])


async def test_from_the_middle_of_a_call(scene: Scene) -> None:
    first = await scene.proxy.execute(ASK, token=ALICE)
    assert first.status == "waiting_for_interaction"
    (question,) = first.structured["interactions"]
    assert question["kind"] == "url"
    assert re.fullmatch(LISTED, question["url"]), question["url"]
    assert "`key:alice` has to sign in to `shop.user.me`" in question["message"]
    assert "in its own words" not in question["message"]
    # Accepting without having signed in asks again.
    again = await resumed(scene, first.structured["executionId"], ALICE)
    assert again.status == "waiting_for_interaction"
    await log_in(scene, ALICE)
    done = await resumed(scene, first.structured["executionId"], ALICE)
    assert done.value == "ann"
    # Who declines gets an error with the link, and the code goes on.
    code = (
        "const r = await tools.shop.user.me.items.list({}); return [r.ok, r.error.code, r.error.details.url]"
    )
    paused = await scene.proxy.execute(code, token=BOB)
    ok, word, url = (await resumed(scene, paused.structured["executionId"], BOB, "decline")).value
    assert (ok, word) == (False, "oauth_reauth_required")
    assert url.endswith("account=key%3Abob")


@ERAS
async def test_by_url_elicitation_in_both_eras(scene: Scene, mode: str) -> None:
    from mcp_types import ElicitResult

    seen: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        seen.append(params.url)
        await log_in(scene, ALICE)
        return ElicitResult(action="accept")

    path = "/mcp?elicitation_mode=native"
    async with scene.proxy.sdk(mode, path, ALICE, elicitation_callback=person) as client:
        result = await client.call_tool("execute", {"code": ASK})
    assert (result.structured_content or {})["result"] == "ann", result
    (url,) = seen
    assert re.fullmatch(LISTED, url)


class Browser:
    """Cookies, and forms that are sent from our own pages."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._http = httpx2.AsyncClient(base_url=scene.proxy.url, trust_env=False)
        self._own = {"origin": scene.proxy.url, "sec-fetch-site": "same-origin"}

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def log_in(self, key: str) -> None:
        answer = await self.post("/login", {"credential": key})
        assert answer.status_code == 303

    async def get(self, place: str, **headers: str) -> httpx2.Response:
        return await self._http.get(place, headers=headers)

    async def post(self, place: str, form: Mapping[str, str]) -> httpx2.Response:
        return await self._http.post(place, data=dict(form), headers=self._own)

    async def csrf(self, place: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.get(place)).text)
        assert found is not None
        return found[1]

    async def begin(self, place: str) -> str:
        """Where the page sends the browser."""
        answer = await self.post(place.partition("?")[0], {"csrf": await self.csrf(place)})
        assert answer.status_code == 200, answer.text
        found = re.search(r'rel="noreferrer" href="([^"]+)"', answer.text)
        assert found is not None, answer.text
        return found[1].replace("&amp;", "&")


async def test_from_the_page(scene: Scene) -> None:
    link = f"/sign-in/{MINE}?account=key%3Aalice"
    async with Browser(scene) as alice, Browser(scene) as bob:
        assert "Sign in" in (await alice.get(link)).text
        await alice.log_in(ALICE)
        await bob.log_in(BOB)
        # A forwarded link binds nothing to whoever opens it.
        forwarded = await bob.get(link)
        assert (forwarded.status_code, "for another account" in forwarded.text) == (403, True)
        page = await alice.get(link)
        assert (page.status_code, "key:alice" in page.text) == (200, True)
        leaving = await alice.begin(link)
        assert leaving.startswith(f"{scene.auth.url}/authorize?")
        async with httpx2.AsyncClient(trust_env=False) as elsewhere:
            back = (await elsewhere.get(leaving)).headers["location"]
        back = back.removeprefix(scene.proxy.url)
        # Somebody else brings the callback: nothing is bound, and the right one can still bring it.
        assert (await bob.get(back)).status_code == 403
        async with Browser(scene) as stranger:
            again = await stranger.get(back, **{"sec-fetch-site": "cross-site"})
        assert 'http-equiv="refresh"' in again.text
        done = await alice.get(back)
        assert (done.status_code, done.headers["location"]) == (303, f"/connections?done={MINE}")
        assert (await alice.get(back)).status_code == 400
        shown = (await alice.get("/connections")).text
        assert "connected" in shown
        assert "needs_auth" in (await bob.get("/connections")).text
        assert await scene.proxy.value(ASK, token=ALICE) == "ann"
        for place in (f"/sign-in/{MINE}", f"/sign-out/{MINE}"):
            assert (await alice.post(place, {"csrf": "forged"})).status_code == 403
        gone = await alice.post(f"/sign-out/{MINE}", {"csrf": await alice.csrf("/connections")})
        assert gone.status_code == 303
        assert (await bob.get("/sign-in/shop.org.main")).status_code == 403
        assert (await alice.get("/sign-in/shop.org.main")).status_code == 200
        assert (await alice.get("/sign-in/no.org.such")).status_code == 404
        assert (await alice.get("/oauth/client.json")).status_code == 404


async def test_a_restart_needs_no_new_sign_in_and_nothing_secret_is_left(tmp_path: Path) -> None:
    with auth_thread() as auth:
        auth.quirks.expires_in = 3600
        config = config_in(tmp_path, auth)
        said = ""
        with serving(config, tmp_path / "state", env={"EXECUTOR_MCP_DEBUG": "1"}) as proxy:
            scene = Scene(auth, proxy, tmp_path)
            await log_in(scene, ALICE)
            assert await proxy.value(ASK, token=ALICE) == "ann"
            async with proxy.client(ALICE) as client:
                for place in ("/-/status", "/-/config", "/metrics", "/api/connections", "/api/sign-ins"):
                    said += (await client.get(place)).text
        said += proxy.out.text + proxy.err.text
        auth.revoke_all()
        with serving(config, tmp_path / "state", env={"EXECUTOR_MCP_DEBUG": "1"}) as proxy:
            assert await proxy.value(ASK, token=ALICE) == "ann"
            echo = "return (await tools.shop.user.me.items.list({})).data"
            said += str((await proxy.execute(echo, token=ALICE)).raw)
        said += proxy.out.text + proxy.err.text + (tmp_path / "audit.jsonl").read_text()
        assert (len(auth.redirected), auth.refused) == (1, 0)
        assert auth.asked[-1]["grant_type"] == "refresh_token"
        hidden = {one for one in (*auth.api_log, *(g.refresh for g in auth.grants)) if one}
        hidden |= {
            value
            for asked in auth.asked
            for name, value in asked.items()
            if name in ("code", "code_verifier")
        }
        assert len(hidden) >= 5
        assert [one for one in hidden if one in said] == []
        stored = b"".join(one.read_bytes() for one in (tmp_path / "state").glob("state.db*"))
        assert [one for one in hidden if one.encode() in stored] == []
        assert "key:alice" in (tmp_path / "audit.jsonl").read_text()


async def test_pages_say_where_the_browser_goes(scene: Scene) -> None:
    async with Browser(scene) as alice:
        await alice.log_in(ALICE)
        leaving = await alice.begin(f"/sign-in/{MINE}")
        assert urlsplit(leaving).netloc == urlsplit(scene.auth.url).netloc


@contextmanager
def four_processes(config: Path, state: Path, env: Mapping[str, str]) -> Iterator[list[Proxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(config, state, env=env)) for _ in range(4)]


async def used_by_all(auth: AuthServer, proxies: list[Proxy], folder: Path) -> None:
    """Tokens end again and again while every process calls: the one refresh token is never used twice."""
    await log_in(Scene(auth, proxies[0], folder), ALICE)
    for _ in range(3):
        auth.revoke_all()
        values = await asyncio.gather(*(one.value(ASK, token=ALICE) for one in proxies for _ in range(3)))
        assert set(values) == {"ann"}
    assert (auth.refused, len(auth.redirected)) == (0, 1)
    assert auth.issued == 4


async def test_four_processes_refresh_once_on_one_file(tmp_path: Path) -> None:
    with (
        auth_thread() as auth,
        four_processes(config_in(tmp_path, auth, audit={"sink": "off"}), tmp_path / "state", {}) as proxies,
    ):
        await used_by_all(auth, proxies, tmp_path)


async def test_four_processes_refresh_once_on_redis(tmp_path: Path) -> None:
    state = {"backend": "redis", "url": {"env": "REDIS_URL"}, "encryption_key": {"env": "STATE_KEY"}}
    with redis_server() as store, auth_thread() as auth:
        config = config_in(tmp_path, auth, audit={"sink": "off"}, state=state)
        env = {"REDIS_URL": store.url, "STATE_KEY": "a-key-of-the-deployment-32-bytes"}
        with four_processes(config, tmp_path / "state", env) as proxies:
            await used_by_all(auth, proxies, tmp_path)
