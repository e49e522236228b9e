import dataclasses

import pytest

from proxy.config.diagnostic import Diagnostic


def test_a_diagnostic_is_a_value() -> None:
    first = Diagnostic(code="E105", severity="error", message="empty file", file="a.yaml")
    assert first == Diagnostic(code="E105", severity="error", message="empty file", file="a.yaml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.code = "E106"  # type: ignore[misc]


def test_it_never_ends_before_it_begins() -> None:
    only_begun = Diagnostic("E702", "error", "no lock", file="a.yaml", line=3, column=5)
    assert (only_begun.end_line, only_begun.end_column) == (3, 5)
    whole = Diagnostic("E101", "error", "m", file="a.yaml", line=3, column=5, end_line=4, end_column=2)
    assert (whole.end_line, whole.end_column) == (4, 2)
