"""The `server` argument: which of the declared servers, with which values of its variables.

Arguments choose among what the document declares and never name another origin (T25).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from integrations.http import origin_of
from integrations.openapi.arguments import Given
from integrations.openapi.binding import Binding
from integrations.openapi.serialize import URL_SAFE
from integrations.openapi.servers import Server


def server_url(binding: Binding, given: Given, base_url: str | None) -> str:
    """`base_url` > the `server` argument > the first server. Arguments cannot name another origin."""
    server = _pick_server(binding, given)
    values = _variables(server, given)
    if base_url is not None:
        return base_url.split("?")[0].split("#")[0]
    for name in server.undefined(values):
        given.refuse(
            f"/server/variables/{name}",
            "the document gives no value for it: set `base_url` on the integration",
        )
    url = server.expand(values).split("?")[0].split("#")[0]
    if values and origin_of(url) not in set(server.origins()):
        given.refuse("/server/variables", "the values would send the call to another host")
    return quote(url, safe=URL_SAFE + "[]")


def _pick_server(binding: Binding, given: Given) -> Server:
    wanted = given.server.get("url")
    for name in given.server.keys() - {"url", "variables"}:
        given.refuse(f"/server/{name}", "only `url` and `variables` can be given")
    if wanted is None:
        return binding.servers[0]
    for server in binding.servers:
        if wanted in (server.declared, server.url):
            return server
    known = ", ".join(server.declared for server in binding.servers)
    given.refuse("/server/url", f"has to be one of the declared servers: {known}")
    return binding.servers[0]


def _variables(server: Server, given: Given) -> dict[str, str]:
    raw = given.server.get("variables")
    out: dict[str, str] = {}
    if raw is not None and not isinstance(raw, dict):
        given.refuse("/server/variables", "has to be an object")
        return out
    for name, value in (raw or {}).items():
        known = server.variables.get(name)
        text = value if isinstance(value, str) else str(value)
        if known is None:
            given.refuse(f"/server/variables/{name}", "this server has no such variable")
        elif known.choices and text not in known.choices:
            given.refuse(f"/server/variables/{name}", f"has to be one of {', '.join(known.choices)}")
        elif any(part in ("", ".", "..") for part in unquote(text).split("/")) or re.search(
            r"[?#@\\\s]", text
        ):
            given.refuse(f"/server/variables/{name}", "is no part of a server URL")
        else:
            out[name] = quote(text, safe=URL_SAFE)
    return out
