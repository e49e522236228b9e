"""T42: lines hold nothing that a terminal obeys or that begins another line, and none can be changed unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from proxy.audit import GENESIS, Chain, verify


def chained(*events: Mapping[str, object]) -> list[bytes]:
    chain = Chain()
    return [chain.line(1_900_000_000.0, "call", event) for event in events]


LINES = chained(*({"n": n} for n in range(6)))


def test_a_line() -> None:
    assert json.loads(LINES[0]) == {
        "seq": 0, "time": "2030-03-17T17:46:40.000+00:00", "prev": GENESIS, "event": "call", "n": 0,
    }  # fmt: skip


def test_a_whole_chain() -> None:
    verdict = verify(LINES)
    assert (verdict.lines, verdict.begins, verdict.fault) == (6, 0, None)
    chain = Chain()
    for n in range(6):
        chain.line(1_900_000_000.0, "call", {"n": n})
    assert verdict.last == chain.prev


def test_nothing_at_all() -> None:
    assert verify([]).fault is None


def test_a_part_that_begins_later() -> None:
    assert (verify(LINES[2:]).begins, verify(LINES[2:]).fault) == (2, None)


def test_t42_what_was_changed_is_found() -> None:
    changed = [*LINES[:2], LINES[2].replace(b'"n":2', b'"n":9'), *LINES[3:]]
    assert verify(changed).fault_line == 4


def test_t42_what_was_removed_or_put_in_is_found() -> None:
    assert verify([*LINES[:2], *LINES[3:]]).fault_line == 3
    assert verify([*LINES[:3], LINES[2], *LINES[3:]]).fault_line == 4
    assert verify([LINES[0], b'{"half', *LINES[1:]]).fault_line == 3
    assert verify([LINES[1], LINES[0]]).fault_line == 2


def test_a_number_that_jumps_is_found() -> None:
    skipping = Chain(Chain().prev, 0)
    first = skipping.line(0, "call", {})
    skipping.seq = 5
    assert "not 1" in (verify([first, skipping.line(0, "call", {})]).fault or "")


def test_a_beginning_that_is_none() -> None:
    assert verify([Chain("ab" * 32, 0).line(0, "call", {})]).fault is not None


def test_half_a_line_in_the_middle_belongs_to_the_chain_when_the_next_names_it() -> None:
    half = LINES[1][:20]
    from hashlib import sha256

    after = Chain(sha256(half).hexdigest(), 1).line(0, "call", {})
    verdict = verify([LINES[0], half, after])
    assert (verdict.fault, verdict.torn) == (None, 1)
    assert verify([LINES[0], half]).fault is not None


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_t42_no_text_leaves_its_line(text: str, more: dict[str, object]) -> None:
    line = Chain().line(0, "call", {"text": text, "more": more})
    assert line.isascii()
    assert all(32 <= byte < 127 for byte in line)
    assert json.loads(line)["more"] == more
