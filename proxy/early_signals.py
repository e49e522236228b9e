"""Signals that arrive while the first modules are imported: a tenth of a second, and longer under load."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def early_signals(words: Sequence[str]) -> Iterator[None]:
    """Ctrl-C ends the process as it ends any program, without a traceback. A reload is what a server that is being
    started is about to do: it ignores being asked for one. The interpreter's own start comes before this.
    """
    if words[:1] == ["serve"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is not signal.default_int_handler:
        # Ignored, as for what a shell puts into the background.
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
