from __future__ import annotations

import gc

from integrations.sources import gc_paused


def test_collection_is_paused_and_restored() -> None:
    with gc_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
