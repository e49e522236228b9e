"""What a caller may do beside calling tools: administer, and approve for others."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.auth.local import APPROVER_ACCOUNT
from proxy.principal import Principal


class RoleGroups:
    """The groups of `auth.roles`.

    Local callers started the server themselves and administer it. Of them only the holder of the approver's
    token approves: agents hold the other one, and a process on stdio speaks for an agent.
    """

    __slots__ = ("_admin", "_approver")

    def __init__(self, admin: Sequence[str] = (), approver: Sequence[str] = ()) -> None:
        self._admin = frozenset(admin)
        self._approver = frozenset(approver)

    def is_admin(self, principal: Principal) -> bool:
        """Whether the operations routes are open to this caller."""
        return principal.kind == "local" or _has(principal, self._admin)

    def is_approver(self, principal: Principal) -> bool:
        """Whether this caller may decide approvals that others asked for."""
        if principal.kind == "local":
            return principal.account_id == APPROVER_ACCOUNT
        return _has(principal, self._approver)


def _has(principal: Principal, groups: frozenset[str]) -> bool:
    return not groups.isdisjoint(principal.groups)
