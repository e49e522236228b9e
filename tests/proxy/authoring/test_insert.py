"""New entries in a file: every byte that was there stays, and the file says what it said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authoring.insert import CannotInsert, Sections, insert
from proxy.authoring.yaml_text import entry_lines, inline, scalar
from proxy.config.parse import parse
from proxy.config.source import read_text

NEW: Sections = {
    "integrations": {"new": {"kind": "mcp", "type": "local", "command": ["x", "-y"]}},
    "connections": {"new.org.main": {}},
}
ADDED = [
    "  new:", "    kind: mcp", "    type: local", "    command: [x, -y]", "  new.org.main: {}",
    "integrations:", "connections:",
]  # fmt: skip

FILES = {
    "nothing": "version: 1\n",
    "no line end": "version: 1",
    "comments around": "# top\nversion: 1 # v\n\n# above\nintegrations: # i\n  # first\n  a: {kind: mcp} # a\n"
    "  # last\n\n"
    "# below\nconnections:\n  a.org.main: {} # c\n# end\n",
    "no line end in the section": "version: 1\nconnections: {}\nintegrations:\n  a: {kind: mcp}",
    "deeper indent": "version: 1\nintegrations:\n      a:\n          kind: mcp\n",
    "a text in block style": "version: 1\nintegrations:\n  a:\n    description: |\n      # no comment\n\n      text\n"
    "\n\nx-a: 1\n",
    "a list at the end": "version: 1\nintegrations:\n  a:\n    include:\n      - b\n      - c # c\n"
    "    # after\nx-a: 1\n",
    "a list in several lines": "version: 1\nintegrations:\n  a:\n    include: [\n      b,\n    ]\nx-a: 1\n",
    "a quoted text in several lines": 'version: 1\nintegrations:\n  a: {description: "x\n   y"}\nx-a: 1\n',
    "an empty value at the end": "version: 1\nintegrations:\n  a:\nx-a: 1\n",
    "carriage returns": "version: 1\r\nintegrations:\r\n  a: {kind: mcp} # c\r\n",
    "anchors": "version: 1\nintegrations:\n  a: &a {kind: mcp}\n  b: *a\n",
}


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_every_line_stays(text: str) -> None:
    after = lines_of(insert(text, NEW))
    left = iter(after)
    assert all(line in left for line in lines_of(text) if line != "connections: {}"), after
    new = [line.strip() for line in ADDED]
    assert [line for line in after if line.strip() in new and line not in lines_of(text)]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("version: 1\nintegrations: {} # none\nx-a: 1\n", "version: 1\nintegrations: # none\n  m: {a: 1}\nx-a: 1\n"),
        ("version: 1\nintegrations: {a: {b: 1}} # c\n", "version: 1\nintegrations: {a: {b: 1}, m: {a: 1}} # c\n"),
        ("version: 1\nintegrations: {\n  a: {b: 1}, # c\n}\n", None),
        ("integrations:\n  a: {b: 1}\n\n# b\n\n", "integrations:\n  a: {b: 1}\n  m: {a: 1}\n\n# b\n\n"),
        ("integrations:\n# why a\n    a: {b: 1}\n", "integrations:\n# why a\n    a: {b: 1}\n    m: {a: 1}\n"),
    ],
)  # fmt: skip
def test_where_they_stand(text: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(CannotInsert):
            insert(text, {"integrations": {"m": {"a": 1}}})
        return
    assert insert(text, {"integrations": {"m": {"a": 1}}}) == after


@pytest.mark.parametrize(
    "text", ["integrations: [1]\n", "x: &a {b: {}}\nintegrations: *a\n", "a: [", "{version: 1}\n"]
)
def test_what_cannot_be_extended_is_refused(text: str) -> None:
    with pytest.raises(CannotInsert):
        insert(text, {"integrations": {"m": {"a": 1}}})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(
    ["yes", "no", "on", "null", "~", "1e3", "0o10", "1.10", "-", "- a", "---", "a: b", "a #b", "{", "'", '"']
)


@given(st.dictionaries(TEXTS | WORDS, VALUES | WORDS, min_size=1, max_size=3))
def test_every_value_is_read_back(entry: dict[str, object]) -> None:
    text = "\n".join(entry_lines("x", entry, 2))
    parsed = parse(read_text("", f"a:\n{text}\n".encode())[0])
    assert not parsed.flaws, text
    assert parsed.data == {"a": {"x": entry}}


def test_plain_words_are_not_quoted() -> None:
    assert [scalar(one) for one in ("npx", "-y", "/data", "a.b", "two words")] == [
        "npx",
        "-y",
        "/data",
        "a.b",
        "two words",
    ]
    assert (
        inline({"a": ["yes", "1", True, 1, "x: y", 'say "x"']})
        == '{a: ["yes", "1", true, 1, "x: y", \'say "x"\']}'
    )
