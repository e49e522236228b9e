"""Who may come in and how often, under one config: made anew by every reload, replaced whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from limits.aio.storage import Storage

from integrations.base import Secret
from integrations.fields import Listen
from proxy.app.paths import NoDirectory, state_dir
from proxy.auth import (
    Authenticator,
    IssuerPool,
    IssuerSource,
    Keyring,
    OauthCallers,
    RoleGroups,
    approver_token,
    key_records,
    local_token,
    oauth_callers,
    page_issuers,
    signed_keys,
)
from proxy.auth.local import APPROVER_FILE_NAME, FILE_NAME, LocalTokenError
from proxy.auth.page_sign_in import PageIssuer
from proxy.calls import CallSubject, LimitRefusal
from proxy.config import Config, LoadedConfig
from proxy.config.callers import full_names
from proxy.config.secrets import Resolver
from proxy.config.semantics.safety import authenticates
from proxy.limits import LimitRule, LimitSubject, RateLimiter, RateWindow, rules_of
from proxy.principal import DEFAULT_WORKSPACE

EXPOSED: Final = "add `auth` with api_keys, without `anonymous: true`, or listen on 127.0.0.1"


ANONYMOUS_TOKENS: Final = LimitRule(
    "anonymous-tokens", "ip", "requests", RateWindow(30, 60), wait_seconds=0.0, built_in=True
)


@dataclass(frozen=True, slots=True)
class Access:
    """`local_token` (agents) and `approver_token` (the person) are set only when this process minted them, because
    there is no `auth` section; the files are where they are kept."""

    authenticator: Authenticator
    roles: RoleGroups
    limits: RateLimiter
    local_token: Secret | None
    approver_token: Secret | None
    folder: Path | None
    anonymous_tokens: RateLimiter
    oauth: OauthCallers | None = None
    first_issuer: IssuerSource | None = None
    page_issuers: tuple[PageIssuer, ...] = ()

    @property
    def token_file(self) -> Path:
        """Where the agents' token is kept, if it was minted."""
        assert self.folder is not None
        return self.folder / FILE_NAME

    @property
    def approver_file(self) -> Path:
        """Where the person's token is kept, if it was minted."""
        assert self.folder is not None
        return self.folder / APPROVER_FILE_NAME


def build_access(
    loaded: LoadedConfig, env: Mapping[str, str], storage: Storage, issuers: IssuerPool
) -> Access:
    """Raises `SecretMissing` for a key's missing value, `LocalTokenError` for a token file that cannot be trusted."""
    config = loaded.config
    assert config is not None
    resolver = Resolver(env)
    folder = _folder(config, env)
    token = local_token(folder) if config.auth is None and folder is not None else None
    approver = approver_token(folder) if config.auth is None and folder is not None else None
    keys = key_records(config, resolver.resolve, lambda path: str(loaded.location(path)))
    auth = config.auth
    oauth = oauth_callers(config, issuers, resolver)
    authenticator = Authenticator(
        "local" if auth is None else "keys",
        Keyring(keys),
        token,
        tuple(config.workspaces) or (DEFAULT_WORKSPACE,),
        anonymous=auth is not None and auth.anonymous,
        approver_token=approver,
        oauth=oauth,
        signed=signed_keys(config, resolver),
    )
    roles = RoleGroups()
    if auth is not None:
        roles = RoleGroups(full_names(auth, auth.roles.admin), full_names(auth, auth.roles.approver))
    limits = RateLimiter(rules_of(config), storage)
    tokens = RateLimiter((ANONYMOUS_TOKENS,), storage)
    entries = auth.oauth_entries() if auth is not None else ()
    first = issuers.source(entries[0], entries[0].issuers()[0]) if entries else None
    people = page_issuers(config, issuers, resolver)
    return Access(authenticator, roles, limits, token, approver, folder, tokens, oauth, first, people)


def _folder(config: Config, env: Mapping[str, str]) -> Path | None:
    """A config with callers of its own needs none. Raises `LocalTokenError`."""
    try:
        return state_dir(env)
    except NoDirectory as error:
        if config.auth is None:
            raise LocalTokenError(
                f"{error.strerror}, or write `auth`: without it a token is kept there"
            ) from None
        return None


def exposure(listen: Listen, config: Config) -> str | None:
    """Why nobody may be let in through this address under this config, or None.

    The config's own check (E501) knows `server.listen` only; what is bound may be another address: the command
    line's, or the one the process started with.
    """
    if listen.is_loopback:
        return None
    auth = config.auth
    if auth is not None and auth.anonymous:
        return f"listening on {listen} with `auth.anonymous: true`: anyone could run code"
    return None if authenticates(auth) else f"listening on {listen} without authentication"


class CurrentLimits:
    """The limiter of tool calls, whichever config serves now. Implements `proxy.calls.CallLimiter`."""

    def __init__(self, limits: Callable[[], RateLimiter], hit: Callable[[str], None]) -> None:
        self._limits = limits
        self._hit = hit

    async def admit(self, subject: CallSubject) -> LimitRefusal | None:
        counted = LimitSubject.of(subject.principal, session=subject.session_id).calling(subject.address)
        denied = await self._limits().check("tool_calls", counted)
        if denied is None:
            return None
        self._hit(denied.name)
        return LimitRefusal(denied.name, denied.retry_after_ms, denied.reason)
