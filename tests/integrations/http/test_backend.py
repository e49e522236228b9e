from __future__ import annotations

import asyncio

import httpcore2
import pytest

from integrations.http.backend import PinnedBackend, system_resolve
from integrations.http.egress import EgressRules
from integrations.http.errors import EgressDenied
from tests.integrations.echo import echo_server


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with echo_server() as echo:
        backend = PinnedBackend(EgressRules(allow=("127.0.0.0/8",)), two)
        stream = await backend.connect_tcp("h.example", int(echo.url.rsplit(":", 1)[1]), timeout=60)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()


async def test_names_that_are_no_names() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    async def hangs(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def nothing(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(httpcore2.ConnectError):
        await PinnedBackend(EgressRules(), fails).connect_tcp("h.example", 443)
    with pytest.raises(httpcore2.ConnectTimeout):
        await PinnedBackend(EgressRules(), hangs).connect_tcp("h.example", 443, timeout=0.05)
    with pytest.raises(EgressDenied):
        await PinnedBackend(EgressRules(), nothing).connect_tcp("h.example", 443)


async def test_unix_sockets_are_refused() -> None:
    backend = PinnedBackend(EgressRules(), system_resolve)
    with pytest.raises(EgressDenied):
        await backend.connect_unix_socket("/run/x.sock")
    await backend.sleep(0)


async def test_the_system_resolver() -> None:
    assert await system_resolve("127.0.0.1", 80) == ["127.0.0.1"]
