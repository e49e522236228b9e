"""Who a config lets in: its keys, ready for a `Keyring`, and its issuers."""

from __future__ import annotations

from collections.abc import Callable

from integrations.base import Secret
from integrations.fields import SecretRef
from integrations.oauth.client import OAuthClient
from proxy.auth.keys import KeyRecord, hash_key
from proxy.auth.oauth import IssuerPool, OauthCallers
from proxy.auth.page_sign_in import PageIssuer
from proxy.auth.resource import ProtectedResource
from proxy.auth.signed_keys import SignedKeys, SigningKeys
from proxy.config import Config
from proxy.config.callers import OauthIssuer
from proxy.config.secrets import Resolver, SecretMissing
from proxy.principal import DEFAULT_WORKSPACE


def key_records(
    config: Config, resolve: Callable[[SecretRef], Secret], where: Callable[[str], str]
) -> tuple[KeyRecord, ...]:
    """One record a key. `where` gives `file:line` of a config path.

    Keys given by `value` are resolved now; whatever `resolve` raises is passed on.
    """
    if config.auth is None or config.auth.api_keys is None:
        return ()
    records: list[KeyRecord] = []
    for name, key in config.auth.api_keys.keys.items():
        digest = key.hash.removeprefix("sha256:") if key.hash is not None else ""
        if key.value is not None:
            digest = hash_key(resolve(key.value).reveal())
        place = where(f"auth.api_keys.keys.{name}")
        records.append(KeyRecord(name, digest, key.workspace, frozenset(key.groups), key.expires, place))
    return tuple(records)


def signed_keys(config: Config, resolver: Resolver) -> SignedKeys | None:
    """The signed keys of a config. Raises `SecretMissing`, also for a key that cannot be used."""
    auth = config.auth
    signing = auth.api_keys.signing if auth is not None and auth.api_keys is not None else None
    if auth is None or signing is None:
        return None

    def text(ref: SecretRef | None) -> str | None:
        return resolver.resolve(ref).reveal() if ref is not None else None

    public = [text(ref) for ref in (signing.public_key, signing.previous_public_key)]
    private, secret = text(signing.private_key), text(signing.secret)
    try:
        keys = SigningKeys.load(
            signing.algorithm, private, [one for one in public if one is not None], secret
        )
    except Exception:  # a file that changed since the config was judged; its text must not get into a message
        raise SecretMissing("auth.api_keys.signing", "holds a key that cannot be used") from None
    return SignedKeys(
        keys,
        ttl_seconds=signing.ttl,
        audiences=signing.audiences,
        revoked=signing.revoked,
        anonymous=auth.anonymous_tokens,
    )


def oauth_callers(config: Config, pool: IssuerPool, resolver: Resolver) -> OauthCallers | None:
    """Those who sign in at an issuer of the config. Raises `SecretMissing` for the secret of an introspection."""
    entries = config.auth.oauth_entries() if config.auth is not None else ()
    if not entries:
        return None
    assert config.server.public_url is not None
    named = [(entry, issuer) for entry in entries for issuer in entry.issuers()]
    resource = ProtectedResource(
        config.server.public_url,
        tuple(issuer for _, issuer in named),
        tuple(dict.fromkeys(scope for entry in entries for scope in entry.required_scopes)),
    )
    return OauthCallers(
        [pool.trusted(entry, issuer, resolver) for entry, issuer in named],
        resource,
        tuple(config.workspaces) or (DEFAULT_WORKSPACE,),
        pool.tasks,
        one_for_all=not config.workspaces,
    )


def page_issuers(config: Config, pool: IssuerPool, resolver: Resolver) -> tuple[PageIssuer, ...]:
    """Where people sign in to the pages. Raises `SecretMissing` for the secret of this server as a client."""
    entries = config.auth.oauth_entries() if config.auth is not None else ()
    return tuple(
        _page_issuer(config, entry, issuer, pool, resolver)
        for entry in entries
        if entry.sign_in is not None
        for issuer in entry.issuers()
    )


def _page_issuer(
    config: Config, entry: OauthIssuer, issuer: str, pool: IssuerPool, resolver: Resolver
) -> PageIssuer:
    own = entry.sign_in
    assert own is not None
    assert config.server.public_url is not None
    secret = resolver.resolve(own.client_secret) if own.client_secret is not None else None
    scopes = tuple(dict.fromkeys(("openid", *own.scopes, *entry.required_scopes)))
    trusted = pool.trusted(entry, issuer, resolver)
    client = OAuthClient(own.client_id, secret=secret)
    return PageIssuer(
        pool.source(entry, issuer), trusted, client, scopes, config.server.public_url.rstrip("/")
    )
