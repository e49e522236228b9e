"""What all kinds share that read a source document (an API description, a schema): its size limit, and fast parsing.

Nothing here imports the HTTP client: the child processes that compile documents import this module.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SOURCE_BYTES = 64 * 1024 * 1024


@contextmanager
def gc_paused() -> Iterator[None]:
    """Parsing makes a million objects that all stay: garbage collections meanwhile find nothing and double the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
