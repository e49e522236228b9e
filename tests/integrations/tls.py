"""A certificate authority of our own, servers that use it, and a forward proxy: real TLS on 127.0.0.1."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.base import Secret


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as files."""

    cert: Path
    key: Path

    @property
    def secret(self) -> Secret:
        return Secret(self.key.read_text())


class Authority:
    """Signs certificates that are good for `days` from now on; negative ones have ended."""

    def __init__(self, directory: Path, *, days: int = 1) -> None:
        self._directory = directory
        self._days = days
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test authority {directory.name}")])
        certificate = (
            self._begun(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = directory / "ca.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._begun(subject, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([_general(host) for host in hosts or (name,)]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        issued = Issued(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        issued.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued

    def server_context(self, issued: Issued, *, client_required: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert, issued.key)
        if client_required:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.bundle)
        return context

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=self._days))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@asynccontextmanager
async def tls_in_front_of(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS end before a plain server on 127.0.0.1; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, port)

    async with _listening(serve, context) as bound:
        yield bound


@dataclass(slots=True)
class ForwardProxy:
    """`asked` are request lines. `targets` says which port of 127.0.0.1 stands for a host."""

    targets: dict[str, int]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    refuses: bool = False


@asynccontextmanager
async def forward_proxy(
    targets: dict[str, int], context: ssl.SSLContext | None = None
) -> AsyncIterator[ForwardProxy]:
    """Speaks CONNECT, and forwards plain http (RFC 9112 section 3.2.2, RFC 9110 section 9.3.6)."""
    proxy = ForwardProxy(targets)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        proxy.asked.append(line.decode())
        method, target, _ = line.decode().split(" ")
        if proxy.refuses:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await _relay(reader, writer, proxy.targets[target.rsplit(":", 1)[0]])
            return
        authority, _, path = target.removeprefix("http://").partition("/")
        first = f"{method} /{path} HTTP/1.1\r\n".encode() + rest
        await _relay(reader, writer, proxy.targets[authority.rsplit(":", 1)[0]], first)

    async with _listening(serve, context) as port:
        proxy.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
        yield proxy


@asynccontextmanager
async def _listening(serve: object, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes = b""
) -> None:
    """Both ways until either side ends."""
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    inner_writer.write(first)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, inner_writer))
            group.create_task(_copy(inner_reader, writer))
    except* (ConnectionError, ssl.SSLError, asyncio.CancelledError):
        pass
    finally:
        for end in (writer, inner_writer):
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()
