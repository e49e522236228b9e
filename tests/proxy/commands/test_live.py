"""What a health check asks, and how little it needs for that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.commands.live import DEFAULT_URL, ask, live_url
from tests.integrations.echo import Reply, echo_server


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ("doctor --live", DEFAULT_URL),
        ("doctor --live http://a:1", "http://a:1"),
        ("doctor --live --json", None),
        ("doctor --json --live", None),
        ("doctor --live http://a:1 http://b:1", None),
        ("doctor", None),
        ("", None),
    ],
)
def test_only_the_plain_question_is_answered_without_the_rest(words: str, url: str | None) -> None:
    assert live_url(words.split()) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "refused"),
        ("unix:/no/such/socket", "No such file"),
        ("nonsense", "expected http://HOST:PORT"),
        ("http://127.0.0.1:x", "x"),
    ],
)
def test_what_cannot_be_asked_is_said(url: str, said: str) -> None:
    good, seen = ask(url)
    assert not good
    assert said in seen


async def test_a_path_before_healthz_is_kept() -> None:
    async with echo_server() as echo:
        echo.replies["/tools/healthz"] = [Reply(200)]
        assert await asyncio.to_thread(ask, f"{echo.url}/tools/") == (True, f"{echo.url}/tools/: HTTP 200")


async def test_a_unix_socket_is_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        assert await asyncio.to_thread(ask, f"unix:{path}") == (False, f"unix:{path}: HTTP 503")


def test_nothing_of_the_server_is_imported() -> None:
    program = (
        "import sys; from proxy.cli import main; code = main(['doctor', '--live', 'http://127.0.0.1:9']);"
        "print(code, sorted({m.split('.')[0] for m in sys.modules} & {'pydantic', 'yaml', 'httpx2', 'mcp'}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.splitlines()[-1] == "1 []"
