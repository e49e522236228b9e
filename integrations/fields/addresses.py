"""URLs, listeners, address ranges, origins, header names."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from integrations.fields.base import JsonSchema, of_text, problem, string_schema
from integrations.fields.settings import settable, settable_schema


def is_local_host(host: str) -> bool:
    """Loopback by name or number: the only hosts where plain http and open listeners are safe."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_UNSAFE_URL = re.compile(r"[\s\x00-\x20\x7f\"<>\\^`{|}]")


def _check_url(value: object, schemes: tuple[str, ...]) -> str:
    example = f"{schemes[-1]}://host.example.com"
    if not isinstance(value, str) or not value:
        raise problem("E206", "expected a URL", f"write for example {example}")
    scheme, separator, _ = value.partition("://")
    if not separator:
        raise problem(
            "E206", "expected a URL", f"did you mean `{schemes[-1]}://{value}`?" if "." in value else None
        )
    if scheme.lower() not in schemes:
        raise problem("E206", f"URL scheme must be {' or '.join(schemes)}, not `{scheme}`")
    if _UNSAFE_URL.search(value):
        template = "${" in value or "{{" in value
        help = "there are no templates here; use {env: NAME, default: URL}" if template else None
        raise problem("E206", "URL contains a character that must be percent-encoded", help)
    _check_authority(value)
    return value


def _check_authority(value: str) -> None:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise problem("E206", "URL has an invalid host or port") from None
    if "@" in parts.netloc:
        raise problem(
            "E206", "URL contains credentials", "move them to the connection's `auth` as {env} or {file}"
        )
    if not host:
        raise problem("E206", "URL has no host")
    if port == 0:
        raise problem("E206", "URL has an invalid host or port")


def _http_url(value: object) -> str:
    return _check_url(value, ("http", "https"))


def _public_url(value: object) -> str:
    url = _http_url(value)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise problem("E206", "must not have a query or fragment")
    return url.rstrip("/")


_URL_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": "^[hH][tT][tT][pP][sS]?://",
    "examples": ["https://api.example.com"],
}
Url = Annotated[
    str, BeforeValidator(settable(_http_url, "https://unset.invalid")), settable_schema(_URL_SCHEMA)
]
PublicUrl = Annotated[
    str, BeforeValidator(settable(_public_url, "https://unset.invalid")), settable_schema(_URL_SCHEMA)
]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener binds. `host` is a name or a bare address; port 0 lets the system choose.

    With `path` it is a unix socket. Only processes of this machine reach it, so it counts as loopback.
    """

    host: str
    port: int
    path: str | None = None

    @classmethod
    def unix(cls, path: str) -> Listen:
        return cls("localhost", 0, path)

    @property
    def is_loopback(self) -> bool:
        return is_local_host(self.host)

    def __str__(self) -> str:
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_UNIX = "unix:"
# The system's own limit (sockaddr_un), without the zero byte at the end.
_MOST_PATH_BYTES = 107
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._*-]*)):([0-9]{1,5})")


def _listen_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
        return f'did you mean "127.0.0.1:{value}"?'
    if isinstance(value, str) and value.isdigit():
        return f'did you mean "127.0.0.1:{value}"?'
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9.-]+", value):
        return f'did you mean "{value}:8080"?'
    if isinstance(value, str) and re.fullmatch(r"https?://[^/]+/?", value):
        return f'did you mean "{value.partition("://")[2].rstrip("/")}"?'
    return 'write for example "127.0.0.1:8080" or "[::1]:8080"'


def parse_listen(value: object) -> Listen:
    if isinstance(value, Listen):
        return value
    if isinstance(value, str) and value.startswith((_UNIX, "/")):
        return _parse_unix(value)
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise problem("E206", "expected HOST:PORT", _listen_help(value))
    host, port = found[1] or found[2], int(found[3])
    if port > 65535:
        raise problem("E206", f"port {port} is greater than 65535")
    if not host or host == "*":
        raise problem("E206", "expected HOST:PORT", f'did you mean "127.0.0.1:{port}" or "0.0.0.0:{port}"?')
    return Listen(host, port)


def _parse_unix(value: str) -> Listen:
    path = value.removeprefix(_UNIX)
    if path.startswith("//"):
        raise problem("E206", "expected unix:/PATH", f'did you mean "{_UNIX}/{path.lstrip("/")}"?')
    if not value.startswith(_UNIX):
        raise problem("E206", "expected HOST:PORT", f'did you mean "{_UNIX}{value}"?')
    if path.startswith("@"):
        help = "anybody on this machine could connect; write unix:/run/executor.sock"
        raise problem("E206", "an abstract socket has no mode", help)
    if not path.startswith("/") or path.endswith("/"):
        raise problem(
            "E206", "expected unix:/PATH", 'write an absolute path, such as "unix:/run/executor.sock"'
        )
    size = len(path.encode("utf-8", "surrogatepass"))
    if size > _MOST_PATH_BYTES or "\0" in path:
        raise problem(
            "E206", f"the path has {size} bytes; a socket's has at most {_MOST_PATH_BYTES}", "shorten it"
        )
    return Listen.unix(path)


ListenField = Annotated[
    Listen,
    PlainValidator(settable(parse_listen, "127.0.0.1:8080")),
    PlainSerializer(str),
    settable_schema(
        {
            "type": "string",
            "pattern": "^(.+:[0-9]{1,5}|unix:/.*[^/])$",
            "examples": ["127.0.0.1:8080", "unix:/run/executor.sock"],
        }
    ),
]


def _cidr(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", value):
        raise problem("E206", f"`{value}` is not an address or CIDR range", "write for example 10.0.0.0/8")
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        likely = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise problem(
            "E206", f"`{value}` is not an address or CIDR range", "write for example 10.0.0.0/8"
        ) from None
    raise problem("E206", f"`{value}` has host bits set", f"did you mean `{likely}`?")


Cidr = Annotated[
    str,
    BeforeValidator(of_text(_cidr, "a CIDR range")),
    string_schema(r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", "10.0.0.0/8"),
]
_HOST = re.compile(r"(?:\*\.)?(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def _cidr_or_host(value: str) -> str:
    looks_numeric = re.fullmatch(r"[0-9.]+(/\d+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/\d+)?", value)
    if looks_numeric:
        return _cidr(value)
    if not _HOST.fullmatch(value):
        raise problem(
            "E206",
            f"`{value}` is not a host or CIDR range",
            "write for example internal.example.com or 10.0.0.0/8",
        )
    return value.lower()


CidrOrHost = Annotated[
    str,
    BeforeValidator(of_text(_cidr_or_host, "a host or CIDR range")),
    string_schema("^[^/@ ]+(/[0-9]{1,3})?$", "10.0.0.0/8"),
]


_HOST_NAME = r"^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"


def _host_name(text: str) -> str:
    if not re.fullmatch(_HOST_NAME, text):
        raise problem(
            "E206", f"`{text}` is not a host name", "write for example executor.tools.svc, without a scheme"
        )
    return text


HostName = Annotated[
    str,
    BeforeValidator(of_text(_host_name, "a host name")),
    string_schema(_HOST_NAME, "executor.tools.svc"),
]


def check_origin(value: str) -> None:
    """A web origin: scheme, host, port, nothing else (RFC 6454, section 6.1)."""
    if re.fullmatch(r"https?://[^/?#@\s*]+", value) and not value.endswith(":"):
        try:
            if urlsplit(value).hostname and urlsplit(value).port != 0:
                return
        except ValueError:
            pass
    found = re.match(r"https?://[^/?#@\s*]+", value)
    fix = f"did you mean `{found[0]}`?" if found else "write for example https://app.example.com"
    raise problem("E206", f"`{value}` is not an origin", fix)


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise problem("E206", "not an HTTP header name")
    return value


HeaderName = Annotated[
    str,
    BeforeValidator(of_text(_header_name, "an HTTP header name")),
    string_schema("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "X-Api-Key"),
]
