"""From a connection's `auth` and an integration's headers to the secrets of one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.base import Credential, CredentialPart, SchemeCredential, Secret
from integrations.fields import SecretRef
from integrations.openapi import CredentialPlaces
from proxy.config.connection import (
    Auth,
    AuthorizationCode,
    BasicAuth,
    BearerAuth,
    ClientCredentials,
    CookieAuth,
    HeaderAuth,
    PartsAuth,
    QueryAuth,
    SchemeLogin,
    SchemesAuth,
)
from proxy.config.secrets import Resolver, SecretMissing, repeats_scheme

Simple = BearerAuth | BasicAuth | HeaderAuth | QueryAuth | CookieAuth


def credential_source(
    auth: Auth, headers: Mapping[str, str | SecretRef], resolver: Resolver
) -> Callable[[], Credential]:
    """A function that resolves everything anew, but for OAuth tokens, which are no part of the config.

    The function raises `SecretMissing` (from `proxy.config.secrets`), naming the variable or file.
    """
    secret_headers = {name: value for name, value in headers.items() if isinstance(value, SecretRef)}

    def resolve() -> Credential:
        parts = [
            CredentialPart("header", resolver.resolve(reference), name)
            for name, reference in secret_headers.items()
        ]
        if isinstance(auth, SchemesAuth):
            return Credential(tuple(parts), _schemes(auth, resolver))
        return Credential((*parts, *(_part(one, resolver) for one in _simple(auth))))

    return resolve


def credential_places(auth: Auth, headers: Mapping[str, str | SecretRef]) -> CredentialPlaces:
    """Where all of it goes, without any value."""
    places = {("header", name) for name, value in headers.items() if isinstance(value, SecretRef)}
    places |= {
        ("header", "Authorization") if isinstance(one, BearerAuth | BasicAuth) else (one.kind, one.name)
        for one in _simple(auth)
    }
    if isinstance(auth, ClientCredentials | AuthorizationCode):
        places.add(("header", "Authorization"))
    schemes = frozenset(auth.schemes) if isinstance(auth, SchemesAuth) else frozenset[str]()
    return CredentialPlaces(frozenset(places), schemes)


def plain_headers(headers: Mapping[str, str | SecretRef]) -> dict[str, str]:
    """The headers that are ordinary text."""
    return {name: value for name, value in headers.items() if isinstance(value, str)}


def _simple(auth: Auth) -> tuple[Simple, ...]:
    if isinstance(auth, PartsAuth):
        return auth.parts
    return (auth,) if isinstance(auth, Simple) else ()


def _part(auth: Simple, resolver: Resolver) -> CredentialPart:
    if isinstance(auth, BearerAuth):
        return CredentialPart("bearer", _token(auth.token, resolver))
    if isinstance(auth, BasicAuth):
        return CredentialPart(
            "basic", resolver.resolve(auth.password), username=_text(auth.username, resolver)
        )
    value = resolver.resolve(auth.value)
    prefix = auth.prefix if isinstance(auth, HeaderAuth) else ""
    return CredentialPart(auth.kind, value, auth.name, prefix=prefix)


def _token(ref: SecretRef, resolver: Resolver) -> Secret:
    token = resolver.resolve(ref)
    if why := repeats_scheme(token.reveal()):
        raise SecretMissing(str(ref.env or ref.file), why)
    return token


def _text(value: str | SecretRef, resolver: Resolver) -> Secret:
    return resolver.resolve(value) if isinstance(value, SecretRef) else Secret(value)


def _schemes(auth: SchemesAuth, resolver: Resolver) -> dict[str, SchemeCredential]:
    bound: dict[str, SchemeCredential] = {}
    for name, scheme in auth.schemes.items():
        if isinstance(scheme, SchemeLogin):
            bound[name] = SchemeCredential(
                None, _text(scheme.username, resolver), resolver.resolve(scheme.password)
            )
        else:
            bound[name] = SchemeCredential(resolver.resolve(scheme.secret))
    return bound
