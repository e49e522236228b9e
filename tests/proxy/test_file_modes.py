"""Who counts as another user, and what is said about a file that one can open."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.file_modes import OpenToOthers, open_to_others, refuse_open_to_others, replaceable_by_others


@pytest.mark.parametrize(
    ("mode", "group", "others"),
    [
        (0o600, 7, False),
        (0o640, 2000, False),
        (0o660, 2000, False),
        (0o640, 7, True),
        (0o660, 7, True),
        (0o604, 2000, True),
    ],
)
def test_the_groups_of_this_process_are_not_others(mode: int, group: int, others: bool) -> None:
    assert open_to_others(mode, group, (0, 2000)) is others


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_a_file_of_ours_may_be_open_to_our_group(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.touch()
    file.chmod(mode)
    refuse_open_to_others(file, file.stat(), "chmod 600 it")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_what_others_can_open_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.touch()
    file.chmod(mode)
    with pytest.raises(OpenToOthers) as caught:
        refuse_open_to_others(file, file.stat(), "chmod 600 it")
    assert caught.value.strerror == f"{file} is open to other users (mode {mode:04o}): chmod 600 it"


@pytest.mark.parametrize(("mode", "said"), [(0o700, False), (0o755, False), (0o775, False), (0o1777, False),
                                            (0o777, True), (0o757, True)])  # fmt: skip
def test_a_directory_in_which_others_can_replace_files_is_said(tmp_path: Path, mode: int, said: bool) -> None:
    tmp_path.chmod(mode)
    wanted = f"other users can replace what is kept in {tmp_path} (mode {mode:04o}): chmod 700 it"
    assert replaceable_by_others(tmp_path) == (wanted if said else None)


def test_a_directory_that_is_not_there_or_is_roots_is_nobodys_fault(tmp_path: Path) -> None:
    assert replaceable_by_others(tmp_path / "none") is None
    assert replaceable_by_others("/") is None
