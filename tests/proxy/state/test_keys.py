"""Sealing, key rings, rotation, and keys made here (T17)."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import Secret
from proxy.file_modes import OpenToOthers
from proxy.state import StateUnreadable
from proxy.state.keys import KeyRing, Plain, UnusableKey, key_id, minted_key, split_keys
from tests.proxy.state.stores import NEW_KEY, OLD_KEY

RING = KeyRing([OLD_KEY])


@given(st.binary(max_size=500), st.lists(st.text(), min_size=1, max_size=4))
def test_what_was_sealed_opens_under_the_same_names(value: bytes, names: list[str]) -> None:
    sealed = RING.seal(value, *names)
    assert RING.open(sealed, *names) == value
    assert len(value) < 8 or value not in sealed


def test_no_two_sealed_values_are_equal() -> None:
    assert RING.seal(b"value", "kind") != RING.seal(b"value", "kind")


@pytest.mark.parametrize(
    "names",
    [
        ("journal", "e2", "w"),
        ("result", "e1", "w"),
        ("journal", "e1", "v"),
        ("journal", "e1w", ""),
        ("journale", "1", "w"),
    ],
)
def test_a_value_moved_to_another_place_does_not_open(names: tuple[str, ...]) -> None:
    sealed = RING.seal(b"value", "journal", "e1", "w")
    with pytest.raises(StateUnreadable, match="changed or moved"):
        RING.open(sealed, *names)


@pytest.mark.parametrize("position", [5, 16, 17, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    sealed = bytearray(RING.seal(b"value", "journal"))
    sealed[position] ^= 1
    with pytest.raises(StateUnreadable):
        RING.open(bytes(sealed), "journal")


@pytest.mark.parametrize(
    "sealed", [b"", b"\x01", b"\x02" + bytes(40), b"plain text that is long enough to be sealed"]
)
def test_what_was_never_sealed_is_unreadable(sealed: bytes) -> None:
    with pytest.raises(StateUnreadable, match="format"):
        RING.open(sealed, "journal")


def test_after_rotation_old_values_open_and_new_ones_use_the_new_key() -> None:
    old = RING.seal(b"old", "journal")
    both = KeyRing([NEW_KEY, OLD_KEY])
    assert both.open(old, "journal") == b"old"
    new = both.seal(b"new", "journal")
    assert key_id(new) == KeyRing([NEW_KEY]).first_id != key_id(old)
    assert KeyRing([NEW_KEY]).open(new, "journal") == b"new"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(StateUnreadable, match=RING.first_id.hex()):
        KeyRing([NEW_KEY]).open(RING.seal(b"old", "journal"), "journal")


def test_a_ring_needs_a_key_that_is_long_enough() -> None:
    with pytest.raises(ValueError, match="is needed"):
        KeyRing([])
    with pytest.raises(ValueError, match="16 characters"):
        KeyRing([OLD_KEY, Secret("short")])


def test_a_secret_holds_one_key_a_line() -> None:
    assert split_keys(Secret("first\n\n  second \r\n")) == (Secret("first"), Secret("second"))
    assert split_keys(Secret("only")) == (Secret("only"),)


def test_no_encryption_changes_nothing() -> None:
    assert Plain().open(Plain().seal(b"value", "kind"), "kind") == b"value"


def test_a_minted_key_stays_the_same_and_is_ours_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: minted_key(path), range(16)))
    assert len(keys) == 1
    assert len(keys.pop().reveal()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("mode", "accepted"), [(0o640, True), (0o660, True), (0o644, False), (0o602, False)])
def test_a_minted_key_follows_the_rule_on_file_modes(tmp_path: Path, mode: int, accepted: bool) -> None:
    path = tmp_path / "state.key"
    key = minted_key(path)
    path.chmod(mode)
    if accepted:
        assert minted_key(path) == key
    else:
        with pytest.raises(OpenToOthers, match="chmod 600"):
            minted_key(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"short", "holds a key of 5 characters, and at least 16 are needed"),
        (b"\xff" * 40, "is not UTF-8"),
        (None, "is a directory, and only regular files are read"),
    ],
)
def test_a_file_that_holds_no_key_is_named_with_the_remedy(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "state.key"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
        path.chmod(0o600)
    said = f"{path}, the key of the store, {why}; put back the one that the store was made with"
    with pytest.raises(UnusableKey, match=re.escape(said)):
        minted_key(path)
