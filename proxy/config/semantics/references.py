"""Names that must exist: integrations, connections, workspaces, sections (E301, E302)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from integrations.fields.names import as_identifier
from proxy.config.callers import AuthConfig
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.semantics.view import ConfigView
from proxy.config.suggestions import nearest_name
from proxy.principal import DEFAULT_WORKSPACE


def unknown(path: Path, words: str, name: str, known: Sequence[str], at_key: bool = False) -> Finding:
    """An E301 with a suggestion, or with what there is."""
    likely = nearest_name(name, known)
    if likely:
        help = f"did you mean `{likely}`?"
    else:
        help = f"known: {', '.join(sorted(set(known))[:8])}" if known else "none are declared"
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
    if config.state.backend != "redis":
        for name in ("cluster", "sentinel", "tls", "timeout"):
            if not getattr(config.state, name):
                continue
            yield Finding("E302", ("state", name), f"`state.{name}` needs `backend: redis`", None, "key")
    yield from _browser_pages(view)


def _anonymous_tokens(auth: AuthConfig | None) -> Iterator[Finding]:
    signing = auth.api_keys.signing if auth is not None and auth.api_keys is not None else None
    signs = signing is not None and (signing.private_key or signing.secret)
    if auth is not None and auth.anonymous_tokens and not signs:
        message = "`auth.anonymous_tokens` needs `auth.api_keys.signing` with `private_key`, which signs them"
        help = "write signing: {private_key: {env: ANONYMOUS_AUTH_PRIVATE_KEY_PEM}}"
        yield Finding("E302", ("auth", "anonymous_tokens"), message, help, "key")


def _browser_pages(view: ConfigView) -> Iterator[Finding]:
    """Mode browser needs an address that the approval page can be reached at."""
    server = view.config.server
    if server.public_url is not None or (server.listen.is_loopback and server.listen.path is None):
        return
    message, help = "`mode: browser` needs `server.public_url`", "approval links point to it"
    modes: list[tuple[Path, str | None]] = [(("elicitation", "mode"), view.config.elicitation.mode)]
    modes += [
        (("workspaces", name, "elicitation", "mode"), workspace.elicitation.mode)
        for name, workspace in view.config.workspaces.items()
    ]
    for path, mode in modes:
        if mode == "browser":
            yield Finding("E302", path, message, help)
