"""Calls with a token: whose it is, what happens when there is none, and what a refusal by the upstream leads to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from integrations.base import Credential, CredentialPart, Failure, JsonObject, Result, Secret, SourceError
from integrations.conversation import Conversation, ElicitationRequest, InputNeeded
from integrations.oauth.challenge import bearer_challenge
from proxy.connections.oauth.known import TokenExpiry
from proxy.connections.oauth.records import TokenRecord
from proxy.connections.oauth.storage import SHARED, TokenHolder
from proxy.connections.oauth.tokens import ConnectionTokens, NoToken, TokenUnavailable
from proxy.principal import Principal

SendWith = Callable[[Credential], Awaitable[Result]]
SendOnSession = Callable[[TokenHolder, Conversation], Awaitable[Result | InputNeeded]]
SignInUrl = Callable[[str, str | None], str | None]
"""The page where somebody signs in to the connection of this prefix, as this account if it is not a shared one; None
when nothing serves pages."""
_KEY: Final = "sign_in"
_MAX_ROUNDS: Final = 5
# How often one call may ask for more scopes (MCP authorization, step-up).
_MOST_STEPS: Final = 3
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
# What another replica has stored may have ended by now as well.
_MOST_REFUSALS: Final = 3


@dataclass(frozen=True, slots=True)
class OAuthAccess:
    """The tokens of one connection, as its calls use them."""

    tokens: ConnectionTokens
    page: SignInUrl

    @property
    def asks(self) -> bool:
        """Whether a call may end with the wish that somebody signs in."""
        return self.tokens.plan.grant == "authorization_code"

    @property
    def per_user(self) -> bool:
        return self.tokens.plan.per_user

    @property
    def required(self) -> bool:
        """Whether nothing works without a sign-in, as far as that is known: an MCP server may never ask for one."""
        plan = self.tokens.plan
        named = plan.client is not None or plan.issuer is not None or plan.token_url is not None
        return plan.server_url is None or named or bool(self.tokens.challenge)

    def holder(self, principal: Principal | None) -> TokenHolder | None:
        """Whose token a call of this caller takes; None for callers that have no account."""
        if not self.per_user:
            return SHARED
        if principal is None or principal.kind == "anonymous":
            return None
        return TokenHolder(principal.workspace_id, principal.account_id)

    def status(self, principal: Principal | None) -> JsonObject:
        """Raises `SecretMissing` when the config's client lacks its secret."""
        client = self.tokens.plan.client
        if client is not None:
            client.resolved(self.tokens.parts.resolver, None)
        holder = self.holder(principal)
        if holder is not None:
            return self.tokens.status(holder)
        # Of nobody in particular: whoever has signed in is connected. Who has no account never is.
        return {"status": "connected" if principal is None else "needs_auth"}

    @property
    def expiry(self) -> TokenExpiry | None:
        """When the connection's own token ends; None where each account has one of its own."""
        return None if self.per_user else self.tokens.expiry(SHARED)

    @property
    def note(self) -> str | None:
        """Why a shared connection is not connected, and where it is mended."""
        why = None if self.per_user else self.tokens.trouble(SHARED)
        return f"{why}: {self._place(None)}" if why else None

    def note_for(self, principal: Principal) -> str | None:
        """The same for one caller, who may have to sign in for itself."""
        holder = self.holder(principal)
        if not self.per_user or holder is None:
            return self.note
        why = self.tokens.trouble(holder)
        return f"{why}: {self._place(principal.account_id)}" if why else None

    @property
    def first_note(self) -> str:
        """What is said where the tools are not known before somebody has signed in."""
        return f"its tools are known once an account has signed in: {self._place(None)}"

    def secrets(self, principal: Principal | None) -> list[str]:
        holder = self.holder(principal)
        return self.tokens.secrets(holder) if holder is not None else []

    async def send(
        self, send: SendWith, credential: Credential, conversation: Conversation, principal: Principal | None
    ) -> Result | InputNeeded:
        """Send with the caller's token. One that the upstream refuses is refreshed once; a refused call has not run."""
        holder = self.holder(principal)
        if holder is None:
            return self._nobody()
        await self._heard(conversation, holder)
        try:
            record = await self.tokens.access(holder)
            result = await send(_with(credential, record))
            for _ in range(_MOST_REFUSALS):
                if not isinstance(result, Failure) or result.status != _UNAUTHORIZED:
                    break
                asked = self.tokens.asked(holder)
                record = await self.tokens.after_refusal(holder, record.access_token)
                result = await send(_with(credential, record))
                if asked != self.tokens.asked(holder) == record.generation:
                    # Fresh from the server: another one would be refused as well.
                    break
        except NoToken as missing:
            return self._sign_in(conversation, principal, str(missing))
        except TokenUnavailable as error:
            return Failure(error.code, f"{self._prefix}: {error}", error.retryable)
        return self._stepped_up(result, holder, conversation, principal)

    async def converse(
        self, send: SendOnSession, conversation: Conversation, principal: Principal | None
    ) -> Result | InputNeeded:
        """Send on the caller's session, which takes the token by itself."""
        holder = self.holder(principal)
        if holder is None:
            return self._nobody()
        await self._heard(conversation, holder)
        if self.per_user and self.required:
            try:
                await self.tokens.access(holder)
            except NoToken as missing:
                return self._sign_in(conversation, principal, str(missing))
            except TokenUnavailable as error:
                return Failure(error.code, f"{self._prefix}: {error}", error.retryable)
        result = await send(holder, _for_upstream(conversation))
        return self._explained(result, holder, conversation, principal)

    async def begin(
        self, conversation: Conversation, principal: Principal | None
    ) -> InputNeeded | Failure | None:
        """Have the caller sign in if it has not; None when it has."""
        holder = self.holder(principal)
        if holder is None:
            return self._nobody()
        await self.tokens.look(holder)
        why = self.tokens.trouble(holder)
        return self._sign_in(conversation, principal, why) if why else None

    async def _heard(self, conversation: Conversation, holder: TokenHolder) -> None:
        """Somebody says that the sign-in is done, perhaps on another replica."""
        if conversation.reply is not None:
            await self.tokens.look(holder)

    def _nobody(self) -> Failure:
        message = f"{self._prefix}: callers without an account cannot sign in"
        return Failure("oauth_reauth_required", message, details={"connection": self._prefix})

    def _explained(
        self,
        result: Result | InputNeeded,
        holder: TokenHolder,
        conversation: Conversation,
        principal: Principal | None,
    ) -> Result | InputNeeded:
        """What the refusal of a session means for whoever called: it has tried other tokens already."""
        if not isinstance(result, Failure) or result.code != "connection_rejected":
            return result
        if result.status == _UNAUTHORIZED:
            return self._sign_in(
                conversation, principal, self.tokens.trouble(holder) or "the token was refused"
            )
        return self._stepped_up(result, holder, conversation, principal)

    def _stepped_up(
        self,
        result: Result,
        holder: TokenHolder,
        conversation: Conversation,
        principal: Principal | None,
    ) -> Result | InputNeeded:
        """A token that lacks scopes (RFC 6750 section 3.1): a sign-in asks for them beside those that were granted."""
        if not isinstance(result, Failure) or result.status != _FORBIDDEN:
            return result
        if bearer_challenge(result.challenge).parameters.get("error") == "insufficient_scope":
            self.tokens.found_missing(holder, result.challenge)
        missing = " ".join(self.tokens.missing_scopes(holder))
        if not missing:
            return result
        why = f"the upstream wants more scopes ({missing})"
        wanted = self._sign_in(conversation, principal, why, _MOST_STEPS) if self.asks else None
        if isinstance(wanted, InputNeeded):
            return wanted
        remedy = "add them to its `scopes`"
        if wanted is not None:
            remedy = f"sign in anew, {self._place(self._account(principal))}"
        details = {
            **(wanted.details if wanted is not None else {}),
            "connection": self._prefix,
            "scope": missing,
        }
        message = f"{self._prefix}: {why}: {remedy}."
        return Failure("oauth_scope_insufficient", message, status=result.status, details=details)

    def _account(self, principal: Principal | None) -> str | None:
        """Who has to sign in; None for an operator."""
        return principal.account_id if self.per_user and principal is not None else None

    @property
    def _prefix(self) -> str:
        return self.tokens.plan.prefix

    def _place(self, account: str | None) -> str:
        url = self.page(self._prefix, account)
        return f"open {url}" if url is not None else f"run `executor auth login {self._prefix}`"

    def _sign_in(
        self, conversation: Conversation, principal: Principal | None, why: str, most: int = _MAX_ROUNDS
    ) -> Failure | InputNeeded:
        """Ask for it where somebody can be asked, at most so often; else say where."""
        account = self._account(principal)
        reply, url = conversation.reply, self.page(self._prefix, account)
        who = f"`{account}`" if account else "an operator"
        rounds = reply.rounds if reply is not None else 0
        declined = reply is not None and any(one.action != "accept" for one in reply.answers.values())
        if url is not None and conversation.party and rounds < most and not declined:
            message = f"{who} has to sign in to `{self._prefix}` ({why}). Accept once that is done."
            return InputNeeded({_KEY: ElicitationRequest(message, url=url, ours=True)}, None, rounds + 1)
        details = {
            "connection": self._prefix,
            **({"account": account} if account else {}),
            **({"url": url} if url else {}),
        }
        message = f"{self._prefix}: {why}; {who} has to sign in: {self._place(account)}."
        return Failure("oauth_reauth_required", message, details=details)


def _for_upstream(conversation: Conversation) -> Conversation:
    """Without the answer to a question of ours, which the upstream has not asked."""
    reply = conversation.reply
    if reply is None or _KEY not in reply.answers:
        return conversation
    return replace(conversation, reply=None)


def _with(credential: Credential, record: TokenRecord) -> Credential:
    return replace(
        credential, parts=(*credential.parts, CredentialPart("bearer", Secret(record.access_token)))
    )


async def with_token(credential: Credential, tokens: ConnectionTokens) -> Credential:
    """The credential of a connection that everybody shares. Raises `SourceError` without a token."""
    if tokens.plan.per_user:
        raise SourceError("a live schema cannot be asked for with the token of one user: name a file")
    try:
        return _with(credential, await tokens.access(SHARED))
    except (NoToken, TokenUnavailable) as error:
        raise SourceError(str(error)) from None
