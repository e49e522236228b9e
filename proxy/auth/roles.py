"""What a caller may do beside calling tools: administer, and approve for others."""

from __future__ import annotations

from collections.abc import Sequence

from policies import Principals
from proxy.auth.local import APPROVER_ACCOUNT
from proxy.principal import Principal


class RoleGroups:
    """Who `auth.roles` names, in the words of rules: `group:ops`, `key:ci_bot`, `user:ann`.

    Local callers started the server themselves and administer it. Of them only the holder of the approver's
    token approves: agents hold the other one, and a process on stdio speaks for an agent.
    """

    __slots__ = ("_admin", "_approver")

    def __init__(self, admin: Sequence[str] = (), approver: Sequence[str] = ()) -> None:
        """Raises `PrincipalError`."""
        self._admin = Principals(admin)
        self._approver = Principals(approver)

    def is_admin(self, principal: Principal) -> bool:
        """Whether the operations routes are open to this caller."""
        return principal.kind == "local" or self._admin.admit(principal.caller())

    def is_approver(self, principal: Principal) -> bool:
        """Whether this caller may decide approvals that others asked for."""
        if principal.kind == "local":
            return principal.account_id == APPROVER_ACCOUNT
        return self._approver.admit(principal.caller())
