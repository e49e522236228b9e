"""Text that has a limit."""

from __future__ import annotations

from proxy.executions.texts import bounded_logs, cut, log_section


def test_a_cut_says_how_much_there_was_and_where() -> None:
    assert cut("short", 100, None) == "short"
    text = cut("x" * 1000, 200, "res_1")
    assert len(text) == 200
    assert "1,000 characters" in text
    assert 'ref: "res_1"' in text


def test_lines_are_bounded_for_models_and_for_programs() -> None:
    lines = [("log", "y" * 1000)] * 100
    assert log_section([]) == ""
    assert len(log_section(lines)) < 8100
    shown = bounded_logs(lines)
    assert len(shown) < 70
    assert shown[-1]["text"].endswith("more lines")
