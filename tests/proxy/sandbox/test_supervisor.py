from __future__ import annotations

import pytest

from proxy.sandbox.supervisor import Supervisor, ZygoteFailed, prelude, zygote_options


async def transform(code: str, account: str) -> bytes:
    return b""


async def test_a_zygote_that_cannot_start_says_so() -> None:
    options = zygote_options(memory_bytes=1 << 27, cpu_seconds=1.0, max_message_bytes=1000, runs=1)
    supervisor = Supervisor(options | {"extension": "/nowhere.so"}, transform, lambda worker: None)
    with pytest.raises(ZygoteFailed, match="did not start"):
        await supervisor.start()
    assert supervisor.ended.is_set()
    supervisor.close()


def test_the_prelude_is_whole_and_in_order() -> None:
    text = prelude()
    assert (
        text.index("virtual time")
        < text.index("URLSearchParams")
        < text.index("makeTool")
        < text.index("return step;")
    )
