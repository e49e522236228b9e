"""`executor.jsonc`, the file in which the TypeScript Executor keeps its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.authoring.clients import left_over
from proxy.authoring.draft import Draft, YamlEntry, variable_name
from proxy.authoring.servers import ForeignServer, add_server, mapping, texts, with_auth, words_of
from proxy.authoring.values import Origin, credential

# A secret of its store: `secret-public-ref:ID`, alone or behind a prefix.
STORED: Final = "secret-public-ref:"
_API: Final = frozenset(
    {"kind", "spec", "endpoint", "baseUrl", "namespace", "headers", "introspectionJson", "name"}
)
_MCP: Final = frozenset(
    {
        "kind",
        "transport",
        "name",
        "endpoint",
        "remoteTransport",
        "namespace",
        "queryParams",
        "headers",
        "auth",
    }
    | {"command", "args", "env", "cwd"}
)


def from_executor_jsonc(draft: Draft, data: Mapping[str, Any]) -> None:
    for index, source in enumerate(data["sources"]):
        entry = mapping(source)
        name = str(entry.get("namespace") or entry.get("name") or entry.get("kind") or f"source_{index + 1}")
        origin = Origin(name.replace(" ", "_").lower(), f"sources[{index}] ({name})")
        if entry.get("kind") == "mcp":
            _mcp(draft, origin, entry)
        elif entry.get("kind") in ("openapi", "graphql"):
            _api(draft, origin, entry)
        else:
            draft.left.append(f"{origin.place}: is of kind `{entry.get('kind')}`")
    secrets = mapping(data.get("secrets"))
    for identifier, secret in secrets.items():
        name = variable_name(identifier)
        if name in draft.variables:
            draft.variables[name] = f"secret `{mapping(secret).get('name', identifier)}` of Executor's store"
    rest = (key for key in data if key not in ("sources", "secrets", "name", "$schema"))
    draft.left += [f"{key}: is not about sources" for key in rest]


def _api(draft: Draft, origin: Origin, source: Mapping[str, Any]) -> None:
    entry: YamlEntry = {"kind": source["kind"]}
    place = str(source.get("spec") or source.get("endpoint") or "")
    if source["kind"] == "graphql":
        entry["endpoint"] = place
    elif place.lstrip().startswith(("{", "openapi:", "swagger:")):
        draft.left.append(
            f"{origin.place}: its document stands in the file; save it and name it: spec: {{file: ...}}"
        )
        return
    else:
        entry["spec"] = {"url" if "://" in place else "file": place}
    if source.get("baseUrl"):
        entry["base_url"] = str(source["baseUrl"])
    if source.get("introspectionJson"):
        draft.left.append(
            f"{origin.place}.introspectionJson: save it and name it: introspection: {{file: ...}}"
        )
    headers, auth = _headers(draft, origin, mapping(source.get("headers")))
    if headers:
        entry["headers"] = headers
    draft.add(origin.name, entry, with_auth(auth), origin.place)
    left_over(draft, origin.place, source, _API)


def _headers(draft: Draft, origin: Origin, given: Mapping[str, Any]) -> tuple[YamlEntry, list[YamlEntry]]:
    plain, auth = {}, []
    for name, value in given.items():
        text = (
            f"{mapping(value).get('prefix') or ''}{mapping(value).get('value')}"
            if isinstance(value, dict)
            else value
        )
        text = template(str(text))
        if name.lower() == "authorization":
            one = credential(draft, origin, name, text)
            auth += [one] if one is not None else []
        else:
            plain[name] = text
    return texts(draft, origin, plain), auth


def template(text: str) -> str:
    """A secret of the store becomes a variable of the same name."""
    before, found, identifier = text.partition(STORED)
    return f"{before}${{{variable_name(identifier)}}}" if found else text


def _mcp(draft: Draft, origin: Origin, source: Mapping[str, Any]) -> None:
    auth = mapping(source.get("auth"))
    parts = []
    if auth.get("kind") == "header":
        value = template(f"{auth.get('prefix') or ''}{auth.get('secret')}")
        one = credential(draft, origin, str(auth.get("headerName") or "Authorization"), value)
        parts = [one] if one is not None else []
    command = [str(source["command"]), *words_of(source.get("args"))] if source.get("command") else []
    server = ForeignServer(
        origin.name,
        origin.place,
        command,
        {name: template(str(value)) for name, value in mapping(source.get("env")).items()},
        str(source.get("cwd") or ""),
        str(source.get("endpoint") or ""),
        {name: template(str(value)) for name, value in mapping(source.get("headers")).items()},
        str(source.get("remoteTransport") or ""),
        auth=parts,
    )
    add_server(draft, server)
    if source.get("queryParams"):
        draft.left.append(f"{origin.place}.queryParams: write them into `url`, or as `auth: {{kind: query}}`")
    left_over(draft, origin.place, source, _MCP)
