"""YAML of other gateways, as far as it is about upstreams: agentgateway (`binds`) and gridctl (`mcp-servers`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.authoring.clients import left_over
from proxy.authoring.draft import Draft, YamlEntry
from proxy.authoring.servers import ForeignServer, add_server, mapping, with_auth, words_of
from proxy.authoring.values import Origin, credential, taken

_TARGET: Final = frozenset({"name", "stdio", "sse", "mcp", "openapi"})
_GRIDCTL: Final = frozenset(
    {"name", "command", "env", "url", "auth", "openapi", "transport", "image", "tools"}
)


def from_agentgateway(draft: Draft, data: Mapping[str, Any]) -> None:
    """`binds[].listeners[].routes[].backends[].mcp.targets[]`, or `backends` and `mcp` at the top in newer files."""
    for place, target in _targets(data, ""):
        name = str(target.get("name") or "server")
        place = f"{place} ({name})"
        stdio, remote = mapping(target.get("stdio")), mapping(target.get("sse") or target.get("mcp"))
        if isinstance(target.get("openapi"), dict):
            _agentgateway_openapi(draft, name, place, target["openapi"])
        else:
            words = [str(stdio["cmd"]), *words_of(stdio.get("args"))] if stdio.get("cmd") else []
            transport = "sse" if "sse" in target else "http"
            url = _address(remote)
            add_server(
                draft,
                ForeignServer(name, place, words, mapping(stdio.get("env")), url=url, transport=transport),
            )
        left_over(draft, place, target, _TARGET)
    _policies(draft, data, "")


def _targets(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for index, below in enumerate(value):
            yield from _targets(below, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, below in value.items():
            where = f"{place}.{key}" if place else key
            if key == "targets" and isinstance(below, list):
                yield from ((f"{where}[{i}]", one) for i, one in enumerate(below) if isinstance(one, dict))
            else:
                yield from _targets(below, where)


def _policies(draft: Draft, value: Any, place: str) -> None:
    """What agentgateway decides about requests: said where it stands, never half translated."""
    if isinstance(value, list):
        for index, below in enumerate(value):
            _policies(draft, below, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, below in value.items():
            where = f"{place}.{key}" if place else key
            if key in ("policies", "config", "frontendPolicies", "llm"):
                draft.left.append(f"{where}: write it as `auth`, `policies` or `rate_limits`")
            elif key != "targets":
                _policies(draft, below, where)


def _address(remote: Mapping[str, Any]) -> str:
    """`host` is a name, or a whole URL in newer files."""
    host = str(remote.get("host") or remote.get("url") or "")
    if not host or "://" in host:
        return host
    port = remote.get("port")
    scheme = "https" if port in (443, None) else "http"
    shown = f":{port}" if port not in (None, 443) else ""
    return f"{scheme}://{host}{shown}/{str(remote.get('path') or '/mcp').lstrip('/')}"


def _agentgateway_openapi(draft: Draft, name: str, place: str, api: Mapping[str, Any]) -> None:
    schema = api.get("schema")
    found = mapping(schema)
    source = found.get("file") or found.get("url") or (schema if isinstance(schema, str) else None)
    if not isinstance(source, str):
        draft.left.append(f"{place}: its OpenAPI document is neither a file nor a URL")
        return
    entry: YamlEntry = {"kind": "openapi", "spec": {"url" if "://" in source else "file": source}}
    base = _address({"path": "/", **api}).rstrip("/")
    draft.add(name, {**entry, **({"base_url": base} if base else {})}, {}, place)


def from_gridctl(draft: Draft, data: Mapping[str, Any]) -> None:
    """`mcp-servers` with a URL, a command, an image or an OpenAPI document."""
    for index, entry in enumerate(data.get("mcp-servers") or ()):
        name = str(mapping(entry).get("name") or f"server_{index + 1}")
        place = f"mcp-servers[{index}] ({name})"
        if isinstance(mapping(entry).get("openapi"), dict):
            _gridctl_openapi(draft, name, place, entry["openapi"])
        elif "ssh" in mapping(entry) or "source" in mapping(entry):
            draft.left.append(
                f"{place}: runs over ssh or is built from source; start it yourself and name its URL"
            )
        else:
            _gridctl_server(draft, name, place, mapping(entry))
        left_over(draft, place, mapping(entry), _GRIDCTL)
    known = ("mcp-servers", "version", "name")
    draft.left += [f"{key}: is not about upstreams" for key in data if key not in known]


def _gridctl_server(draft: Draft, name: str, place: str, entry: Mapping[str, Any]) -> None:
    words, environment = words_of(entry.get("command")), mapping(entry.get("env"))
    image = entry.get("image")
    if image and entry.get("transport") != "stdio":
        draft.left.append(f"{place}: a container that speaks HTTP; start it yourself and name its URL")
        return
    if image:
        names = [word for variable in environment for word in ("-e", str(variable))]
        words = ["docker", "run", "-i", "--rm", *names, str(image), *words]
    if entry.get("tools"):
        draft.left.append(f"{place}.tools: list them under `include`")
    server = ForeignServer(
        name,
        place,
        words,
        environment,
        url=str(entry.get("url") or ""),
        transport=str(entry.get("transport") or ""),
    )
    if server.url:
        server.auth, server.oauth = _gridctl_auth(draft, Origin(name, place), mapping(entry.get("auth")))
    add_server(draft, server)


def _gridctl_auth(
    draft: Draft, origin: Origin, auth: Mapping[str, Any]
) -> tuple[list[YamlEntry], YamlEntry | None]:
    kind = auth.get("type")
    if kind in ("bearer", "header"):
        header = "Authorization" if kind == "bearer" else str(auth.get("header") or "Authorization")
        secret = str(auth.get("token") or auth.get("value") or "")
        one = credential(draft, origin, header, f"Bearer {secret}" if kind == "bearer" else secret)
        return ([one] if one else []), None
    if kind == "oauth":
        scopes = " ".join(words_of(auth.get("scopes")))
        found: YamlEntry = {"scope": scopes} if scopes else {}
        for key in ("client_id", "client_secret"):
            value = auth.get(key)
            if isinstance(value, str):
                found[key] = taken(draft, origin, key, value)
        if isinstance(found.get("client_id"), dict):
            draft.left.append(
                f"{origin.place}: `client_id` is written down, or the client is registered by itself"
            )
            found.clear()
        return [], found or None
    if auth:
        draft.left.append(f"{origin.place}.auth: of type `{kind}`")
    return [], None


def _gridctl_openapi(draft: Draft, name: str, place: str, api: Mapping[str, Any]) -> None:
    origin = Origin(name, place)
    spec, base = str(api.get("spec") or ""), api.get("baseUrl")
    if not spec:
        draft.left.append(f"{place}: names no OpenAPI document")
        return
    entry: YamlEntry = {"kind": "openapi", "spec": {"url" if "://" in spec else "file": spec}}
    if base:
        entry["base_url"] = str(base)
    if api.get("operations"):
        draft.left.append(f"{place}.openapi.operations: list them under `include` or `exclude`")
    draft.add(name, entry, with_auth(_variables_auth(draft, origin, mapping(api.get("auth")))), place)
    left_over(draft, f"{place}.openapi", api, ("spec", "baseUrl", "auth", "operations"))


def _variables_auth(draft: Draft, origin: Origin, auth: Mapping[str, Any]) -> list[YamlEntry]:
    """An auth whose secrets are names of variables already."""

    def of(key: str) -> YamlEntry:
        return draft.existing(str(auth.get(key)), f"{origin.place}: auth")

    kind = auth.get("type")
    if kind == "bearer":
        return [{"kind": "bearer", "token": of("tokenEnv")}]
    if kind == "header":
        return [{"kind": "header", "name": str(auth.get("header")), "value": of("valueEnv")}]
    if kind == "query":
        return [{"kind": "query", "name": str(auth.get("paramName")), "value": of("valueEnv")}]
    if kind == "basic":
        return [{"kind": "basic", "username": of("usernameEnv"), "password": of("passwordEnv")}]
    if auth:
        draft.left.append(f"{origin.place}.auth: of type `{kind}`")
    return []
