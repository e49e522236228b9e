from __future__ import annotations

from proxy.sandbox import HardeningReport


def test_hardening_in_one_line() -> None:
    assert HardeningReport({"seccomp": "on"}).line() == "sandbox: every hardening mechanism is on"
    partial = HardeningReport({"seccomp": "missing", "user": "on"})
    assert partial.missing == ("seccomp",)
    assert "lacks seccomp" in partial.line()
