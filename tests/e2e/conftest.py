"""One upstream and one server for each module that asks for them: starting a process costs more than its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.upstream import Upstream, upstream


@pytest.fixture(scope="module")
def api() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def shop(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A server of `configs.base`: reads run, writes ask, `admin.*` is blocked, limits are out of the way."""
    folder = tmp_path_factory.mktemp("shop")
    config = configs.write(folder / "executor.yaml", configs.base(api))
    with serving(config, folder / "state", env=configs.ENV) as proxy:
        yield proxy
