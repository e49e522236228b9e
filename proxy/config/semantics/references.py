"""Names that must exist: integrations, connections, workspaces, sections, files (E301, E302, E304)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath

from integrations import GraphQl, McpLocal, OpenApi
from integrations.fields.names import as_identifier
from integrations.files import CERTIFICATES, READER, UnreadableFile
from integrations.graphql.config import IntrospectionFile
from integrations.held_files import pem_file
from proxy.config.callers import AuthConfig
from proxy.config.locations import Finding
from proxy.config.nodes import Path, find
from proxy.config.semantics.view import ConfigView
from proxy.config.suggestions import nearest_name
from proxy.principal import DEFAULT_WORKSPACE


def unknown(path: Path, words: str, name: str, known: Sequence[str], at_key: bool = False) -> Finding:
    """An E301 with a suggestion, or with what there is."""
    likely = nearest_name(name, known)
    if likely:
        help = f"did you mean `{likely}`?"
    else:
        help = f"known: {', '.join(sorted(known)[:8])}" if known else "none are declared"
    return Finding("E301", path, f"{words} `{name}`", help, "key" if at_key else "value")


def check_references(view: ConfigView) -> Iterator[Finding]:
    yield from _connections(view)
    yield from _workspaces(view)
    yield from _keys(view)


def _connections(view: ConfigView) -> Iterator[Finding]:
    # A name that is no identifier has its own error; connections that use the corrected name are not reported too.
    integrations = [*view.names("integrations"), *map(as_identifier, view.names("integrations"))]
    for key in view.config.connections:
        name = key.partition(".")[0]
        if name not in integrations:
            yield unknown(
                ("connections", key),
                f"connection `{key}` names unknown integration",
                name,
                integrations,
                True,
            )


def _workspaces(view: ConfigView) -> Iterator[Finding]:
    integrations = view.names("integrations")
    for name, workspace in view.config.workspaces.items():
        for index, used in enumerate(workspace.integrations or ()):
            if used not in integrations:
                path = ("workspaces", name, "integrations", index)
                yield unknown(path, f"workspace `{name}` names unknown integration", used, integrations)
        for limit in workspace.rate_limits:
            yield from _own_limit(view, ("workspaces", name, "rate_limits", limit), limit)


def _own_limit(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    """A workspace's own number must be for a limit that counts by workspace."""
    limits = view.config.rate_limits
    if name not in limits:
        yield unknown(path, "names unknown rate limit", name, list(limits), True)
    elif limits[name].per != "workspace":
        help = "only a limit `per: workspace` may differ by workspace"
        yield Finding("E206", path, f"the rate limit `{name}` is per {limits[name].per}", help, "key")


def _keys(view: ConfigView) -> Iterator[Finding]:
    auth = view.config.auth
    workspaces = view.names("workspaces")
    for name, key in (auth.api_keys.keys if auth and auth.api_keys else {}).items():
        path: Path = ("auth", "api_keys", "keys", name)
        declared = workspaces or [DEFAULT_WORKSPACE]
        if key.workspace is not None and key.workspace not in declared:
            yield unknown(
                (*path, "workspace"), f"key `{name}` names unknown workspace", key.workspace, declared
            )
        if key.workspace is None and len(workspaces) > 1:
            help = f"one of: {', '.join(sorted(workspaces)[:8])}"
            message = (
                f"missing required key `workspace` in auth.api_keys.keys.{name}: there are several workspaces"
            )
            yield Finding("E202", (*path, "workspace"), message, help, "key")


def check_sections(view: ConfigView) -> Iterator[Finding]:
    """One section needs another (E302)."""
    if view.has_lost("server") or view.has_lost("state"):
        return
    config = view.config
    if config.auth and config.auth.oauth and config.server.public_url is None:
        help = "it is the OAuth resource id of this server (RFC 9728)"
        by_variable = view.root.child("auth") is None
        what = "MCP_AUTHORIZATION_SERVER" if by_variable else "`auth.oauth`"
        yield Finding("E302", ("auth", "oauth"), f"{what} needs `server.public_url`", help, "key")
    yield from _anonymous_tokens(config.auth)
    if config.state.backend == "redis" and config.state.url is None:
        help = "write url: {env: REDIS_URL}"
        yield Finding("E302", ("state", "backend"), "`backend: redis` needs `state.url`", help)
    if config.state.url is not None and config.state.backend != "redis":
        yield Finding("E302", ("state", "url"), "`state.url` needs `backend: redis`", None, "key")
    yield from _browser_pages(view)


def _anonymous_tokens(auth: AuthConfig | None) -> Iterator[Finding]:
    signing = auth.api_keys.signing if auth is not None and auth.api_keys is not None else None
    signs = signing is not None and (signing.private_key or signing.secret)
    if auth is not None and auth.anonymous_tokens and not signs:
        message = "`auth.anonymous_tokens` needs `auth.api_keys.signing` with `private_key`, which signs them"
        help = "write signing: {private_key: {env: ANONYMOUS_AUTH_PRIVATE_KEY_PEM}}"
        yield Finding("E302", ("auth", "anonymous_tokens"), message, help, "key")


def _browser_pages(view: ConfigView) -> Iterator[Finding]:
    """Mode browser needs pages, and an address that they can be reached at."""
    server = view.config.server
    if not view.config.console.enabled:
        message, help = (
            "`mode: browser` needs the pages, and `console.enabled` is false",
            "write enabled: true",
        )
    elif server.public_url is None and not server.listen.is_loopback:
        message, help = "`mode: browser` needs `server.public_url`", "approval links point to it"
    else:
        return
    modes: list[tuple[Path, str | None]] = [(("elicitation", "mode"), view.config.elicitation.mode)]
    modes += [
        (("workspaces", name, "elicitation", "mode"), workspace.elicitation.mode)
        for name, workspace in view.config.workspaces.items()
    ]
    for path, mode in modes:
        if mode == "browser":
            yield Finding("E302", path, message, help)


def check_files(view: ConfigView) -> Iterator[Finding]:
    """Files that the config names and that belong beside it (E304). Secret files are E404, the lock is E702."""
    for name, integration in view.config.integrations.items():
        path: Path = ("integrations", name)
        if isinstance(integration, OpenApi) and integration.spec.file:
            yield from _file(view, (*path, "spec", "file"), integration.spec.file)
        if isinstance(integration, GraphQl) and isinstance(integration.introspection, IntrospectionFile):
            yield from _file(view, (*path, "introspection", "file"), integration.introspection.file)
        if not isinstance(integration, McpLocal):
            if integration.ca_bundle:
                yield from _certificates(view, (*path, "ca_bundle"), integration.ca_bundle)
            if integration.client_cert:
                yield from _certificates(view, (*path, "client_cert", "cert"), integration.client_cert.cert)
        else:
            yield from _program(view, (*path, "command", 0), integration.command[0])
            if integration.cwd:
                yield from _folder(view, (*path, "cwd"), integration.cwd)
        if isinstance(integration, GraphQl):
            for index, pattern in enumerate(integration.documents):
                yield from _glob(view, (*path, "documents", index), pattern)


def _is_example(view: ConfigView, path: Path) -> bool:
    """A file called `*.example` is a template: the files it names belong to whoever copies it."""
    return find(view.root, path).node.source.path.endswith(".example")


def _file(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    if _is_example(view, path):
        return
    file = view.directory(path) / name
    try:
        READER.check(file)
    except UnreadableFile as error:
        yield Finding("E304", path, f"file `{name}` {error.strerror}", "name a regular file that can be read")
    except OSError as error:
        words = f"cannot be read: {(error.strerror or str(error)).lower()}"
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        yield Finding("E304", path, f"file `{name}` {'does not exist' if gone else words}", _similar(file))


def _certificates(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    missing = list(_file(view, path, name))
    yield from missing
    if missing or _is_example(view, path):
        return
    file = view.directory(path) / name
    try:
        # The name of a PEM block (RFC 7468); what is inside is OpenSSL's to judge.
        content = READER.read(file, CERTIFICATES)
        found = b"-----BEGIN CERTIFICATE-----" in content
        if found:
            with pem_file(content) as pem:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(pem)
    except (OSError, ssl.SSLError) as error:
        yield Finding("E206", path, f"`{name}` cannot be used as a certificate: {error.strerror or error}")
    else:
        if not found:
            help = "it needs a block that begins with -----BEGIN CERTIFICATE-----"
            yield Finding("E206", path, f"`{name}` holds no PEM certificate", help)


def _program(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    """A program beside the config. One that is found by `PATH` belongs to the machine that serves."""
    if "/" not in name or FilePath(name).is_absolute() or _is_example(view, path):
        return
    file = view.directory(path) / name
    if not _is(file, FilePath.is_file):
        yield Finding("E304", path, f"program `{name}` does not exist", _similar(file))
    elif not _is(file, lambda one: os.access(one, os.X_OK)):
        yield Finding("E206", path, f"program `{name}` is not executable", f"chmod +x {name}")


def _folder(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    if FilePath(name).is_absolute() or _is_example(view, path):
        return
    if _is(view.directory(path) / name, FilePath.is_dir):
        return
    yield Finding("E304", path, f"directory `{name}` does not exist", "the path is relative to this file")


def _is(file: FilePath, what: Callable[[FilePath], bool]) -> bool:
    """Not so where the file system does not answer."""
    try:
        return READER.look(file, what)
    except OSError:
        return False


def _similar(file: FilePath) -> str:
    try:
        names = READER.look(file.parent, os.listdir)
    except OSError:
        return f"the path is relative to this file: {file}"
    likely = nearest_name(file.name, names)
    return f"did you mean `{likely}`?" if likely else f"the path is relative to this file: {file}"


def _glob(view: ConfigView, path: Path, pattern: str) -> Iterator[Finding]:
    if _is_example(view, path):
        return
    directory, is_relative = view.directory(path), not FilePath(pattern).is_absolute()
    try:
        found = READER.look(directory, lambda place: any(place.glob(pattern))) if is_relative else True
    except (ValueError, NotImplementedError, OSError):
        found = False
    if not found:
        yield Finding("E304", path, f"no file matches `{pattern}`", "patterns are relative to this file")
