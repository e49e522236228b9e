import pytest

from proxy.catalog.words import split_identifier, split_prose, stem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("listForRepo", ["list", "for", "repo"]),
        ("getHTTPServer", ["get", "http", "server"]),
        ("/repos/{owner}/code-scanning_alerts", ["repos", "owner", "code", "scanning", "alerts"]),
        ("issues.update:v2", ["issues", "update", "v2"]),
        ("", []),
        ("Überschrift größe", ["uberschrift", "grosse"]),
        ("größeÄndern", ["grosse", "andern"]),
        ("Cafe\u0301_list", ["cafe", "list"]),
        ("删除文件", ["删", "除", "文", "件"]),
        ("get天気now", ["get", "天", "気", "now"]),
        ("ファイル", ["フ", "ァ", "イ", "ル"]),
        ("사용자 삭제", ["사", "용", "자", "삭", "제"]),
        ("ｆｕｌｌ_ｗｉｄｔｈ", ["full", "width"]),
        ("файлы", ["фаилы"]),
    ],
)
def test_identifiers_are_split_at_case_and_punctuation(text: str, words: list[str]) -> None:
    assert split_identifier(text) == words


def test_prose_keeps_words_with_inner_capitals() -> None:
    assert split_prose("GitHub's OpenAPI") == ["github", "s", "openapi"]


@pytest.mark.parametrize(
    "family",
    [
        ("delete", "deletes", "deleted", "deleting"),
        ("issue", "issues"),
        ("repository", "repositories"),
        ("branch", "branches"),
        ("release", "releases", "released"),
        ("run", "runs", "running"),
        ("protect", "protects", "protected", "protection"),
        ("merge", "merging", "merged"),
        ("organize", "organization", "organized"),
        ("pull", "pulls", "pulled", "pulling"),
        ("tag", "tags", "tagged"),
    ],
)
def test_forms_of_one_word_share_a_stem(family: tuple[str, ...]) -> None:
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize("word", ["status", "access", "analysis", "news", "dns", "2fa", "größen"])
def test_some_words_are_left_alone(word: str) -> None:
    assert stem(word) == word
