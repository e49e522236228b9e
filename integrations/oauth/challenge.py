"""`WWW-Authenticate` (RFC 9110 section 11.6.1): several challenges of several schemes, with quoted strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME: Final = re.compile(rf"\s*({_WORD})(?=\s|,|$)")
_TOKEN68: Final = re.compile(r"\s*[A-Za-z0-9\-._~+/]+=*\s*(?=,|$)")
_LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class AuthChallenge:
    """One challenge. Names of parameters are lower case; of repeated ones the first counts."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> list[AuthChallenge]:
    """Every challenge, as far as the header can be read."""
    return list(_parsed(header[:_LONGEST]))


def bearer_challenge(header: str) -> AuthChallenge:
    """The challenge for bearer tokens that says most; an empty one when there is none."""
    found = [one for one in parse_challenges(header) if one.scheme == "bearer"]
    named = [one for one in found if "resource_metadata" in one.parameters]
    return (named or found or [AuthChallenge("bearer")])[0]


def _parsed(text: str) -> Iterator[AuthChallenge]:
    at, scheme, parameters = 0, "", dict[str, str]()
    while at < len(text):
        if (found := _PARAMETER.match(text, at)) and scheme:
            quoted = found[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[3]
            parameters.setdefault(found[1].lower(), value)
            at = found.end()
        elif found := _SCHEME.match(text, at):
            if scheme:
                yield AuthChallenge(scheme, parameters)
            scheme, parameters = found[1].lower(), {}
            at = found.end()
            if (blob := _TOKEN68.match(text, at)) and blob[0].strip():
                at = blob.end()
        else:
            at += 1
    if scheme:
        yield AuthChallenge(scheme, parameters)
