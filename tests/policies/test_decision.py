import pytest

from policies import Action, Approver, Decision, stricter


def decision(action: Action, approver: Approver = "model") -> Decision:
    return Decision(action, "r", "", approver=approver)


ASCENDING = [
    decision("approve"),
    decision("require_approval"),
    decision("require_approval", "human"),
    decision("block"),
]


@pytest.mark.parametrize("low", range(4))
@pytest.mark.parametrize("high", range(4))
def test_the_stricter_one_wins_in_any_order(low: int, high: int) -> None:
    assert stricter(ASCENDING[low], ASCENDING[high]) is ASCENDING[max(low, high)]


def test_of_equals_the_first_wins() -> None:
    first, second = decision("block"), decision("block", "human")
    assert stricter(first, second) is first
    assert stricter(second, first) is second
