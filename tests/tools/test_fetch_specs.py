import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import fetch_specs
from tools.fetch_specs import DOCUMENTS, TREES, Document, fetch, is_complete, main, member_of, plant


def test_a_document_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    document = DOCUMENTS[0]
    there = tmp_path / document.name
    there.write_text("{}")
    assert list(fetch([document], tmp_path)) == [(document, there)]
    assert there.read_text() == "{}"


def test_a_tree_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / TREES[0].name / "deep").mkdir(parents=True)
    (tmp_path / TREES[0].name / "deep" / "a.json").write_text("{}")
    assert plant(TREES[0], tmp_path) == 1


def test_documents_are_pinned_and_have_names_of_their_own() -> None:
    assert len({document.name for document in DOCUMENTS}) == len(DOCUMENTS)
    versions = [one.version for one in DOCUMENTS] + [one.version for one in TREES]
    assert all(version[0].isdigit() for version in versions)


def test_members_of_both_kinds_of_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("d/a.yaml", "a: 1")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("package/a.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    assert member_of(tmp_path / "a.whl", Document("", "", "d/a.yaml", "")) == b"a: 1"
    assert member_of(tmp_path / "a.tgz", Document("", "", "package/a.json", "")) == b"{}"


def test_packed_members_are_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("a.json.gz", gzip.compress(b"{}"))
    assert member_of(tmp_path / "a.whl", Document("", "", "a.json.gz", "")) == b"{}"


def test_complete_means_the_tables_of_now(tmp_path: Path) -> None:
    assert not is_complete(tmp_path)
    (tmp_path / fetch_specs.STAMP).write_text("older tables")
    assert not is_complete(tmp_path)
    (tmp_path / fetch_specs.STAMP).write_text(fetch_specs.digest_of_tables())
    assert is_complete(tmp_path)


def test_nothing_is_done_when_everything_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".specs").mkdir()
    (tmp_path / ".specs" / fetch_specs.STAMP).write_text(fetch_specs.digest_of_tables())
    assert main(tmp_path, []) == 0
    assert "all there" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [([], 1), (["--if-possible"], 0)])
def test_what_cannot_be_fetched_is_said_loudly(
    tmp_path: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".specs").write_text("a file where a directory has to be")
    assert main(tmp_path, arguments) == code
    assert "CANNOT BE FETCHED" in capsys.readouterr().err
