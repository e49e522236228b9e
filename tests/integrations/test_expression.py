from __future__ import annotations

import pytest

from integrations.expression import searches, translate


@pytest.mark.parametrize(("pattern", "text", "found"), [
    ("^a", "ab", True),
    ("^a", "ba", False),
    ("b", "abc", True),  # JSON Schema patterns are not anchored
    (r"^\d+$", "12", True),
    (r"^\d+$", "१२", False),  # ECMA-262 digits are ASCII
    (r"^[\d.]+$", "1.2", True),
    (r"^\w+$", "é", False),
    (r"^\W$", "é", True),
    (r"^\D$", "१", True),
    (r"^[^\w]$", "-", True),
    (r"^a$", "a\n", False),  # `$` is the end and nothing else
    (r"^\p{L}+$", "éa", True),
    (r"^\/x\.y\-z$", "/x.y-z", True),
    (r"^[[a]$", "[", True),
    (r"^[a\]]$", "]", True),
    (r"^A$", "A", True),
    (r"^(?<year>\d{4})$", "2024", True),
])  # fmt: skip
def test_ecma_262_meaning(pattern: str, text: str, found: bool) -> None:
    assert searches(pattern, text) is found


@pytest.mark.parametrize("pattern", [
    r"(?=a)b", r"(?!a)b", r"(?<=a)b", r"(a)\1", "[[", "(", "a{,5}b{", "[a&&b]", "[!--]", "[a~~b]", "[^]", "[]",
    "a" * 5000, "(((a{999}){999}){999})", "\ud800",
])  # fmt: skip
def test_what_the_engine_cannot_say(pattern: str) -> None:
    assert searches(pattern, "b") is None


@pytest.mark.parametrize("text", ["\ud800", "a" * (1 << 20) + "a"], ids=["surrogate", "long"])
def test_texts_that_are_not_judged(text: str) -> None:
    assert searches("^b", text) is None


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){20}", "^([a-zA-Z]+)*!$"])
def test_t28_patterns_that_explode_elsewhere(pattern: str) -> None:
    assert searches(pattern, "a" * 50_000 + "?") is not None


def test_translation_leaves_the_ordinary_alone() -> None:
    assert translate(r"^[a-z0-9_.-]{1,64}$") == r"^[a-z0-9_.-]{1,64}$"
    assert translate("a\\") == "a\\"
