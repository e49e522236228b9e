"""Finding lines again."""

from __future__ import annotations

import pytest

from proxy.audit import AuditFilter, Chain, find
from proxy.audit.reading import moment

_chain = Chain()
WHO = {"workspace": "ws", "account": "bot"}
LINES = [
    _chain.line(100.0, "execution", {"who": WHO, "executionId": "exec_1", "status": "completed"}),
    _chain.line(200.0, "call", {"who": WHO, "executionId": "exec_1", "address": "a.org.main.get"}),
    b"not a line",
    _chain.line(
        300.0, "call", {"who": WHO, "executionId": "exec_2", "path": "b.none", "code": "tool_not_found"}
    ),
    _chain.line(400.0, "auth_failure", {"status": 401, "workspace": "ws"}),
]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (AuditFilter(), [1, 2, 4, 5]),
        (AuditFilter(event="call"), [2, 4]),
        (AuditFilter(account="bot"), [1, 2, 4]),
        (AuditFilter(workspace="ws"), [1, 2, 4, 5]),
        (AuditFilter(execution="exec_1"), [1, 2]),
        (AuditFilter(tool="a.*"), [2]),
        (AuditFilter(tool="b.none"), [4]),
        (AuditFilter(code="tool_not_found"), [4]),
        (AuditFilter(since=200.0, until=400.0), [2, 4]),
        (AuditFilter(account="nobody"), []),
    ],
)
def test_filters(wanted: AuditFilter, numbers: list[int]) -> None:
    assert [line.number for line in find(LINES, wanted)] == numbers


def test_a_line_without_a_time_is_at_no_time() -> None:
    assert list(find([b'{"seq":1,"time":"?"}'], AuditFilter(since=0.0))) == []


def test_moments() -> None:
    assert moment("1970-01-02") == 86_400
    assert moment("1970-01-01T01:00:00+01:00") == 0
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")
