"""The `auth` section that variables stand for while the files have none.

The names are those of the product's published documentation, so that its deployments work with a config file that says
nothing about callers. Secrets stay references to the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from integrations.fields.settings import UNKNOWN
from proxy.config.locations import Finding

MODE: Final = "EXECUTOR_DEPLOYMENT_MODE"
ISSUER: Final = "MCP_AUTHORIZATION_SERVER"
CLIENT: Final = "WORKOS_CLIENT_ID"
SECRET: Final = "MCP_API_KEY_SECRET"  # noqa: S105 - the name of a variable
TTL: Final = "MCP_API_KEY_TTL_SECONDS"
PRIVATE: Final = "ANONYMOUS_AUTH_PRIVATE_KEY_PEM"
PUBLIC: Final = "ANONYMOUS_AUTH_PUBLIC_KEY_PEM"
FALLBACKS: Final = (PRIVATE, PUBLIC, MODE, SECRET, TTL, ISSUER, CLIENT)
SECRET_FALLBACKS: Final = frozenset({PRIVATE, PUBLIC, SECRET})
MODES: Final = ("cloud", "self-hosted", "local")


def fallback_auth(environment: Mapping[str, str]) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The section, None when no variable asks for one, and what is wrong with the variables."""
    findings: list[Finding] = []
    auth: dict[str, Any] = {}
    issuer = environment.get(ISSUER)
    if issuer:
        client = environment.get(CLIENT)
        own = {"audiences": [client]} if client and client != UNKNOWN else {}
        auth["oauth"] = {"issuer": {"env": ISSUER}, **own}
    findings += _mode(environment.get(MODE), bool(issuer))
    signing = _signing(environment)
    if signing is not None:
        ttl, wrong = _ttl(environment.get(TTL))
        findings += wrong
        auth["api_keys"] = {"signing": {**signing, **ttl}}
    return auth or None, findings


def _mode(mode: str | None, has_issuer: bool) -> list[Finding]:
    if not mode or mode == UNKNOWN:
        return []
    if mode not in MODES:
        return [Finding("E206", (), f"{MODE} is none of {', '.join(MODES)}", "correct the variable", "key")]
    if mode == "cloud" and not has_issuer:
        help = f"set {ISSUER} to the URL of your authorization server, or write `auth`"
        return [Finding("E402", (), f"{MODE}=cloud needs {ISSUER}, which is not set", help, "key")]
    return []


def _signing(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """With both a secret and a key pair, keys are signed with the secret and anonymous tokens with the pair."""
    given = {name: {"env": name} for name in SECRET_FALLBACKS if _is_set(environment, name)}
    pair = {"private_key": given.get(PRIVATE), "public_key": given.get(PUBLIC)}
    known = {key: ref for key, ref in pair.items() if ref is not None}
    if SECRET in given:
        kept = known if PRIVATE in given else {}
        return {"algorithm": "HS256", "secret": given[SECRET], **kept}
    return {"algorithm": "ES256", **known} if known else None


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def _ttl(text: str | None) -> tuple[dict[str, str], list[Finding]]:
    if not text or text == UNKNOWN:
        return {}, []
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return {"ttl": f"{int(text)}s"}, []
    return {}, [Finding("E206", (), f"{TTL} is no number of seconds", "write for example 604800", "key")]
