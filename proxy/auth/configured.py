"""Who a config lets in: its keys, ready for a `Keyring`, and its issuers."""

from __future__ import annotations

from collections.abc import Callable

from integrations.base import Secret
from integrations.fields import SecretRef
from proxy.auth.keys import KeyRecord, hash_key
from proxy.auth.oauth import IssuerPool, OauthCallers
from proxy.auth.resource import ProtectedResource
from proxy.config import Config
from proxy.config.secrets import Resolver
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
