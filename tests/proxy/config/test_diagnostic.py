import dataclasses

import pytest

from proxy.config.diagnostic import Diagnostic


def test_a_diagnostic_is_a_value() -> None:
    first = Diagnostic(code="E105", severity="error", message="empty file", file="a.yaml")
    assert first == Diagnostic(code="E105", severity="error", message="empty file", file="a.yaml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.code = "E106"  # type: ignore[misc]
