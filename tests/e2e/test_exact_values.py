"""Cases of `tests/data/exact` about values: from the agent's code through `executor serve` to the upstream and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.base import JsonObject
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.integrations.echo import Echo, Reply, echo_thread

EXACT = Path(__file__).parents[1] / "data" / "exact"
# Case, what the upstream answers, code, and what the client gets.
ANSWERS: list[tuple[str, str, str, Any]] = [
    ("openapi.n.gt64", '{"b": [123456789012345678901234567890]}',
     "[String(r.data.b[0]), typeof r.data.b[0]]", ["123456789012345678901234567890", "bigint"]),
    ("openapi.n.returned-gt64", '{"b": [123456789012345678901234567890]}',
     "r.data", {"b": ["123456789012345678901234567890"]}),
    ("openapi.r.lone-surrogate", '{"a": "\\ud83d", "b": 1}', "[r.data.a.charCodeAt(0), r.data.a]", [0xD83D, "\ud83d"]),
    ("graphql.answer-lone-surrogate", '{"data": {"a": 1, "s": "\\ud83d"}}', "r.data.s", "\ud83d"),
    ("graphql.bigint-answer-gt64", '{"data": {"b": 1180591620717411303424}}',
     "[typeof r.data.b, r.data.b]", ["bigint", "1180591620717411303424"]),
]  # fmt: skip
# Case, and the body that arrives.
BODIES = [
    ("openapi.b.bigint-json", b'{"id":9007199254740993,"big":123456789012345678901234567890}'),
    ("openapi.b.uint8array-octets", b"\x00\x01\xff"),
]
CASES = [*(one[0] for one in ANSWERS), *(one[0] for one in BODIES)]
NAMES = {case: f"case{number}" for number, case in enumerate(CASES)}


def read_case(case: str) -> JsonObject:
    found: JsonObject = json.loads((EXACT / f"{case}.json").read_text())
    return found


def integration_of(case: str, folder: Path, url: str) -> JsonObject:
    found = read_case(case)
    common = {"approve_by_default": "all"}
    if found["kind"] == "openapi":
        return {"kind": "openapi", "spec": {"inline": found["document"]}, "base_url": url, **common}
    (folder / f"{NAMES[case]}.graphql").write_text(found["schema"])
    file = {"file": f"{NAMES[case]}.graphql"}
    return {"kind": "graphql", "endpoint": f"{url}/{NAMES[case]}", "introspection": file, **common}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Echo]]:
    folder = tmp_path_factory.mktemp("values")
    with echo_thread() as echo:
        config: JsonObject = {
            "version": 1,
            "integrations": {name: integration_of(case, folder, echo.url) for case, name in NAMES.items()},
            "connections": {f"{name}.org.main": {} for name in NAMES.values()},
        }
        file = configs.write(folder / "executor.yaml", config)
        with serving(file, folder / "state") as proxy:
            yield proxy, echo


def path_of(case: str) -> str:
    found = read_case(case)
    return next(iter(found["document"]["paths"])) if found["kind"] == "openapi" else f"/{NAMES[case]}"


async def called(proxy: Proxy, case: str, arguments: str, expression: str) -> Any:
    """The value of `expression` over `r`, the result of the first tool that the case has."""
    return await proxy.value(
        f"""
        const path = (await tools.catalog.tools({{namespace: "{NAMES[case]}"}})).items[0].path;
        const r = await tools[path]({arguments});
        if (!r.ok) return r.error;
        return {expression};"""
    )


@pytest.mark.parametrize(
    ("case", "answer", "expression", "expected"), ANSWERS, ids=[one[0] for one in ANSWERS]
)
async def test_an_answer_arrives_exactly(
    served: tuple[Proxy, Echo], case: str, answer: str, expression: str, expected: Any
) -> None:
    proxy, echo = served
    reply = Reply(200, [("content-type", "application/json")], answer.encode())
    echo.replies[path_of(case)] = [reply]
    arguments = "{a: 1}" if case == "graphql.bigint-answer-gt64" else "{}"
    assert await called(proxy, case, arguments, expression) == expected


@pytest.mark.parametrize(("case", "body"), BODIES, ids=[one[0] for one in BODIES])
async def test_an_argument_arrives_exactly(served: tuple[Proxy, Echo], case: str, body: bytes) -> None:
    proxy, echo = served
    await called(proxy, case, read_case(case)["arguments"], "true")
    assert echo.log[-1].body == body
