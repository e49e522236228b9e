"""What every kind that reads a document (an API description, a schema) does alike: one size limit, one way to parse.

Nothing here imports the HTTP client: the child processes that compile documents import this module.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SOURCE_BYTES = 64 * 1024 * 1024


@contextmanager
def gc_paused() -> Iterator[None]:
    """Parsing makes a million objects that all stay: a collection in between finds nothing and doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
