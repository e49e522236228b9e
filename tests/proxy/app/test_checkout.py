"""A revision in a folder of its own: with every Python that we run on, and never a link out of it."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from proxy.app.checkout import NoRevision, checked_out


@pytest.fixture(params=["filters", "no filters (Python 3.11.0 to 3.11.3)"])
def _pythons(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "filters":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def repository(folder: Path, link: str | None = None) -> Path:
    """One commit with `executor.yaml`; a change of it afterwards is in no commit."""
    file = folder / "executor.yaml"
    file.write_text("version: 1\n")
    if link is not None:
        (folder / "link").symlink_to(link)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "one")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    file.write_text("version: 2\n")
    return file


@pytest.mark.usefixtures("_pythons")
@pytest.mark.parametrize("link", [None, "executor.yaml"])
def test_files_are_as_they_were(tmp_path: Path, link: str | None) -> None:
    with checked_out("HEAD", [repository(tmp_path, link)]) as (copy,):
        assert copy.read_text() == "version: 1\n"
    assert not copy.exists()


@pytest.mark.usefixtures("_pythons")
@pytest.mark.parametrize("link", ["/etc/passwd", "../../outside"])
def test_a_link_out_of_the_repository_is_refused(tmp_path: Path, link: str) -> None:
    with (
        pytest.raises(NoRevision, match="cannot be unpacked"),
        checked_out("HEAD", [repository(tmp_path, link)]),
    ):
        pass


def test_a_revision_that_is_not_there(tmp_path: Path) -> None:
    file = repository(tmp_path)
    for revision, said in (("nope", "git has no `nope`"), ("--all", "is no revision")):
        with pytest.raises(NoRevision, match=said), checked_out(revision, [file]):
            pass
