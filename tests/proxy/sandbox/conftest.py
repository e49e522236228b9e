"""JavaScript runs inside the test's own process here, without pool and hardening: the fastest way to ask the
engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from proxy.sandbox.engine import JsContext, Native, extension_path
from proxy.sandbox.supervisor import prelude
from proxy.sandbox.worker import following_events, located, start_events

LIMITS = {
    "calls": 100,
    "parallel": 8,
    "logBytes": 2000,
    "emitBytes": 2000,
    "argumentBytes": 2000,
    "resultBytes": 20000,
}
SEED = "0123456789abcdef" * 4
World = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def native() -> Native:
    spec = find_spec("dukpy")
    assert spec is not None
    assert spec.submodule_search_locations
    return Native(extension_path(spec.submodule_search_locations[0]))


@pytest.fixture(scope="session")
def new_context(native: Native) -> Callable[[], JsContext]:
    script = prelude()
    return lambda: JsContext(native, script)


@pytest.fixture(scope="session")
def world(new_context: Callable[[], JsContext]) -> World:
    """world(code, *batches of events, seed=, now=, limits=) -> the answers, decoded."""

    def run(
        code: str, *batches: list[dict[str, Any]], seed: str = SEED, now: float = 1000.0, limits: Any = None
    ) -> list[dict[str, Any]]:
        context = new_context()
        start = {"code": code, "seed": seed, "now": now, "limits": LIMITS | (limits or {})}
        answers = [json.loads(context.feed(start_events(start)))]
        for batch in batches:
            frame = json.dumps({"t": "deliver", "events": batch}, separators=(",", ":"))
            answers.append(json.loads(context.feed(following_events(frame.encode()))))
        if "near" in answers[-1].get("error", {}):
            answers[-1] = json.loads(located(json.dumps(answers[-1]).encode(), code, code))
        return answers

    return run


@pytest.fixture(scope="session")
def value(world: World) -> Callable[..., Any]:
    """The value of code that needs no delivery, or its error as "Name: message"."""

    def run(code: str, **options: Any) -> Any:
        done = world(code, **options)[-1]
        assert done["t"] == "done", done
        if done["ok"]:
            return done.get("value")
        return f"{done['error']['name']}: {done['error']['message']}"

    return run
