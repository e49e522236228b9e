"""What fuzzing has found stays found, and every target refuses damaged input in its own words."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tools import fuzz as fuzzing
from tools.fuzz import CORPUS, changed, corpus_of, examine, fuzz, main, smaller
from tools.fuzz_targets import FUZZ_TARGETS, FuzzTarget

CASES = [(target, file) for target in FUZZ_TARGETS for file in sorted((CORPUS / target.name).glob("*"))]


@pytest.mark.parametrize(("target", "file"), CASES, ids=[f"{t.name}/{f.name}" for t, f in CASES])
def test_what_was_found_before_is_read_or_refused(target: FuzzTarget, file: Path) -> None:
    assert examine(_patient(target), file.read_bytes())[1] is None


@pytest.mark.parametrize("target", FUZZ_TARGETS, ids=lambda target: target.name)
def test_each_target_refuses_cleanly(target: FuzzTarget) -> None:
    dice, known = random.Random(target.name), [*target.seeds, *corpus_of(target)]
    for data in [b"", *target.seeds, *(changed(dice, known) for _ in range(40))]:
        assert examine(_patient(target), data)[1] is None


def _patient(target: FuzzTarget) -> FuzzTarget:
    """Machines that run tests are busy: only a hang is too long."""
    return replace(target, max_ms=60_000)


def broken(data: bytes) -> None:
    if b"!" in data:
        raise KeyError("defect")
    if b"?" in data:
        raise ValueError("refused")


def target(**changes: object) -> FuzzTarget:
    return replace(FuzzTarget("broken", broken, (ValueError,), (b"seed",)), **changes)  # type: ignore[arg-type]


def test_a_defect_is_found_and_made_smaller() -> None:
    refused, found = examine(target(), b"a long text with ! in it")
    assert found is not None
    assert (refused, found.kind) == (False, "KeyError")
    assert smaller(target(), found).data == b"!"
    assert examine(target(), b"?") == (True, None)


def test_a_hang_is_found() -> None:
    def hang(data: bytes) -> None:
        while True:
            pass

    found = examine(target(run=hang, max_ms=20), b"")[1]
    assert found is not None
    assert found.kind == "Hang"


def test_a_run_says_what_it_did_and_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzzing, "CORPUS", tmp_path)
    tally = fuzz([target(seeds=(b"!",))], random.Random(1), cases=100)
    assert tally.cases["broken"] == 100
    (found,) = tally.findings.values()
    assert fuzzing.keep(found).read_bytes() == found.data
    assert main(["--cases", "100", "--seed", "1", "--only", "packed", "--"][:-1]) == 0
    assert "100 cases in" in capsys.readouterr().out
