from pathlib import Path

from tools.fetch_specs import DOCUMENTS, fetch


def test_a_document_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    document = DOCUMENTS[0]
    there = tmp_path / document.name
    there.write_text("{}")
    assert list(fetch([document], tmp_path)) == [(document, there)]
    assert there.read_text() == "{}"


def test_documents_are_pinned_and_have_names_of_their_own() -> None:
    assert len({document.name for document in DOCUMENTS}) == len(DOCUMENTS)
    assert all(document.version[0].isdigit() for document in DOCUMENTS)
