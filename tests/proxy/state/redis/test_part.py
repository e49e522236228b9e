"""What a script refuses, as an error."""

from __future__ import annotations

import pytest

from proxy.state import JournalFull, Lease, LeaseLost
from proxy.state.redis.part import refuse


def test_each_refusal_has_its_error() -> None:
    with pytest.raises(LeaseLost, match="e1 is no longer held by a"):
        refuse(b"lease", "e1", Lease("e1", "a", 1, 0.0))
    with pytest.raises(JournalFull, match="e1"):
        refuse(b"full", "e1", None)
