import pytest

from proxy.catalog.branch import Branch
from tests.proxy.catalog.samples import Tools, connection, tool

BRANCH = Branch(connection("acme.org.prod", Tools((tool("a.b"), tool("c"))), "Acme billing API"))


def test_tools_have_full_addresses() -> None:
    assert [each.address for each in BRANCH.tools] == ["acme.org.prod.a.b", "acme.org.prod.c"]
    assert BRANCH.find("a.b") is BRANCH.tools[0]
    assert BRANCH.find("a") is None


def test_words_that_name_the_connection_leave_out_common_ones() -> None:
    assert BRANCH.words == {"acme", "prod", "bill"}


@pytest.mark.parametrize(
    ("namespace", "start"),
    [
        ("", ""),
        ("acme", ""),
        ("acme.org", ""),
        ("acme.org.prod", ""),
        ("acme.org.prod.a", "a."),
        ("acm", None),
        ("acme.org.pro", None),
        ("other.org.prod", None),
    ],
)
def test_namespaces_end_at_dots(namespace: str, start: str | None) -> None:
    assert BRANCH.under(namespace) == start


def test_a_connection_without_tools_has_none() -> None:
    branch = Branch(connection("acme.org.prod", None, status="failed"))
    assert branch.tools == ()
    assert branch.find("a") is None
