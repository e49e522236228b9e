from __future__ import annotations

import pytest

from proxy.serving.drain import Drain
from proxy.serving.errors import Refusal


def test_nothing_is_refused_before_it_begins() -> None:
    drain = Drain()
    drain.refuse_new_work()
    assert not drain.active


def test_beginning_refuses_new_work_and_ends_streams_once() -> None:
    drain, ended = Drain(), []
    drain.on_begin(lambda: ended.append(1))
    drain.begin()
    drain.begin()
    assert ended == [1]
    with pytest.raises(Refusal) as caught:
        drain.refuse_new_work()
    assert caught.value.fault.status == 503
    assert caught.value.headers == {"retry-after": "5"}
