from __future__ import annotations

from proxy.sandbox import Hardening


def test_hardening_in_one_line() -> None:
    assert Hardening({"seccomp": "on"}).line() == "sandbox: every hardening mechanism is on"
    partial = Hardening({"seccomp": "missing", "user": "on"})
    assert partial.missing == ("seccomp",)
    assert "lacks seccomp" in partial.line()
