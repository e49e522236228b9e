"""Who calls. Made once per request by `proxy.auth`; everything below only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from policies import Caller

PrincipalKind = Literal["key", "user", "anonymous", "local"]
DEFAULT_WORKSPACE: Final = "default"
"""The one workspace of a config without `workspaces`."""
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller inside one workspace.

    `account_id` names the owner of sessions and executions: `key:ci_bot`, `user:sub`, `local` or `anonymous`.
    """

    workspace_id: str
    account_id: str
    kind: PrincipalKind
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)

    @property
    def account(self) -> str:
        """What shares are counted by: an account of one workspace. Callers without a name share one."""
        return f"{self.workspace_id}/{self.account_id}"

    def caller(self) -> Caller:
        """The same person as policies see them: one word each."""
        name = self.account_id.partition(":")[2] or self.account_id
        return Caller(
            key=name if self.kind == "key" else None,
            user=name if self.kind in ("user", "local") else None,
            groups=self.groups,
            anonymous=self.kind == "anonymous",
        )
