"""The servers of an operation: its own, else the path item's, else the document's, else `/` of the document's URL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any
from urllib.parse import urljoin, urlsplit

from integrations.base import JsonObject
from integrations.http import origin_of
from integrations.openapi.doc import Doc

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_MAX_VARIANTS = 256


@dataclass(frozen=True, slots=True)
class Variable:
    default: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiServer:
    """`url` is absolute when it can be, with `{variables}` left in; `declared` is the text of the document."""

    url: str
    declared: str
    variables: Mapping[str, Variable] = field(default_factory=dict)

    def expand(self, values: Mapping[str, str]) -> str:
        """The URL with variables filled in; what is not given takes its default."""

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            known = self.variables.get(name)
            return values.get(name, known.default if known else "")

        return _VARIABLE.sub(value, self.url)

    def undefined(self, values: Mapping[str, str]) -> list[str]:
        """Variables of the URL that have neither a value nor a default."""
        return [
            name
            for name in _VARIABLE.findall(self.url)
            if not (values.get(name) or (name in self.variables and self.variables[name].default))
        ]

    def as_text(self) -> str:
        """What the document says of it, with all values of its variables."""
        values = [
            f"{name}: {', '.join(dict.fromkeys((known.default, *known.choices)))}"
            for name, known in sorted(self.variables.items())
        ]
        return f"{self.declared} ({'; '.join(values)})" if values else self.declared

    def origins(self) -> Iterator[str]:
        """The origins this server can have with declared values (defaults and enum members)."""
        options = [
            [(name, choice) for choice in dict.fromkeys((known.default, *known.choices))]
            for name, known in self.variables.items()
            if "{" + name + "}" in self.url.split("/", 3)[2 if "://" in self.url else 0]
        ]
        for combination in islice(product(*options), _MAX_VARIANTS):
            origin = origin_of(self.expand(dict(combination)))
            if origin:
                yield origin


def bind_servers(
    root: JsonObject, item: JsonObject, operation: JsonObject, source_url: str | None
) -> tuple[ApiServer, ...]:
    """Servers of one operation, in order. Relative ones stay relative when the document has no URL.

    `$self` of OpenAPI 3.2 is the document's URL, seen from where it was found (RFC 3986 section 5.1.1).
    """
    own = root.get("$self")
    if isinstance(own, str):
        source_url = urljoin(source_url or "", own)
        source_url = source_url if origin_of(source_url) else None
    if "swagger" in root:
        return _swagger_servers(root, operation, source_url)
    for holder in (operation, item, root):
        listed = holder.get("servers")
        if isinstance(listed, list) and listed:
            return tuple(_server(entry, source_url) for entry in listed if isinstance(entry, dict))
    return (_server({"url": "/"}, source_url),)


def all_origins(doc: Doc, source_url: str | None) -> frozenset[str]:
    """Every origin that calls of this document can go to, with declared values of its variables."""
    holders: list[JsonObject] = [{}, *doc.servers]
    servers = [one for holder in holders for one in bind_servers(doc.root, {}, holder, source_url)]
    return frozenset(origin for server in servers for origin in server.origins())


def _server(entry: JsonObject, source_url: str | None) -> ApiServer:
    declared = str(entry.get("url") or "/")
    variables: dict[str, Variable] = {}
    raw = entry.get("variables")
    for name, known in raw.items() if isinstance(raw, dict) else []:
        if isinstance(known, dict):
            choices = known.get("enum")
            listed = tuple(map(_text, choices)) if isinstance(choices, list) else ()
            variables[name] = Variable(_text(known.get("default", listed[0] if listed else "")), listed)
    return ApiServer(absolute(declared, source_url), declared, variables)


def absolute(url: str, source_url: str | None) -> str:
    """Resolve against the document URL without touching `{variables}`."""
    url = url.strip()
    if source_url is None or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|\{", url):
        return url
    marked = url.replace("{", "%7B").replace("}", "%7D")
    return urljoin(source_url, marked).replace("%7B", "{").replace("%7D", "}")


def _swagger_servers(
    root: JsonObject, operation: JsonObject, source_url: str | None
) -> tuple[ApiServer, ...]:
    source = urlsplit(source_url) if source_url else None
    host = root.get("host") or (source.netloc if source else "")
    schemes = operation.get("schemes") or root.get("schemes") or [source.scheme if source else "https"]
    base = str(root.get("basePath") or "/")
    base = base if base.startswith("/") else "/" + base
    if not host:
        return (ApiServer(base, base),)
    usable = [s for s in schemes if s in ("https", "http")] or ["https"]
    ordered = sorted(usable, key=lambda scheme: scheme != "https")
    return tuple(ApiServer(f"{scheme}://{host}{base}", f"{scheme}://{host}{base}") for scheme in ordered)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
