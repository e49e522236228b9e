"""An integration from what somebody names on the command line: a preset, a document, an endpoint, a command."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.authoring.draft import Draft, YamlEntry
from proxy.authoring.servers import ForeignServer, add_server, mapping
from proxy.authoring.values import Origin, bare_url
from proxy.config.bundled import PRESETS
from proxy.config.parse import parse
from proxy.config.source import read_text


class CannotAdd(Exception):
    """What was named cannot become an integration; the text says why and what to do."""


_UNREAD: Final = "so the credential is a guess (--no-auth: none); `executor validate --online` asks it"
AuthMaker = Callable[[Draft, str], YamlEntry]


def _bearer(draft: Draft, name: str) -> YamlEntry:
    return {"kind": "bearer", "token": _secret(draft, name, "TOKEN", "the token of the account")}


def _header(header: str, prefix: str = "") -> AuthMaker:
    def auth(draft: Draft, name: str) -> YamlEntry:
        value = _secret(draft, name, "TOKEN", f"the secret in the header {header}")
        return {"kind": "header", "name": header, **({"prefix": prefix} if prefix else {}), "value": value}

    return auth


def _query(parameter: str) -> AuthMaker:
    def auth(draft: Draft, name: str) -> YamlEntry:
        return {"kind": "query", "name": parameter, "value": _secret(draft, name, "API_KEY", "the API key")}

    return auth


def _cookie(cookie: str) -> AuthMaker:
    def auth(draft: Draft, name: str) -> YamlEntry:
        return {"kind": "cookie", "name": cookie, "value": _secret(draft, name, "COOKIE", "the cookie")}

    return auth


def _basic(draft: Draft, name: str) -> YamlEntry:
    user = _secret(draft, name, "USER", "the user name, for some APIs a mail address")
    return {
        "kind": "basic",
        "username": user,
        "password": _secret(draft, name, "PASSWORD", "password or API token"),
    }


def _secret(draft: Draft, name: str, what: str, purpose: str) -> YamlEntry:
    return draft.existing(f"{name.upper()}_{what}", f"{name}: {purpose}")


# How the services of presets let a machine in, where it is not a bearer token.
PRESET_AUTH: Final[Mapping[str, AuthMaker]] = {
    "gitlab": _header("PRIVATE-TOKEN"),
    "jira": _basic,
    "linear": _header("Authorization"),
}
NEED_BASE_URL: Final = frozenset({"jira", "kubernetes"})


def add_preset(draft: Draft, preset: str, name: str, base_url: str, with_auth: bool) -> None:
    known = PRESETS.names()
    if preset not in known:
        raise CannotAdd(f"there is no preset `{preset}`; there are: {', '.join(known)}")
    if preset in NEED_BASE_URL and not base_url:
        raise CannotAdd(f"preset `{preset}` needs the address of your own: --base-url https://...")
    entry: YamlEntry = {"preset": preset, **({"base_url": base_url} if base_url else {})}
    auth = PRESET_AUTH.get(preset, _bearer)
    draft.add(name or preset, entry, _connection(draft, name or preset, auth if with_auth else None), preset)


def add_openapi(draft: Draft, source: str, name: str, base_url: str, with_auth: bool, beside: Path) -> None:
    """A document by URL, or a file, whose path is written as the config file in `beside` sees it."""
    auth: AuthMaker | None
    if "://" in source:
        host = urlsplit(source).hostname or ""
        entry: YamlEntry = {"kind": "openapi", "spec": {"url": _without_secrets(draft, source, name or host)}}
        wanted, auth = name or _host_name(host), _bearer
        draft.notes.append(f"{source}: was not read, {_UNREAD}")
    else:
        document = _document(source)
        entry = {"kind": "openapi", "spec": {"file": _relative(source, beside)}}
        wanted = name or _slug(str(mapping(document.get("info")).get("title") or Path(source).stem))
        auth = _declared_auth(document)
        if not base_url and not _names_a_server(document):
            raise CannotAdd(f"{source} names no server; say where the API is: --base-url https://...")
    if base_url:
        entry["base_url"] = base_url
    draft.add(wanted, entry, _connection(draft, wanted, auth if with_auth else None), source)


def add_graphql(draft: Draft, endpoint: str, name: str, with_auth: bool) -> None:
    host = urlsplit(endpoint).hostname
    if "://" not in endpoint or not host:
        raise CannotAdd(
            f"`{endpoint}` is no URL of a GraphQL endpoint, such as https://api.example.com/graphql"
        )
    wanted = name or _host_name(host)
    entry: YamlEntry = {"kind": "graphql", "endpoint": _without_secrets(draft, endpoint, wanted)}
    draft.notes.append(f"{endpoint}: was not asked, {_UNREAD}")
    draft.add(wanted, entry, _connection(draft, wanted, _bearer if with_auth else None), endpoint)


def add_mcp(draft: Draft, given: str, name: str) -> None:
    """A command line, or the URL of a remote server."""
    if re.match(r"https?://", given):
        wanted = name or _host_name(urlsplit(given).hostname or "server")
        add_server(draft, ForeignServer(wanted, "--mcp", url=given))
        return
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise CannotAdd(f"--mcp: {error}: {given}") from None
    if not words:
        raise CannotAdd("--mcp: names no command")
    add_server(draft, ForeignServer(name or _program_name(words), "--mcp", words))


def _connection(draft: Draft, name: str, auth: AuthMaker | None) -> YamlEntry:
    return {} if auth is None else {"auth": auth(draft, re.sub(r"\W", "_", name))}


def _without_secrets(draft: Draft, url: str, name: str) -> str:
    found = bare_url(draft, Origin(name, "the URL"), url)
    if found is None or found[1]:
        raise CannotAdd(
            "the URL holds a secret or a variable; name it without, and give the secret to the connection"
        )
    return url


def _document(source: str) -> Mapping[str, Any]:
    try:
        content = Path(source).read_bytes()
    except OSError as error:
        raise CannotAdd(f"{source}: {(error.strerror or 'cannot be read').lower()}") from None
    text, flaw = read_text(source, content)
    if flaw is None and text.text.lstrip().startswith("{"):
        try:
            data = json.loads(text.text)
        except ValueError as error:
            raise CannotAdd(f"{source}: {error}") from None
    else:
        # Documents may use what a config must not, such as keys that are numbers: what can be read is enough here.
        data = parse(text).data if flaw is None else None
    if not isinstance(data, dict) or not ({"openapi", "swagger"} & set(data)):
        raise CannotAdd(f"{source} is no OpenAPI document: it has neither `openapi` nor `swagger`")
    return data


def _names_a_server(document: Mapping[str, Any]) -> bool:
    servers = document.get("servers")
    first = mapping(servers[0]) if isinstance(servers, list) and servers else {}
    return "://" in str(first.get("url", "")) or bool(document.get("host"))


def _declared_auth(document: Mapping[str, Any]) -> AuthMaker | None:
    """By the first security scheme that a secret alone fulfils; None for an API that declares none."""
    schemes = mapping(
        mapping(document.get("components")).get("securitySchemes") or document.get("securityDefinitions")
    )
    found = [auth for scheme in schemes.values() if (auth := _scheme_auth(mapping(scheme))) is not None]
    return found[0] if found else (_bearer if schemes else None)


def _scheme_auth(scheme: Mapping[str, Any]) -> AuthMaker | None:
    kind = (scheme.get("type"), str(scheme.get("scheme", "")).lower() or scheme.get("in"))
    name = str(scheme.get("name", ""))
    if kind[0] == "basic" or kind == ("http", "basic"):
        return _basic
    if kind == ("http", "bearer"):
        return _bearer
    places: Mapping[Any, Callable[[str], AuthMaker]] = {"header": _header, "query": _query, "cookie": _cookie}
    return places[kind[1]](name) if kind[0] == "apiKey" and kind[1] in places and name else None


def _relative(source: str, beside: Path) -> str:
    """Files below the config by their relative path, others by their absolute one."""
    path = Path(os.path.abspath(source))
    folder = Path(os.path.abspath(beside))
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _slug(title: str) -> str:
    words = [word for word in re.split(r"[^A-Za-z0-9]+", title.lower()) if word]
    kept = [
        word for word in words if word not in ("api", "rest", "openapi", "the", "swagger", "v1", "v2", "v3")
    ]
    return "_".join(kept or words) or "api"


def _host_name(host: str) -> str:
    """`github` of api.github.com; the first label that says something."""
    labels = [label for label in host.split(".") if label not in ("api", "www", "mcp", "graphql", "docs")]
    name = labels[0] if labels else host
    return re.sub(r"\W", "_", "server" if name.isdigit() else name) or "server"


# What starts packages, and their sub-commands: the package says what the server is.
_LAUNCHERS: Final = frozenset(
    {
        "npx",
        "uvx",
        "bunx",
        "uv",
        "pnpm",
        "dlx",
        "x",
        "run",
        "tool",
        "docker",
        "podman",
        "python",
        "python3",
        "node",
    }
    | {"deno", "bun", "npm", "exec", "pipx", "sh", "env"}
)


def _program_name(words: list[str]) -> str:
    """`filesystem` of `npx -y @modelcontextprotocol/server-filesystem@1.2 /data`."""
    said = [word for word in words if not word.startswith("-") and Path(word).name not in _LAUNCHERS]
    last = (said or words)[0].rstrip("/").rpartition("/")[2]
    name = re.sub(r"\.(py|js|ts|mjs|cjs|sh)$", "", last.partition("@")[0].partition(":")[0])
    name = re.sub(r"^(mcp-server-|server-|mcp-)|(-mcp-server|-server|-mcp)$", "", name)
    return re.sub(r"\W", "_", name) or "server"
