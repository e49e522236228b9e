"""Secrets into a finished request. They go to known origins only, and arguments cannot set what they set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from integrations.base import Credential, Failure, SchemeCredential, Secret
from integrations.credentials import (
    CredentialProblem,
    Placement,
    basic_text,
    check_placement,
    cookie_pair,
    placements_of,
)
from integrations.openapi.binding import LOCATIONS, OperationBinding, Scheme
from integrations.openapi.request import OutgoingRequest
from integrations.openapi.serialize import encode
from integrations.openapi.wire_names import SuppliedNames


@dataclass(frozen=True, slots=True)
class CredentialPlaces:
    """Where a connection's credential goes, without its values: location and name of the simple kinds, and the names of
    the security schemes that are bound.
    """

    places: SuppliedNames = frozenset()
    schemes: frozenset[str] = frozenset()

    def words(self) -> tuple[str, ...]:
        """The same as text, equal for equal places."""
        return (*sorted(f"{location} {name}" for location, name in self.places), *sorted(self.schemes))


def supplied_names(
    binding: OperationBinding, static_headers: Mapping[str, str], credential: CredentialPlaces
) -> SuppliedNames:
    """What `with_credential` and the integration's headers set in every request of the operation."""
    names = {("header", name) for name in static_headers}
    if binding.security == ():
        return frozenset(names)
    if credential.places or binding.security is None:
        return frozenset(names | credential.places)
    bound = _satisfied(binding.security, credential.schemes, static_headers) or []
    places = {(s.kind, s.parameter) for s in bound if s.kind in LOCATIONS}
    return frozenset(names | places)


def with_credential(
    request: OutgoingRequest, credential: Credential, static_headers: Mapping[str, str]
) -> OutgoingRequest:
    """The request with its credential. Raises `CredentialProblem`.

    An operation whose `security` is the empty list gets none. Bound schemes follow the first alternative
    that is fully satisfied; the simple kinds (`parts`) are sent whatever the document declares.
    """
    security = request.binding.security
    if security == ():
        return request
    placements = placements_of(credential)
    if not placements and security is not None:
        placements = _from_schemes(security, credential.schemes, static_headers)
    for placement in placements:
        request = _place(request, check_placement(placement))
    return request


def _from_schemes(
    security: tuple[tuple[Scheme, ...], ...],
    schemes: Mapping[str, SchemeCredential],
    static_headers: Mapping[str, str],
) -> list[Placement]:
    bound = _satisfied(security, schemes.keys(), static_headers)
    if bound is not None:
        return [_scheme(scheme, schemes[scheme.name]) for scheme in bound]
    wanted = " or ".join(" + ".join(scheme.name for scheme in alternative) for alternative in security)
    raise CredentialProblem(
        Failure(
            "connection_value_missing", f"the operation needs a credential for {wanted}: bind it under `auth`"
        )
    )


def _satisfied(
    security: tuple[tuple[Scheme, ...], ...], known: Set[str], static_headers: Mapping[str, str]
) -> list[Scheme] | None:
    """The bound schemes of the first alternative of which nothing is missing; None when there is none."""
    fixed = {name.lower() for name in static_headers}
    for alternative in security:
        if all(scheme.name in known or _is_fixed(scheme, fixed) for scheme in alternative):
            return [scheme for scheme in alternative if scheme.name in known]
    return None


def _is_fixed(scheme: Scheme, headers: Iterable[str]) -> bool:
    """Do the integration's own headers already carry this scheme?"""
    if scheme.kind in ("bearer", "basic"):
        return "authorization" in headers
    return scheme.kind == "header" and scheme.parameter.lower() in headers


def _scheme(scheme: Scheme, bound: SchemeCredential) -> Placement:
    if scheme.kind == "basic":
        user, password = bound.username or bound.value or Secret(""), bound.password or Secret("")
        return Placement("header", "Authorization", basic_text(user.reveal(), password.reveal()))
    if bound.value is None or scheme.kind == "unsupported":
        raise CredentialProblem(
            Failure(
                "connection_value_missing",
                f"security scheme {scheme.name} cannot be satisfied by what is bound",
            )
        )
    if scheme.kind == "bearer":
        return Placement("header", "Authorization", f"Bearer {bound.value.reveal()}")
    return Placement(scheme.kind, scheme.parameter, bound.value.reveal())


def _place(request: OutgoingRequest, placement: Placement) -> OutgoingRequest:
    name, text = placement.name, placement.text
    if placement.target == "header":
        kept = tuple(item for item in request.headers if item[0].lower() != name.lower())
        return replace(request, headers=(*kept, (name, text)))
    if placement.target == "query":
        kept = tuple(item for item in request.query if item[0] != name)
        return replace(request, query=(*kept, (name, f"{encode(name)}={encode(text)}")))
    kept = tuple(item for item in request.cookies if item[0] != name)
    return replace(request, cookies=(*kept, (name, cookie_pair(name, text))))
