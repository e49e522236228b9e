"""What one operation takes, where it goes and what it needs, with every reference followed: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from integrations.openapi.servers import Server

Location = Literal["path", "query", "header", "cookie"]
LOCATIONS: tuple[Location, ...] = ("path", "query", "header", "cookie")
DEFAULT_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
# Swagger 2.0 collectionFormat -> the character between items; `multi` repeats the name instead.
COLLECTIONS = {"csv": ",", "ssv": " ", "tsv": "\t", "pipes": "|"}
# RFC 9110 section 7.6.1 (connection-specific) and what the client or the credential decides.
NEVER_FROM_ARGUMENTS = frozenset({
    "host", "authorization", "cookie", "content-length", "content-type", "connection", "keep-alive", "te",
    "trailer", "proxy-authenticate", "proxy-authorization", "proxy-connection", "transfer-encoding",
    "upgrade", "expect", "accept-encoding",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """`style` and `explode` are effective values. `delimiter` is Swagger 2.0's collectionFormat (raw
    character).
    """

    name: str
    location: Location
    required: bool
    schema: Any
    style: str
    explode: bool
    allow_reserved: bool = False
    media_type: str | None = None
    delimiter: str | None = None
    description: str = ""
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """One way to send a body. `encoding` is the raw Encoding map (name -> object)."""

    type: str
    schema: Any
    encoding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def essence(self) -> str:
        return self.type.split(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Body:
    required: bool
    media: tuple[Media, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme: how a bound secret is presented."""

    name: str
    kind: Literal["bearer", "basic", "header", "query", "cookie", "unsupported"]
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """`security` is None when nothing is declared, else alternatives (OR) of schemes (AND).

    `ignored` are declared header parameters that arguments cannot set. `responses` maps status keys to raw
    objects.
    """

    method: str
    path: str
    parameters: tuple[Parameter, ...]
    ignored: frozenset[str]
    body: Body | None
    servers: tuple[Server, ...]
    security: tuple[tuple[Scheme, ...], ...] | None
    responses: Mapping[str, Any]
    produces: tuple[str, ...] = ()
