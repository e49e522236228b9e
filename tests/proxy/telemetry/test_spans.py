"""Without traces nothing happens, and nothing is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.telemetry.spans import NoSpans


def test_nothing_happens() -> None:
    with NoSpans().span("execution", attributes={"a": 1}) as span:
        span.note("b", 2)
        span.fail("failed")
    assert NoSpans().headers() == ()


def test_errors_pass() -> None:
    with pytest.raises(KeyError), NoSpans().span("execution"):
        raise KeyError("x")


def test_opentelemetry_is_not_loaded() -> None:
    code = "import sys, proxy.telemetry, proxy.telemetry.spans; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
