"""Where the parts of a credential go in an HTTP request, for every kind of integration that uses HTTP."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote

from integrations.base import Credential, CredentialPart, Failure


class CredentialProblem(Exception):
    """The credential cannot be used for this request; `failure` says why without naming any secret."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Placement:
    """One secret text at its place: `target` is header, query or cookie."""

    target: str
    name: str
    text: str


def placements_of(credential: Credential) -> list[Placement]:
    """Every part at its place. Raises `CredentialProblem` for a value no request can carry."""
    return [check_placement(_placement(part)) for part in credential.parts]


def check_placement(placement: Placement) -> Placement:
    """Raises `CredentialProblem` for control characters, which no header, query or cookie may hold."""
    if any(ord(c) < 32 or ord(c) == 127 for c in placement.text):
        reason = "the credential holds a control character; check the secret's value"
        raise CredentialProblem(Failure("connection_not_ready", reason))
    return placement


def _placement(part: CredentialPart) -> Placement:
    if part.kind == "bearer":
        return Placement("header", "Authorization", f"{part.prefix or 'Bearer '}{part.value.reveal()}")
    if part.kind == "basic":
        user = part.username.reveal() if part.username else ""
        return Placement("header", "Authorization", basic_text(user, part.value.reveal()))
    return Placement(part.kind, part.name, part.prefix + part.value.reveal())


def basic_text(user: str, password: str) -> str:
    """RFC 7617 section 2, with the UTF-8 charset of section 2.1."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def cookie_pair(name: str, text: str) -> str:
    """Cookie values keep RFC 6265 cookie-octets and encode the rest."""
    return f"{name}=" + "".join(
        c if "!" <= c <= "~" and c not in '",;\\' else quote(c, safe="") for c in text
    )


def placed(
    url: str, headers: list[tuple[str, str]], placements: list[Placement]
) -> tuple[str, list[tuple[str, str]]]:
    """URL and headers with the credential; it replaces what is there under the same name."""
    cookies: list[str] = []
    for one in placements:
        if one.target == "header":
            headers = [item for item in headers if item[0].lower() != one.name.lower()]
            headers.append((one.name, one.text))
        elif one.target == "query":
            url = _with_query(url, one)
        else:
            cookies.append(cookie_pair(one.name, one.text))
    return url, _with_cookies(headers, cookies)


def _with_query(url: str, placement: Placement) -> str:
    base, _, query = url.partition("?")
    name = quote(placement.name, safe="")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != name]
    text = quote(placement.text, safe="")
    return f"{base}?" + "&".join((*kept, f"{name}={text}"))


def _with_cookies(headers: list[tuple[str, str]], cookies: list[str]) -> list[tuple[str, str]]:
    """One Cookie header (RFC 6265 section 5.4): existing cookies of other names, then the credential's."""
    if not cookies:
        return headers
    ours = {pair.partition("=")[0] for pair in cookies}
    there = [value for name, value in headers if name.lower() == "cookie"]
    kept = [pair.strip() for value in there for pair in value.split(";")]
    kept = [pair for pair in kept if pair and pair.partition("=")[0] not in ours]
    return [*(i for i in headers if i[0].lower() != "cookie"), ("Cookie", "; ".join((*kept, *cookies)))]
