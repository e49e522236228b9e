"""A principal seen as policies see it: one word for one kind of caller."""

from __future__ import annotations

import pytest

from policies import Caller
from proxy.principal import Principal

CI = frozenset({"ci"})


@pytest.mark.parametrize(
    ("principal", "caller"),
    [
        (Principal("ws", "key:ci_bot", "key", CI), Caller(key="ci_bot", groups=CI)),
        (Principal("ws", "user:ann", "user"), Caller(user="ann")),
        (Principal("ws", "local", "local"), Caller(user="local")),
        (Principal("ws", "anonymous", "anonymous"), Caller(anonymous=True)),
    ],
)
def test_a_caller_is_one_kind_only(principal: Principal, caller: Caller) -> None:
    assert principal.caller() == caller
