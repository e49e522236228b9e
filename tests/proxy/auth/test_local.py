import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.auth import LocalTokenError, approver_token, local_token, read_token
from proxy.auth.local import APPROVER_FILE_NAME, FILE_NAME


def test_it_is_minted_once_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    token = local_token(state).reveal()
    assert len(token) == 43  # 32 bytes in base64url
    assert local_token(state).reveal() == token
    assert stat.S_IMODE((state / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert os.listdir(state) == [FILE_NAME]
    assert token not in repr(local_token(state))


def test_two_servers_have_two_tokens(tmp_path: Path) -> None:
    assert local_token(tmp_path / "a") != local_token(tmp_path / "b")


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: local_token(tmp_path).reveal(), range(32)))
    assert len(tokens) == 1
    assert os.listdir(tmp_path) == [FILE_NAME]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o606, 0o664, 0o602])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    local_token(tmp_path)
    (tmp_path / FILE_NAME).chmod(mode)
    with pytest.raises(LocalTokenError, match=f"mode {mode:04o}.*chmod 600"):
        local_token(tmp_path)


@pytest.mark.parametrize("content", ["", "short", "a" * 42, "token with spaces " * 4, "\x00" * 64])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(LocalTokenError, match="holds no token"):
        local_token(tmp_path)


def test_links_and_folders_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    local_token(elsewhere)
    (tmp_path / FILE_NAME).symlink_to(elsewhere / FILE_NAME)
    with pytest.raises(LocalTokenError):
        local_token(tmp_path)
    (tmp_path / "b" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(LocalTokenError, match="not a regular file"):
        local_token(tmp_path / "b")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "c").mkdir()
    (tmp_path / "fifo").rename(tmp_path / "c" / FILE_NAME)
    with pytest.raises(LocalTokenError, match="not a regular file"):
        local_token(tmp_path / "c")


def test_a_state_directory_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalTokenError, match="local-token"):
        local_token(tmp_path / "file" / "state")


def test_the_approver_has_a_token_of_their_own(tmp_path: Path) -> None:
    approver = approver_token(tmp_path)
    assert approver.reveal() != local_token(tmp_path).reveal()
    assert approver_token(tmp_path) == approver
    assert stat.S_IMODE((tmp_path / APPROVER_FILE_NAME).stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == sorted([APPROVER_FILE_NAME, FILE_NAME])


def test_reading_mints_nothing(tmp_path: Path) -> None:
    path = tmp_path / APPROVER_FILE_NAME
    assert read_token(path) is None
    assert not path.exists()
    assert approver_token(tmp_path) == read_token(path)
    path.chmod(0o644)
    with pytest.raises(LocalTokenError, match="chmod 600"):
        read_token(path)
