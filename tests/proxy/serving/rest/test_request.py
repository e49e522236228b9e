from __future__ import annotations

import pytest

from proxy.serving.rest.request import ApiProblem, ApiRequest
from tests.proxy.serving.board import ALICE


def asked(**query: str) -> ApiRequest:
    return ApiRequest(ALICE, query)


def test_a_parameter_nobody_knows_is_refused() -> None:
    asked(workspaceId="ws", limit="1").check_query("limit")
    with pytest.raises(
        ApiProblem, match="Unknown query parameter `limt`; there are: limit, workspaceId"
    ) as caught:
        asked(limt="1").check_query("limit")
    assert (caught.value.fault.status, caught.value.kind) == (422, "invalid_argument")


@pytest.mark.parametrize("text", ["0", "201", "-1", "1.5", "", "ten", "٣", "9" * 5000])
def test_numbers_have_limits(text: str) -> None:
    assert asked().integer("limit", 50, 1, 200) == 50
    assert asked(limit="200").integer("limit", 50, 1, 200) == 200
    with pytest.raises(ApiProblem, match="`limit` must be a whole number from 1 to 200"):
        asked(limit=text).integer("limit", 50, 1, 200)


def test_flags_and_choices() -> None:
    assert (asked().boolean("x"), asked(x="true").boolean("x"), asked(x="false").boolean("x")) == (
        False,
        True,
        False,
    )
    assert asked().one_of("x", ("a",)) is None
    assert asked(x="a").one_of("x", ("a",)) == "a"
    with pytest.raises(ApiProblem, match="true or false"):
        asked(x="1").boolean("x")
    with pytest.raises(ApiProblem, match="one of a, b"):
        asked(x="c").one_of("x", ("a", "b"))
