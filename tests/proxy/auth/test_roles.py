import pytest

from proxy.auth import RoleGroups
from proxy.principal import Principal

ROLES = RoleGroups(admin=("group:ops", "key:root"), approver=("group:leads", "group:ops", "user:ann"))


@pytest.mark.parametrize(
    ("principal", "admin", "approver"),
    [
        (Principal("ws", "local", "local"), True, False),
        (Principal("ws", "local", "local", frozenset({"leads"})), True, False),
        (Principal("ws", "local-approver", "local"), True, True),
        (Principal("ws", "key:local-approver", "key"), False, False),
        (Principal("ws", "key:a", "key", frozenset({"ops"})), True, True),
        (Principal("ws", "user:a", "user", frozenset({"leads"})), False, True),
        (Principal("ws", "user:ops", "user", frozenset({"ci"})), False, False),
        (Principal("ws", "key:root", "key"), True, False),
        (Principal("ws", "user:root", "user"), False, False),
        (Principal("ws", "user:ann", "user"), False, True),
        (Principal("ws", "key:ann", "key"), False, False),
        (Principal("ws", "anonymous", "anonymous"), False, False),
    ],
)
def test_roles_come_from_who_is_named(principal: Principal, admin: bool, approver: bool) -> None:
    assert (ROLES.is_admin(principal), ROLES.is_approver(principal)) == (admin, approver)


def test_without_roles_nobody_but_local_callers_has_any() -> None:
    assert not RoleGroups().is_admin(Principal("ws", "key:a", "key", frozenset({"admin"})))
    assert RoleGroups().is_admin(Principal("ws", "local", "local"))
    assert RoleGroups().is_approver(Principal("ws", "local-approver", "local"))
    assert not RoleGroups().is_approver(Principal("ws", "key:a", "key", frozenset({"approver"})))
