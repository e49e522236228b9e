"""Token requests, and what their answers mean (RFC 6749 sections 4.1.3, 4.4.2, 5 and 6; RFC 8707; RFC 7009).

Rules, each of them met in the field:
- An error may come with status 200, and an answer may be form-encoded whatever was asked for (GitHub).
- `expires_in` may be text, zero or missing: then nothing is known of the end, and a refusal by the server tells.
- Only bearer tokens of printable ASCII are taken: anything else could not be sent, or would break a header.
- What we sent is cut out of what the server says about it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from integrations.base import JsonObject, Secret
from integrations.http import HttpResponse
from integrations.oauth.client import OAuthClient, proof
from integrations.oauth.errors import OAuthAnswerWrong, OAuthRefused
from integrations.oauth.http import Fields, OAuthHttp, json_object
from integrations.schema_types.text import one_line

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_LONGEST_SECONDS: Final = 10 * 365 * 86_400.0
_DESCRIPTION: Final = 200
# Slack calls its bearer tokens by whose they are.
_BEARER: Final = frozenset({"bearer", "user", "bot"})


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """`expires_in` None: nothing is known of the end. `scope` None: what was asked for (RFC 6749 section 5.1)."""

    access_token: Secret
    refresh_token: Secret | None
    expires_in: float | None
    scope: str | None


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens are asked for. `issuer` is the audience of a signed assertion; None where it is not known."""

    url: str
    issuer: str | None = None


async def request_token(
    http: OAuthHttp, endpoint: TokenEndpoint, client: OAuthClient, fields: Fields
) -> TokenAnswer:
    """POST to the token endpoint. Raises `OAuthRefused`, `OAuthUnavailable`, `OAuthAnswerWrong`."""
    own, headers = proof(client, endpoint.issuer or endpoint.url)
    response = await http.form(endpoint.url, [*fields, *own], headers)
    sent = [value for _, value in fields if len(value) >= 8]
    return read_answer(response, [*sent, *client.secrets()])


async def revoke_token(http: OAuthHttp, url: str, client: OAuthClient, token: Secret, hint: str) -> None:
    """RFC 7009. Raises like `request_token`; any 2xx is a success."""
    own, headers = proof(client, url)
    response = await http.form(url, [("token", token.reveal()), ("token_type_hint", hint), *own], headers)
    if response.status >= 300:
        raise OAuthRefused(f"http_{response.status}")


def read_answer(response: HttpResponse, sent: Iterable[str] = ()) -> TokenAnswer:
    """The tokens in an answer. `sent` are secrets that no error text may repeat."""
    found = answer_in(response, "access_token")
    refuse(response.status, found, sent)
    return TokenAnswer(
        _token(found.get("access_token"), "access_token"),
        _token(found["refresh_token"], "refresh_token") if found.get("refresh_token") else None,
        seconds_in(found.get("expires_in")),
        _scope(found.get("scope")),
    )


def refuse(status: int, found: JsonObject, sent: Iterable[str] = ()) -> None:
    """Raises `OAuthRefused` when an answer is an error, whatever its status."""
    code = found.get("error")
    if not code and status < 400:
        kind = found.get("token_type")
        if isinstance(kind, str) and kind.lower() not in _BEARER:
            raise OAuthAnswerWrong("the token is of another type than Bearer, which is not supported")
        return
    text = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else f"http_{status}"
    raise OAuthRefused(text, _described(found.get("error_description"), sent))


def _described(value: object, sent: Iterable[str]) -> str:
    if not isinstance(value, str):
        return ""
    for secret in sent:
        value = value.replace(secret, "[redacted]")
    return one_line(value, _DESCRIPTION)


def answer_in(response: HttpResponse, member: str) -> JsonObject:
    """JSON, or a form with this member or an error: some servers do not say which, and some say the wrong one. Raises
    `OAuthRefused`, `OAuthAnswerWrong` for neither."""
    found = json_object(response)
    if found is not None:
        return found
    try:
        pairs = parse_qsl(response.body.decode("ascii"), max_num_fields=32, strict_parsing=True)
    except ValueError:
        pairs = []
    form = dict(pairs)
    if member in form or "error" in form:
        return dict(form)
    if response.status >= 400:
        raise OAuthRefused(f"http_{response.status}")
    raise OAuthAnswerWrong(f"the authorization server answered something that has no `{member}`")


def _token(value: object, name: str) -> Secret:
    if not isinstance(value, str) or not value:
        raise OAuthAnswerWrong(f"the token endpoint answered without `{name}`")
    if not _TOKEN.fullmatch(value):
        raise OAuthAnswerWrong(f"`{name}` is too long, or holds characters that no bearer token may hold")
    return Secret(value)


def seconds_in(value: object) -> float | None:
    """A time to come; None for what says nothing of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return min(seconds, _LONGEST_SECONDS) if math.isfinite(seconds) and seconds > 0 else None


def _scope(value: object) -> str | None:
    """Words with spaces between them. GitHub separates them by commas."""
    if isinstance(value, list):
        value = " ".join(str(one) for one in value)
    if not isinstance(value, str) or not value.strip():
        return None
    return " ".join(value.replace(",", " ").split())
