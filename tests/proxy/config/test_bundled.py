"""The shelves of shipped files: names are file names, content is read as configs are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config.bundled import PACKS, PRESETS, BundledFiles

PAGE = Path(__file__).parents[3] / "docs" / "presets.md"


@pytest.mark.parametrize("shelf", [PRESETS, PACKS])
def test_every_file_can_be_read_and_says_what_it_is(shelf: BundledFiles) -> None:
    assert len(shelf.names()) > 5
    for name in shelf.names():
        assert shelf.read(name)["description"], name


def test_names_are_in_order_and_have_no_ending() -> None:
    assert list(PRESETS.names()) == sorted(PRESETS.names())
    assert "github" in PRESETS.names()
    assert "read-only" in PACKS.names()


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        PRESETS.read("nothing")


@pytest.mark.parametrize("shelf", [PRESETS, PACKS])
def test_the_page_describes_every_file(shelf: BundledFiles) -> None:
    page = PAGE.read_text()
    described = re.findall(r"^\| `([\w-]+)` \| (.+?) \|", page, re.MULTILINE)
    assert [(name, shelf.read(name)["description"]) for name in shelf.names()] == [
        one for one in described if one[0] in shelf.names()
    ]
