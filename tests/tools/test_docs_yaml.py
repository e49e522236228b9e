"""Every YAML block of the documents is a whole config: it loads without an error or a warning as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config import load_config
from tests.integrations.tls import Authority

ROOT = Path(__file__).parents[2]
TEXTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)
BLOCK = re.compile(r"^```ya?ml\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"(?:file|ca_bundle|cert): ([\w.-]+/[\w./-]+)")
PATTERN = re.compile(r"\[([\w.-]+)/\*\.graphql\]")


def blocks() -> list[tuple[str, str]]:
    found = []
    for file in TEXTS:
        text = file.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            found.append((f"{file.relative_to(ROOT).as_posix()}:{line}", block[1]))
    return found


BLOCKS = blocks()


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 13


@pytest.mark.parametrize(("place", "text"), BLOCKS, ids=[place for place, _ in BLOCKS])
def test_a_block_is_a_whole_config(place: str, text: str, tmp_path: Path) -> None:
    """Files that it names are there, empty or a certificate: they are the reader's own."""
    certificate = Authority(tmp_path).bundle.read_bytes()
    named = [*NAMED.findall(text), *(f"{folder}/some.graphql" for folder in PATTERN.findall(text))]
    for name in named:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(certificate if name.endswith(".pem") else b"")
    file = tmp_path / "executor.yaml"
    file.write_text(text)
    loaded = load_config([file], env=None)
    assert [(one.code, one.line, one.message) for one in loaded.diagnostics] == [], place
    assert loaded.config is not None
