"""Random sequences over three replicas, some of which are killed. The long run is `python -m bench.replicas`."""

from __future__ import annotations

from pathlib import Path

from tests.replicas.fleet import fleet
from tests.replicas.sequences import Sequences


async def test_random_sequences_lose_and_double_nothing(tmp_path: Path) -> None:
    with fleet(tmp_path) as three:
        sequences = Sequences(three, seed=2026)
        await sequences.run(range(20), kills=3)
        assert not sequences.figures.problems
        assert not three.api.doubled()
        assert sequences.figures.counts["sequences"] == 20
