"""The authorization request and what comes back with the browser (RFC 6749 section 4.1, RFC 7636, RFC 9207)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from integrations.oauth.errors import OAuthAnswerWrong, OAuthRefused, OtherIssuer
from integrations.schema_types.text import one_line

CALLBACK_PATH: Final = "/oauth/callback"
CALLBACK_PARAMETERS: Final = ("code", "state", "iss", "error", "error_description")
"""What of a callback is looked at, and nothing else."""
# What a request is made of. `authorization_params` of the config add to these and replace none.
RESERVED: Final = frozenset(
    {
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "scope",
    }
)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a person's browser is sent with. `verifier` stays here until the code is redeemed."""

    endpoint: str
    client_id: str
    redirect_uri: str
    state: str
    verifier: str
    scopes: Sequence[str] = ()
    resource: str | None = None
    more: Mapping[str, str] | None = None

    @property
    def url(self) -> str:
        # Loading it takes time that only those who sign in should spend.
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        fields = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": str(create_s256_code_challenge(self.verifier)),
            "code_challenge_method": "S256",
            **({"scope": " ".join(self.scopes)} if self.scopes else {}),
            **({"resource": self.resource} if self.resource else {}),
        }
        fields |= {name: value for name, value in (self.more or {}).items() if name not in RESERVED}
        return f"{self.endpoint}{'&' if '?' in self.endpoint else '?'}{urlencode(fields)}"


def new_verifier() -> str:
    """64 characters, 384 random bits."""
    return secrets.token_urlsafe(48)


def check_callback(parameters: Mapping[str, str], issuer: str | None, names_itself: bool) -> str:
    """The code. Raises `OAuthRefused` for an error in the callback, `OAuthAnswerWrong` for one from elsewhere.

    `names_itself`: the server promised to say `iss`. One that says it all the same must say it to the letter
    (RFC 9207 section 2.4).
    """
    given = parameters.get("iss")
    if given is None and names_itself:
        raise OtherIssuer(
            "the callback does not name its issuer, which the authorization server promises to do"
        )
    if given is not None and issuer is not None and given != issuer:
        raise OtherIssuer("the callback comes from another authorization server than the one that was asked")
    if error := parameters.get("error"):
        raise OAuthRefused(one_line(error, 64), one_line(parameters.get("error_description", ""), 200))
    code = parameters.get("code")
    if not code:
        raise OAuthAnswerWrong("the callback holds no code")
    return code
