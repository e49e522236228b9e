"""Records in one blob, and blobs that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.packing import pack, unpack


@given(st.lists(st.binary(max_size=300)))
def test_what_was_packed_comes_out_again(records: list[bytes]) -> None:
    assert list(unpack(pack(records))) == records


@pytest.mark.parametrize(
    "blob", [b"\0", b"\0\0\0\1", b"\0\0\0\2a", pack([b"ab"])[:-1], pack([b"ab"]) + b"\0"]
)
def test_a_torn_blob_is_an_error(blob: bytes) -> None:
    with pytest.raises(ValueError, match="a chunk ends"):
        list(unpack(blob))
