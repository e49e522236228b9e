"""`executor serve` with `server.tls`: every client over https, and certificates that change while it runs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests import processes
from tests.e2e import configs
from tests.e2e.running import Proxy, environment, serving
from tests.e2e.upstream import Upstream
from tests.integrations.tls import Authority


@dataclass
class TlsServer:
    """A server whose files are in `folder`."""

    proxy: Proxy
    folder: Path
    authority: Authority
    config: Path

    def shows(self) -> int:
        """The serial number that a new connection sees."""
        port = int(self.proxy.url.rpartition(":")[2])
        pem = ssl.get_server_certificate(("127.0.0.1", port))
        from cryptography.x509 import load_pem_x509_certificate

        return load_pem_x509_certificate(pem.encode()).serial_number

    def replace(self) -> None:
        """A new pair, as `certbot` or a mounted Secret would bring it."""
        put(self.authority, self.folder)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return processes.run(*arguments, env=environment(self.folder / "state", configs.ENV))


def put(authority: Authority, folder: Path) -> None:
    issued = authority.issue("localhost")
    for source, name in ((issued.cert, "cert.pem"), (issued.key, "key.pem")):
        shutil.copy(source, folder / f"{name}.new")
        (folder / f"{name}.new").rename(folder / name)


@pytest.fixture
def server(api: Upstream, tmp_path: Path) -> Iterator[TlsServer]:
    (tmp_path / "issued").mkdir()
    authority = Authority(tmp_path / "issued")
    put(authority, tmp_path)
    tls = {"cert": {"file": "cert.pem"}, "key": {"file": "key.pem"}}
    settings = {"tls": tls, "reload": {"settle": "100ms", "poll_interval": "1s"}}
    config = configs.write(tmp_path / "executor.yaml", configs.base(api, server=settings))
    with serving(config, tmp_path / "state", env=configs.ENV) as proxy:
        yield TlsServer(proxy, tmp_path, authority, config)


def test_everything_is_https(server: TlsServer) -> None:
    assert server.proxy.url.startswith("https://localhost:")
    trust = ssl.create_default_context(cafile=server.authority.bundle)
    with httpx2.Client(base_url=server.proxy.url, verify=trust, timeout=60) as client:
        assert client.get("/healthz").status_code == 200
        login = client.get("/login")
        assert login.status_code == 200
        token = (server.folder / "state" / "approver.token").read_text().strip()
        origin = {"origin": server.proxy.url, "sec-fetch-site": "same-origin"}
        signed = client.post("/login", data={"credential": token, "next": ""}, headers=origin)
        assert signed.headers["set-cookie"].startswith("__Host-executor=")
        assert "; Secure" in signed.headers["set-cookie"]
    with pytest.raises(httpx2.TransportError):
        httpx2.get(server.proxy.url.replace("https:", "http:") + "/healthz")


async def test_agents_run_code_and_links_are_https(server: TlsServer) -> None:
    assert await server.proxy.value("return 1 + 1") == 2
    code = "return await tools.shop.org.main.things.create({body: {name: 'x'}})"
    held = await server.proxy.execute(code, path="/mcp?elicitation_mode=browser")
    assert held.structured["approvalUrl"].startswith(f"{server.proxy.url}/resume/")


def test_commands_reach_it(server: TlsServer) -> None:
    named = ("--server", server.proxy.url)
    trusted = server.command("approvals", "ls", *named, "--cacert", str(server.authority.bundle))
    assert (trusted.returncode, trusted.stderr) == (0, "")
    strange = server.command("approvals", "ls", *named)
    assert strange.returncode == 2
    assert "Name the authority of its certificate with --cacert FILE" in strange.stderr
    plain = server.command("approvals", "ls", "--server", server.proxy.url.replace("https:", "http:"))
    assert plain.returncode == 2
    assert "https://" in plain.stderr
    live = server.command("doctor", "--live", server.proxy.url.replace("https:", "http:"))
    assert live.returncode == 0, live.stdout + live.stderr
    asked = server.command("doctor", *named, "--cacert", str(server.authority.bundle))
    assert "certificate" in asked.stdout


def test_the_server_of_the_config_is_found_and_trusted(server: TlsServer) -> None:
    port = server.proxy.url.rpartition(":")[2]
    text = server.config.read_text().replace('"tls"', f'"listen": "127.0.0.1:{port}", "tls"')
    (server.folder / "client.yaml").write_text(text)
    found = server.command("approvals", "ls", "--config", str(server.folder / "client.yaml"))
    assert (found.returncode, found.stderr) == (0, "")


async def test_new_files_are_served_without_a_restart(server: TlsServer) -> None:
    before, seen = server.shows(), server.proxy.err.mark()
    server.replace()
    server.proxy.logged("certificate served", seen)
    after = server.shows()
    assert after != before
    (server.folder / "key.pem").write_text("nonsense")
    rejected = server.proxy.logged("config rejected", seen)
    assert "E410" in rejected["detail"]
    assert server.shows() == after, "the old pair stays"
    status = await server.proxy.status()
    assert [one["code"] for one in status["config"]["last_reload"]["diagnostics"]] == ["E410"]
    assert await server.proxy.counted("executor_config_last_reload_successful") == 0
    seen = server.proxy.err.mark()
    server.replace()
    server.proxy.logged("certificate served", seen)
    assert server.shows() not in (before, after)
    assert await server.proxy.counted("executor_config_last_reload_successful") == 1
    assert await server.proxy.counted("executor_tls_certificate_expiry_timestamp_seconds") > 1_700_000_000


def test_clients_need_certificates_once_an_authority_is_named(server: TlsServer) -> None:
    shutil.copy(server.authority.bundle, server.folder / "ca.pem")
    seen = server.proxy.err.mark()
    text = server.config.read_text().replace('"key": {', '"client_ca": {"file": "ca.pem"}, "key": {', 1)
    server.config.write_text(text)
    server.proxy.logged("config applied", seen)
    trust = ssl.create_default_context(cafile=server.authority.bundle)
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{server.proxy.url}/healthz", verify=trust)
    agent = server.authority.issue("agent")
    trust.load_cert_chain(agent.cert, agent.key)
    assert httpx2.get(f"{server.proxy.url}/healthz", verify=trust).status_code == 200
    options = ("--server", server.proxy.url, "--cacert", str(server.authority.bundle))
    refused = server.command("approvals", "ls", *options)
    assert refused.returncode == 2
    shown = ("--cert", str(agent.cert), "--key", str(agent.key))
    let_in = server.command("approvals", "ls", *options, *shown)
    assert (let_in.returncode, let_in.stderr) == (0, "")


@pytest.mark.parametrize("broken", ["missing", "other", "encrypted"])
def test_what_cannot_serve_is_found_before_a_start(broken: str, server: TlsServer, api: Upstream) -> None:
    key = server.folder / "other.pem"
    if broken == "other":
        shutil.copy(server.authority.issue("other").key, key)
    if broken == "encrypted":
        key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    tls = {"cert": {"file": "cert.pem"}, "key": {"file": "other.pem"}}
    file = configs.write(server.folder / "broken.yaml", configs.base(api, server={"tls": tls}))
    code = "E304" if broken == "missing" else "E410"
    for command in (("validate", "--config", str(file)), ("serve", "--config", str(file))):
        done = server.command(*command)
        assert code in done.stdout + done.stderr
        assert done.returncode == (1 if command[0] == "validate" else 78)
