"""Large results: the preview is valid JSON of the value's own shape, and the whole can be read back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.executions.results import TooDeep, preview, shape
from proxy.state import MemoryCaps, MemoryState, Owner

OWNER = Owner("ws", "key:alice")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=60,
)


async def test_a_small_result_goes_out_as_it_is() -> None:
    shaped = await shape({"a": 1}, MemoryState(), OWNER, max_bytes=100, ttl_seconds=1)
    assert (shaped.value, shaped.text, shaped.ref) == ({"a": 1}, '{"a":1}', None)


async def test_a_string_is_its_own_text() -> None:
    assert (await shape('say "hi"', MemoryState(), OWNER, max_bytes=100, ttl_seconds=1)).text == 'say "hi"'


async def test_a_large_result_is_a_preview_with_a_reference() -> None:
    state = MemoryState()
    rows = [{"id": n, "name": "n" * 30} for n in range(1000)]
    shaped = await shape(rows, state, OWNER, max_bytes=1000, ttl_seconds=60)
    assert shaped.value["$truncated"] is True
    assert shaped.value["bytes"] == len(orjson.dumps(rows))
    assert shaped.value["preview"][:3] == rows[:3]
    assert len(orjson.dumps(shaped.value)) <= 1000
    assert await state.get_result(OWNER, shaped.value["resultRef"]) == orjson.dumps(rows)


async def test_a_result_that_the_store_does_not_take_has_no_reference() -> None:
    state = MemoryState(MemoryCaps(owner_result_bytes=10))
    shaped = await shape("x" * 5000, state, OWNER, max_bytes=1000, ttl_seconds=60)
    assert "resultRef" not in shaped.value
    assert shaped.ref is None


async def test_an_overdeep_value_is_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(TooDeep):
        await shape(deep, MemoryState(), OWNER, max_bytes=1000, ttl_seconds=60)


@given(JSON, st.integers(16, 400))
def test_a_preview_is_valid_and_near_its_budget(value: Any, budget: int) -> None:
    shown = orjson.dumps(preview(value, budget))
    assert len(shown) <= 2 * budget + 600
    assert type(orjson.loads(shown)) is type(orjson.loads(orjson.dumps(value)))
