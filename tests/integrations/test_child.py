from __future__ import annotations

import orjson
import pytest

from integrations.base import SourceError
from integrations.child import run_child

PROBE = "tests.integrations.child_probe"


async def test_the_answer_of_a_child_that_knows_nothing_of_our_environment() -> None:
    said = orjson.loads(await run_child(PROBE, {"do": "tell"}, b"line\nline", "s"))
    assert said["content"] == "line\nline"
    assert said["environment"].keys() <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PATH", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("refuse", "^s: not like this$"),
        ("recurse", "^s: nested too deeply$"),
        ("hoard", "^s: needs more than 3072 MiB"),
    ],
)
async def test_refusals_are_told_as_they_are(do: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        await run_child(PROBE, {"do": do}, b"", "s")


async def test_a_child_that_breaks_names_its_source() -> None:
    with pytest.raises(SourceError, match=r"^s: the compiler ended with 1: .*No module named"):
        await run_child("integrations.nope", {}, b"", "s")
    with pytest.raises(SourceError, match=r"^s: the compiler ended with 1: KeyError: 'do'"):
        await run_child(PROBE, {}, b"", "s")
