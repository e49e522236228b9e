"""Where Redis is: what `state.url` says, in the form that the rest of `state` asks for.

| form | `state.url` |
|---|---|
| one server | `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://` for TLS, `unix:///PATH` |
| cluster | the same with one node or several: `redis://HOST:PORT,HOST:PORT`; database 0 only |
| Sentinel | the sentinels, and the user of the servers that they name: `redis://USER:PASSWORD@HOST:PORT,HOST:PORT/DB` |

No text of an error shows any part of the URL: it may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from integrations.base import Secret
from proxy.config.model import StateConfig

_SCHEMES: Final = ("redis", "rediss", "unix")
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_LIMIT_SECONDS: Final = 3.0
_FAILOVER_SECONDS: Final = 15.0
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:]+))(?::([0-9]{0,5}))?")
EXAMPLE: Final = "such as redis://HOST:PORT/0, or rediss:// for TLS"


@dataclass(frozen=True, slots=True)
class RedisForm:
    """How Redis is run. `ca`, `cert` and `key` are paths of PEM files, for `rediss://`."""

    cluster: bool = False
    sentinel: str | None = None
    sentinel_user: str | None = None
    sentinel_password: Secret | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    timeout: float | None = None

    @property
    def limit_seconds(self) -> float:
        """How long a call may take. Where a failover is to be expected it is waited for."""
        if self.timeout is not None:
            return self.timeout
        return _FAILOVER_SECONDS if self.cluster or self.sentinel is not None else _LIMIT_SECONDS

    @property
    def has_files(self) -> bool:
        return self.ca is not None or self.cert is not None


def redis_form(state: StateConfig, sentinel_password: Secret | None = None) -> RedisForm:
    """The form that the config asks for."""
    sentinel, tls = state.sentinel, state.tls
    files = {name: held.file for name, held in tls.files().items()} if tls is not None else {}
    return RedisForm(
        cluster=state.cluster,
        sentinel=sentinel.service if sentinel is not None else None,
        sentinel_user=sentinel.username if sentinel is not None else None,
        sentinel_password=sentinel_password,
        timeout=state.timeout,
        **files,
    )


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The parts of a URL. `nodes` is empty for a unix socket."""

    tls: bool
    nodes: tuple[tuple[str, int], ...]
    username: str | None
    password: str | None
    database: int


def read_address(url: str, form: RedisForm) -> RedisAddress:
    """Raises `ValueError`, whose text goes on after the name of the setting."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError(f"is not a Redis URL, {EXAMPLE}")
    several = form.cluster or form.sentinel is not None
    if form.has_files and scheme != "rediss":
        raise ValueError("has to begin with rediss://, because `state.tls` is set")
    if scheme == "unix":
        if several:
            raise ValueError("is a unix socket: a cluster, or Sentinel, is reached by redis:// or rediss://")
        return RedisAddress(False, (), None, None, 0)
    authority, _, path = rest.partition("?")[0].partition("/")
    credentials, _, hosts = authority.rpartition("@")
    nodes = tuple(_node(host, form) for host in hosts.split(","))
    if len(nodes) > 1 and not several:
        raise ValueError("names several servers: set `state.cluster: true`, or `state.sentinel`")
    if path and not path.isdecimal():
        raise ValueError("has a database that is no number: write /0 after the port")
    if form.cluster and int(path or 0):
        raise ValueError("names a database other than 0, and a cluster has no other")
    user, colon, password = credentials.partition(":")
    return RedisAddress(
        scheme == "rediss",
        nodes,
        unquote(user) or None,
        unquote(password) if colon else None,
        int(path or 0),
    )


def _node(text: str, form: RedisForm) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]:port`."""
    default = _PORT if form.sentinel is None else _SENTINEL_PORT
    found = _NODE.fullmatch(text)
    port = found[3] if found is not None else None
    if found is None or (port and not 0 < int(port) < 65536):
        raise ValueError(f"is not a Redis URL: a server in it is no HOST:PORT, {EXAMPLE}")
    return found[1] or found[2], int(port) if port else default
