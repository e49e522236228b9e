"""What a command trusts when it speaks TLS to a server, and the certificate that it shows of itself."""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass
from pathlib import Path

from proxy.commands.common import CannotRun


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca` are authorities beside the system's. `own` is the certificate of the config whose server is asked: a server
    of this machine has to show exactly that, by whatever name it is asked. `cert` and `key` are the client's."""

    ca: Path | None = None
    own: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, args: argparse.Namespace, own: str | None = None) -> Trust:
        def path(name: str) -> Path | None:
            return Path(given) if (given := getattr(args, name, None)) else None

        ca = path("cacert")
        return cls(ca, Path(own) if own and ca is None else None, path("cert"), path("key"))

    def context(self) -> ssl.SSLContext:
        """Raises `CannotRun` for a file that cannot be used."""
        context = self._pinned() if self.own is not None else self._by_authority()
        if self.cert is not None:
            try:
                # Without a password OpenSSL would ask for one at the terminal.
                context.load_cert_chain(self.cert, self.key, password="")
            except OSError as error:
                raise CannotRun(f"--cert {self.cert}: {_why(error)}") from None
        elif self.key is not None:
            raise CannotRun("--key needs --cert, the certificate that belongs to it")
        return context

    def _by_authority(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context()
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except OSError as error:
            raise CannotRun(f"--cacert {self.ca}: {_why(error)}") from None
        return context

    def _pinned(self) -> ssl.SSLContext:
        """One certificate is trusted, its authority is not: others of that authority are other servers."""
        from cryptography.hazmat.primitives.serialization import Encoding

        from proxy.config.tls_files import certificates

        assert self.own is not None
        try:
            leaf = certificates(self.own.read_bytes())[0].public_bytes(Encoding.PEM).decode()
        except (OSError, IndexError):
            raise CannotRun(f"{self.own}: the certificate of `server.tls` cannot be read") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=leaf)
        return context


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """As curl has them."""
    parser.add_argument(
        "--cacert", metavar="FILE", help="authorities (PEM) to trust beside the system's, for https"
    )
    parser.add_argument(
        "--cert", metavar="FILE", help="certificate (PEM) to show to a server with `server.tls.client_ca`"
    )
    parser.add_argument("--key", metavar="FILE", help="its key, where --cert does not hold it")


def _why(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
