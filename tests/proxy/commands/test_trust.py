"""Which certificates a command trusts, and which it shows."""

from __future__ import annotations

import argparse
import asyncio
import ssl
from pathlib import Path

import pytest

from proxy.commands.common import CannotRun
from proxy.commands.trust import Trust
from tests.integrations.tls import Authority, Issued


async def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> None:
    """Raises `ssl.SSLError` when one of them refuses."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ok")
        writer.close()

    listener = await asyncio.start_server(one, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname=name if client.check_hostname else None
        )
        assert await reader.read() == b"ok"
        writer.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"cacert": None, "cert": None, "key": None, **given})


async def test_the_systems_authorities_and_one_more(authority: Authority) -> None:
    server = authority.server_context(authority.issue("localhost"))
    await handshake(server, Trust.of(options(cacert=str(authority.bundle))).context())
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(server, Trust.of(options()).context())
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(server, Trust(ca=authority.bundle).context(), "tools.example.com")


async def test_the_server_of_this_config_shows_exactly_its_certificate(authority: Authority) -> None:
    """By whatever name: it is asked on this machine. Another certificate of the same authority is another server."""
    own, other = authority.issue("tools.example.com"), authority.issue("other.example.com")
    trust = Trust.of(options(), str(own.cert))
    await handshake(authority.server_context(own), trust.context())
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(authority.server_context(other), trust.context())
    named = Trust.of(options(cacert=str(authority.bundle)), str(own.cert))
    assert named.own is None, "who names an authority wants it to be asked"


async def test_a_certificate_of_the_client(authority: Authority) -> None:
    server = authority.server_context(authority.issue("localhost"), client_required=True)
    agent = authority.issue("agent")
    given = options(cacert=str(authority.bundle), cert=str(agent.cert), key=str(agent.key))
    await handshake(server, Trust.of(given).context())


@pytest.mark.parametrize("name", ["missing.pem", "nonsense.pem"])
def test_files_that_cannot_be_used_name_their_option(name: str, tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    path = tmp_path / name
    issued: Issued = authority.issue("x")
    for trust, option in (
        (Trust(ca=path), f"--cacert {path}: "),
        (Trust(cert=path), f"--cert {path}: "),
        (Trust(own=path), "the certificate of `server.tls` cannot be read"),
        (Trust(key=issued.key), "--key needs --cert"),
    ):
        with pytest.raises(CannotRun) as refused:
            trust.context()
        assert option in str(refused.value)
