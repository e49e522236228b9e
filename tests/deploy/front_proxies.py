"""nginx, Caddy and HAProxy as the files of deploy/proxies set them up, on free ports of 127.0.0.1.

Of a file only names of this machine change: host, ports, certificate. A test may shorten its timeouts, or have it strip
the path.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.deploy.tools import free_port, tool
from tests.integrations.tls import Issued

FILES: Final = Path(__file__).parents[2] / "deploy" / "proxies"
CONFIGS: Final[Mapping[str, str]] = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg"}
STRIPS: Final[Mapping[str, tuple[str, str]]] = {
    "nginx": (
        "location /executor/ { proxy_pass http://executor; }",
        "location /executor/ { proxy_pass http://executor/; }",
    ),
    "caddy": (
        "\t@executor path",
        "\turi strip_prefix /executor\n\t@executor path / /mcp* /api/* /pages/* /login",
    ),
    "haproxy": (
        "    server executor",
        "    http-request replace-path /executor/(.*) /\\1\n    server executor",
    ),
}
"""What makes each of them strip the path: the text, and what stands there instead."""
NGINX: Final = """daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {file};
}}
"""
LIMIT_SECONDS: Final = 60.0


@contextmanager
def front(
    name: str, folder: Path, port: int, upstream: int, issued: Issued, *changes: tuple[str, str]
) -> Iterator[None]:
    """A running proxy on `port`, before the server on `upstream`. `changes` are made to its file first."""
    file = folder / CONFIGS[name]
    both = folder / "both.pem"
    both.write_bytes(issued.cert.read_bytes() + issued.key.read_bytes())
    text = (FILES / CONFIGS[name]).read_text()
    here = (
        ("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
        ("/etc/ssl/tools.example.com.pem", str(issued.cert)),
        ("/etc/ssl/tools.example.com.key", str(issued.key)),
        ("/etc/ssl/tools.example.com.both", str(both)),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("bind :443 ", f"bind 127.0.0.1:{port} "),
        ("tools.example.com", "localhost"),
    )
    for old, new in (*changes, *here):
        text = text.replace(old, new)
    file.write_text(text)
    with _running(_command(name, folder, file, port), folder) as process:
        _until_it_listens(process, port, folder)
        yield


def _command(name: str, folder: Path, file: Path, port: int) -> list[str]:
    found = tool(name)
    assert found is not None, f"{name} is not installed; `make deploy-test` fetches it"
    if name == "nginx":
        (folder / "main.conf").write_text(NGINX.format(folder=folder, file=file))
        return [found, "-e", "stderr", "-p", str(folder), "-c", str(folder / "main.conf")]
    if name == "haproxy":
        return [found, "-db", "-f", str(file)]
    options = (
        f"{{\n\tadmin off\n\thttp_port {free_port()}\n\thttps_port {port}\n\tdefault_bind 127.0.0.1\n"
        "\tauto_https disable_redirects\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n"
    )
    file.write_text(options + file.read_text())
    return [found, "run", "--adapter", "caddyfile", "--config", str(file)]


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **homes}, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def _until_it_listens(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    ends = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError((folder / "log").read_text())
