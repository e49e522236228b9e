"""OAuth records in the state store: where they are, under which leases they change, and whose they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final, Protocol

from proxy.connections.oauth.records import ClientRecord, PendingDevice, PendingSignIn, TokenRecord
from proxy.state import Entry, Lease
from proxy.state.base import Entries, Leases

_TOKENS: Final = "oauth_token"
_CLIENTS: Final = "oauth_client"
_PENDING: Final = "oauth_sign_in"
_DEVICES: Final = "oauth_device"
_ALL: Final = "*"
PENDING_SECONDS: Final = 600.0


class OAuthState(Entries, Leases, Protocol):
    """What is used of the state store."""


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whose token: one account's in one workspace, or (`SHARED`) the connection's own."""

    workspace: str
    account: str

    @property
    def is_shared(self) -> bool:
        return self == SHARED

    @property
    def tenant(self) -> str:
        """As `PreparedCall.tenant` names it. Names of workspaces have no blanks."""
        return f"{self.workspace} {self.account}"

    @classmethod
    def of_tenant(cls, tenant: str) -> TokenHolder:
        workspace, _, account = tenant.partition(" ")
        return cls(workspace, account)


SHARED: Final = TokenHolder(_ALL, "")


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A record, and the entry that it was read from: writing needs its version."""

    record: TokenRecord
    entry: Entry


class TokenStore:
    """Every method may raise `StateError`. `scope` is the workspace where a connection was registered at run time: one
    of the same name in the files, or in another workspace, is another connection."""

    def __init__(self, state: OAuthState, scope: str = "") -> None:
        self._state = state
        self._scope = f"{scope}/" if scope else ""

    async def read(self, prefix: str, holder: TokenHolder) -> StoredToken | None:
        entry = await self._state.read_entry(_TOKENS, holder.workspace, self._key(prefix, holder))
        return StoredToken(TokenRecord.from_bytes(entry.value), entry) if entry is not None else None

    async def write(
        self, prefix: str, holder: TokenHolder, record: TokenRecord, before: Entry | None
    ) -> StoredToken:
        """Raises `Conflict` when it is not `before` any more."""
        version = before.version if before is not None else 0
        entry = Entry(_TOKENS, holder.workspace, self._key(prefix, holder), record.to_bytes(), version)
        return StoredToken(record, await self._state.write_entry(entry))

    async def drop(self, entry: Entry) -> bool:
        return await self._state.drop_entry(entry)

    async def accounts(self, prefix: str, workspace: str) -> list[str]:
        """The accounts of a workspace that have a token for this connection."""
        name = f"{self._scope}{prefix}"
        entries = await self._state.list_entries(_TOKENS, workspace)
        return [one.key.partition(" ")[2] for one in entries if one.key.partition(" ")[0] == name]

    async def lease(self, prefix: str, holder: TokenHolder, who: str, seconds: float) -> Lease | None:
        return await self._state.acquire_lease(
            f"{_TOKENS} {holder.workspace} {self._key(prefix, holder)}", who, seconds
        )

    async def release(self, lease: Lease) -> None:
        await self._state.release_lease(lease)

    def _key(self, prefix: str, holder: TokenHolder) -> str:
        return f"{self._scope}{prefix} {holder.account}"

    # ---- clients and sign-ins -----------------------------------------------------------------------------------
    async def client(self, issuer: str, redirect_uri: str) -> ClientRecord | None:
        entry = await self._state.read_entry(_CLIENTS, _ALL, _digest(issuer, redirect_uri))
        return ClientRecord.from_bytes(entry.value) if entry is not None else None

    async def keep_client(self, issuer: str, redirect_uri: str, client: ClientRecord) -> None:
        entry = Entry(_CLIENTS, _ALL, _digest(issuer, redirect_uri), client.to_bytes())
        await self._state.write_entry(entry)

    async def forget_client(self, issuer: str, redirect_uri: str) -> None:
        entry = await self._state.read_entry(_CLIENTS, _ALL, _digest(issuer, redirect_uri))
        if entry is not None:
            await self._state.drop_entry(entry)

    async def begin(self, state: str, pending: PendingSignIn, until: float) -> None:
        await self._state.write_entry(
            Entry(_PENDING, _ALL, _digest(state), pending.to_bytes(), expires_at=until)
        )

    async def pending(self, state: str) -> PendingSignIn | None:
        """What this `state` began, left where it is."""
        entry = await self._state.read_entry(_PENDING, _ALL, _digest(state))
        return PendingSignIn.from_bytes(entry.value) if entry is not None else None

    async def take(self, state: str) -> PendingSignIn | None:
        """The same, for exactly one caller on all replicas."""
        entry = await self._state.read_entry(_PENDING, _ALL, _digest(state))
        if entry is None or not await self._state.drop_entry(entry):
            return None
        return PendingSignIn.from_bytes(entry.value)

    # ---- on another device ----------------------------------------------------------------------------------------
    async def begin_device(self, state: str, pending: PendingDevice, until: float) -> None:
        entry = Entry(_DEVICES, _ALL, _digest(state), pending.to_bytes(), expires_at=until)
        await self._state.write_entry(entry)

    async def device(self, state: str) -> tuple[PendingDevice, Entry] | None:
        entry = await self._state.read_entry(_DEVICES, _ALL, _digest(state))
        return (PendingDevice.from_bytes(entry.value), entry) if entry is not None else None

    async def keep_device(self, pending: PendingDevice, before: Entry) -> Entry:
        """Raises `Conflict` when it is not `before` any more."""
        return await self._state.write_entry(replace(before, value=pending.to_bytes()))


def _digest(*parts: str) -> str:
    """Names of entries are readable in the store: neither a `state` nor an address stands there."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
