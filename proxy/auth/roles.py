"""What a caller may do beside calling tools: administer, and approve for others."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.principal import Principal


class Roles:
    """The groups of `auth.roles`. The local principal started the server itself, and has all roles."""

    __slots__ = ("_admin", "_approver")

    def __init__(self, admin: Sequence[str] = (), approver: Sequence[str] = ()) -> None:
        self._admin = frozenset(admin)
        self._approver = frozenset(approver)

    def is_admin(self, principal: Principal) -> bool:
        """Whether the operations routes are open to this caller."""
        return _has(principal, self._admin)

    def is_approver(self, principal: Principal) -> bool:
        """Whether this caller may decide approvals that others asked for."""
        return _has(principal, self._approver)


def _has(principal: Principal, groups: frozenset[str]) -> bool:
    return principal.kind == "local" or not groups.isdisjoint(principal.groups)
