"""One place for each kind of integration: what to hold for its connections, and how a connection speaks through it.

The MCP SDK is loaded only when a config has an MCP server: `mcp_kind.X` is looked up when it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integrations import GraphQl, Integration, McpLocal, McpRemote, OpenApi
from integrations import graphql as graphql_kind
from integrations import mcp as mcp_kind
from integrations.base import Credential, SourceError, Toolset, Upstream
from integrations.files import READER
from integrations.http import HttpClient
from integrations.http.recorded import KeptAnswer, KeptClient
from integrations.mcp.toolset import Offer
from integrations.openapi import OpenApiOptions, OpenApiToolset, OpenApiUpstream, SpecSource
from integrations.openapi import load_toolset as load_openapi
from proxy.config.connection import AuthorizationCode, ClientCredentials, Connection
from proxy.config.secrets import Resolver
from proxy.connections.connection import ResolveCredential
from proxy.connections.credentials import credential_places, credential_source, plain_headers
from proxy.connections.digests import key_of
from proxy.connections.holding import Changed, DocumentHolding, Holding, McpHolding
from proxy.connections.mcp_servers import server_of, session_values
from proxy.connections.oauth.access import with_token
from proxy.connections.oauth.plan import oauth_plan
from proxy.connections.oauth.registry import OAuthRegistry
from proxy.connections.oauth.sessions import ListingToken, SessionToken
from proxy.connections.oauth.storage import SHARED, TokenHolder
from proxy.connections.oauth.tokens import ConnectionTokens
from proxy.connections.origins import KnownOrigins
from proxy.connections.sources import LoadedSource, LoadToolset, Patience, Source
from proxy.connections.transport import client_for, transport_settings
from proxy.lock.vendored import VENDOR, VendoredCatalog, VendoredError

Oauth = AuthorizationCode | ClientCredentials


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What is shared by every connection of the process: its HTTP client, secrets, caches and limits. `scope` is the
    workspace whose registrations at run time are opened, "" for the config's own connections. `vendored` are the
    catalogs of connections; without `asks_vendored` such connections are not asked for anything."""

    http: HttpClient
    resolver: Resolver
    cache: Path | None
    patience: Patience
    shared: Callable[[], mcp_kind.Shared]
    changed: Changed
    origins: KnownOrigins
    oauth: OAuthRegistry
    scope: str = ""
    vendored: Mapping[str, VendoredCatalog] = field(default_factory=dict)
    asks_vendored: bool = True

    def vendored_key(self, prefix: str, key: str) -> str:
        """The key of what a connection needs; another catalog is another source."""
        catalog = self.vendored.get(prefix)
        return key_of(key, [], catalog.sha256) if catalog is not None else key

    def content_of(self, prefix: str) -> Mapping[str, Any] | None:
        """The vendored catalog of a connection. Blocks. Raises `WrongCatalog`."""
        catalog = self.vendored.get(prefix)
        try:
            return catalog.read() if catalog is not None else None
        except VendoredError as error:
            raise WrongCatalog(str(error)) from None

    def tokens(
        self, prefix: str, connection: Connection, integration: Integration
    ) -> ConnectionTokens | None:
        """None for a connection without OAuth."""
        plan = oauth_plan(prefix, connection, integration, self.scope)
        if plan is None or isinstance(integration, McpLocal):
            return None
        http = client_for(self.http, integration, self.resolver, f"oauth {prefix}")
        return self.oauth.tokens(plan, http)


class WrongCatalog(SourceError):
    """A vendored catalog that cannot be used."""


def _kept_answers(content: Mapping[str, Any]) -> KeptClient:
    """A client that knows what was answered. Raises `WrongCatalog`."""
    try:
        return KeptClient({key: KeptAnswer.of(one) for key, one in content["answers"].items()})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise WrongCatalog(f"the vendored catalog is not one of a document; {VENDOR}") from None


def _kept_offer(content: Mapping[str, Any]) -> Offer:
    try:
        return Offer.of(content["offer"])
    except (AttributeError, KeyError, TypeError):
        raise WrongCatalog(f"the vendored catalog is not one of an MCP server; {VENDOR}") from None


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One connection before it is open. Equal `key`s share one holding."""

    key: str
    hold: Callable[[], Holding]
    resolve: ResolveCredential
    refresh_seconds: float | None = None


def plan_of(
    prefix: str,
    connection: Connection,
    integration: Integration,
    dependencies: Dependencies,
    directories: Sequence[Path] = (),
) -> ConnectionPlan:
    """What this connection needs. `directories` are those of the config's files."""
    if isinstance(integration, OpenApi):
        return _openapi_plan(prefix, connection, integration, dependencies, directories)
    if isinstance(integration, GraphQl):
        return _graphql_plan(prefix, connection, integration, dependencies)
    return _mcp_plan(prefix, connection, integration, dependencies)


def upstream_of(
    prefix: str,
    connection: Connection,
    integration: Integration,
    holding: Holding,
    loaded: LoadedSource,
    dependencies: Dependencies,
) -> Upstream | None:
    """How calls are sent; None while there are no tools."""
    if isinstance(holding, McpHolding):
        return holding.upstream if loaded.toolset is not None else None
    if loaded.toolset is None:
        return None
    assert not isinstance(integration, McpLocal | McpRemote)
    headers = plain_headers(integration.headers)
    retries, allow = integration.retry.attempts - 1, integration.egress.allow
    toolset: Any = loaded.toolset
    # An answer that a server mixes up stays with those whose credential it was asked with.
    owner = key_of(prefix, [], connection.auth, integration.headers)
    http = client_for(dependencies.http, integration, dependencies.resolver, owner)
    if isinstance(integration, GraphQl):
        return graphql_kind.GraphQlUpstream(
            toolset,
            http,
            endpoint=connection.base_url or integration.endpoint,
            headers=headers,
            retries=retries,
            egress_allow=allow,
        )
    base_url = connection.base_url or integration.base_url
    return OpenApiUpstream(
        toolset,
        http,
        base_url=base_url,
        headers=headers,
        places=credential_places(connection.auth, integration.headers),
        retries=retries,
        egress_allow=allow,
        idempotency_key=integration.idempotency_key,
        validate=integration.validate_,
    )


def _resolving(
    connection: Connection, integration: Integration, dependencies: Dependencies
) -> ResolveCredential:
    """The credential; what is missing of it, or of the client's key, makes the connection `needs_secret`."""
    secrets = integration.environment if isinstance(integration, McpLocal) else integration.headers
    resolve = credential_source(connection.auth, secrets, dependencies.resolver)
    cert = None if isinstance(integration, McpLocal) else integration.client_cert
    if cert is None:
        return resolve

    def both() -> Credential:
        dependencies.resolver.resolve(cert.key)
        return resolve()

    return both


# ---- OpenAPI ------------------------------------------------------------------------------------------------------


def _openapi_plan(
    prefix: str,
    connection: Connection,
    integration: OpenApi,
    dependencies: Dependencies,
    directories: Sequence[Path],
) -> ConnectionPlan:
    spec = spec_source(integration)
    options = spec_options(integration, directories)
    key = dependencies.vendored_key(prefix, source_key(integration, spec, options.root))
    content = dependencies.content_of(prefix)
    kept = openapi_load(spec, options, _kept_answers(content)) if content is not None else None

    def hold() -> Holding:
        load = openapi_load(
            spec, options, client_for(dependencies.http, integration, dependencies.resolver, key)
        )
        source = Source(key, load, spec.url, dependencies.cache, dependencies.patience, prefix, kept)
        return DocumentHolding(source, asks=dependencies.asks_vendored)

    return ConnectionPlan(
        key, hold, _resolving(connection, integration, dependencies), integration.spec.refresh
    )


def origin_change(
    connection: Connection, integration: Integration, loaded: LoadedSource, dependencies: Dependencies
) -> str | None:
    """Why a fetched document must not be followed: it sends calls, and credentials with them, to new places (T26)."""
    if not isinstance(integration, OpenApi) or integration.spec.url is None:
        return None
    if connection.base_url or integration.base_url or not isinstance(loaded.toolset, OpenApiToolset):
        return None
    url = integration.spec.url
    patches = [one for one in spec_options(integration).overrides if _is_about_servers(str(one.get("path")))]
    return dependencies.origins.objection(url, patches, loaded.toolset.origins)


def _is_about_servers(pointer: str) -> bool:
    return pointer in ("", "/host", "/basePath", "/schemes") or "/servers" in pointer


def openapi_load(spec: SpecSource, options: OpenApiOptions, http: HttpClient) -> LoadToolset:
    async def load(cache: Path | None) -> Toolset:
        return await load_openapi(spec, options, http, cache)

    return load


def spec_source(integration: OpenApi) -> SpecSource:
    """Where the document is, as the loader wants it. File paths are absolute: the config loader made them so."""
    spec = integration.spec
    return SpecSource(spec.url, Path(spec.file) if spec.file else None, spec.inline)


def spec_options(integration: OpenApi, directories: Sequence[Path] = ()) -> OpenApiOptions:
    return OpenApiOptions(
        include=integration.include,
        exclude=integration.exclude,
        hide_parameters=integration.hide_parameters,
        overrides=tuple(one.as_json() for one in integration.overrides),
        root=_root_of(Path(integration.spec.file), directories) if integration.spec.file else None,
        egress_allow=integration.egress.allow,
    )


def _root_of(file: Path, directories: Sequence[Path]) -> Path:
    """Documents may name other files below it: the config directory, or for one that lies elsewhere its own."""
    normal = Path(os.path.normpath(file))
    around = [one for one in directories if normal.is_relative_to(one)]
    return min(around, key=lambda one: len(one.parts), default=normal.parent)


def source_key(integration: OpenApi, spec: SpecSource, root: Path | None = None) -> str:
    """Equal keys are loaded once: the place of the document, its file's identity, and what is done to it."""
    files = [spec.file] if spec.file is not None else []
    return key_of(
        "openapi",
        files,
        spec.url,
        spec.inline,
        integration.include,
        integration.exclude,
        integration.hide_parameters,
        integration.overrides,
        integration.egress.allow,
        str(root),
        *transport_settings(integration),
    )


# ---- GraphQL ------------------------------------------------------------------------------------------------------


def _graphql_plan(
    prefix: str, connection: Connection, integration: GraphQl, dependencies: Dependencies
) -> ConnectionPlan:
    """A schema from a file belongs to the integration; a live one is asked for with the connection's credential."""
    resolve = _resolving(connection, integration, dependencies)
    live = integration.introspection == "live"
    file = None if isinstance(integration.introspection, str) else Path(integration.introspection.file)
    endpoint = connection.base_url or integration.endpoint
    documents = document_files(integration.documents)
    options = graphql_kind.GraphQlOptions(
        include=integration.include,
        exclude=integration.exclude,
        documents=documents,
        depth=integration.selection.depth,
        fields=integration.selection.fields,
        headers=tuple(plain_headers(integration.headers).items()),
        egress_allow=integration.egress.allow,
    )
    files = [*documents, *([file] if file is not None else [])]
    asked = (endpoint, connection.auth, integration.headers, *transport_settings(integration)) if live else ()
    # With OAuth it is somebody's schema: of whoever has signed in to this very connection.
    asked = (*asked, prefix) if live and isinstance(connection.auth, Oauth) else asked
    key = key_of("graphql", files, *asked, options.include, options.exclude, options.depth, options.fields)

    key = dependencies.vendored_key(prefix, key)
    http = client_for(dependencies.http, integration, dependencies.resolver, key)
    tokens = dependencies.tokens(prefix, connection, integration)
    content = dependencies.content_of(prefix)
    answers = _kept_answers(content) if content is not None else None
    schema = graphql_kind.SchemaSource(endpoint, file)

    async def whole() -> Credential:
        return resolve() if tokens is None else await with_token(resolve(), tokens)

    async def load(cache: Path | None) -> Toolset:
        return await graphql_kind.load_toolset(schema, options, http, whole, cache)

    async def kept(cache: Path | None) -> Toolset:
        assert answers is not None
        return await graphql_kind.load_toolset(schema, options, answers, None, cache)

    def hold() -> Holding:
        remote = endpoint if live else None
        vendored = kept if answers is not None else None
        source = Source(key, load, remote, dependencies.cache, dependencies.patience, prefix, vendored)
        return DocumentHolding(source, asks=dependencies.asks_vendored)

    return ConnectionPlan(key, hold, resolve)


def document_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files of `documents`, by name; the config loader made the patterns absolute. Raises `SourceError`."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        try:
            files = READER.look(Path(pattern), _matching)
        except OSError as error:
            raise SourceError(f"documents {pattern}: {error.strerror or error}") from None
        found |= dict.fromkeys(files)
    return tuple(found)


def _matching(pattern: Path) -> list[Path]:
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


# ---- MCP ----------------------------------------------------------------------------------------------------------


def _mcp_plan(
    prefix: str, connection: Connection, integration: McpLocal | McpRemote, dependencies: Dependencies
) -> ConnectionPlan:
    """One session per connection, because its credential is part of it; where accounts sign in each for itself, one per
    account, and one that lists the tools."""
    scope = [dependencies.scope] if dependencies.scope else []
    key = key_of("mcp", [], prefix, integration, connection.auth, connection.base_url, *scope)
    key = dependencies.vendored_key(prefix, key)
    content = dependencies.content_of(prefix)
    known = _kept_offer(content) if content is not None else None
    resolve = _resolving(connection, integration, dependencies)

    def values() -> Mapping[str, str]:
        return session_values(integration, connection, dependencies.resolver)

    tokens = dependencies.tokens(prefix, connection, integration)

    def hold() -> Holding:
        upstream = mcp_kind.McpUpstream(
            server_of(integration, connection, dependencies.resolver, spells_out=not dependencies.scope),
            name=prefix,
            include=integration.include,
            exclude=integration.exclude,
            enabled=integration.enabled,
            resolve=values,
            changed=dependencies.changed,
            asks=True,
            shared=dependencies.shared(),
            tokens=_listing(tokens) if tokens is not None else None,
            tenants=_of_accounts(tokens) if tokens is not None and tokens.plan.per_user else None,
            known=known,
        )
        return McpHolding(key, upstream, prefix, tokens, asks=dependencies.asks_vendored)

    return ConnectionPlan(key, hold, resolve)


def _listing(tokens: ConnectionTokens) -> mcp_kind.TokenHeaders:
    return ListingToken(tokens) if tokens.plan.per_user else SessionToken(tokens, SHARED)


def _of_accounts(tokens: ConnectionTokens) -> Callable[[str], mcp_kind.TokenHeaders]:
    return lambda tenant: SessionToken(tokens, TokenHolder.of_tenant(tenant))
