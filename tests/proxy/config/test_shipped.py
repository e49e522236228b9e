"""The shelves of shipped files: names are file names, content is read as configs are."""

from __future__ import annotations

import pytest

from proxy.config.shipped import PACKS, PRESETS, Shelf


@pytest.mark.parametrize("shelf", [PRESETS, PACKS])
def test_every_file_can_be_read_and_says_what_it_is(shelf: Shelf) -> None:
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
