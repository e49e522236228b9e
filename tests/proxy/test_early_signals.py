"""Signals before there is anybody who handles them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# Whoever runs the tests may ignore them, as a shell does for what it puts into the background.
LISTENING = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
SAYS = """
import os, signal, sys
from proxy.early_signals import early_signals
with early_signals(sys.argv[2:]):
    os.kill(os.getpid(), int(sys.argv[1]))
print("came through", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (signal.SIGINT, ["serve"], -signal.SIGINT),
        (signal.SIGINT, ["validate"], -signal.SIGINT),
        (signal.SIGHUP, ["serve"], 0),
        (signal.SIGHUP, ["validate"], -signal.SIGHUP),
    ],
)
def test_a_signal_while_modules_are_imported(number: signal.Signals, words: list[str], code: int) -> None:
    """A reload is not wanted of what is no server: there the signal says that the terminal is gone."""
    done = subprocess.run(
        [sys.executable, "-c", LISTENING + SAYS, str(int(number)), *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == ("came through True\n" if code == 0 else "")


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    done = subprocess.run(
        [sys.executable, "-c", ignoring + SAYS, str(int(signal.SIGINT)), "serve"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "came through False\n")
