import pytest

from proxy.catalog.query import parse_query


def words(text: str) -> list[str]:
    return [term.word for term in parse_query(text).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("close an issue", ["close", "issue"]),
        ("who am I", ["authenticated", "user"]),
        ("merge a PR", ["merge", "pull", "request"]),
        ("GitHub issues", ["github", "issues"]),
        ("issues.listForRepo", ["issues", "list", "repo"]),
        ("issue issue", ["issue"]),
        ("the of", ["the", "of"]),
        ("!!! ...", []),
        ("", []),
    ],
)
def test_a_text_becomes_terms(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_the_word_itself_is_worth_one_and_synonyms_less() -> None:
    (term,) = parse_query("remove").terms
    assert term.forms["remov"] == 1.0
    assert 0 < term.forms["delet"] < 1.0


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("list issues", "read"),
        ("what repositories exist", "read"),
        ("remove a label", "destructive"),
        ("create an issue", "write"),
        ("comment on an issue", "write"),
        ("issue comment", "any"),
    ],
)
def test_the_first_verb_says_what_kind_of_operation(text: str, intent: str) -> None:
    assert parse_query(text).intent == intent


def test_neighbours_are_also_looked_for_as_one_word() -> None:
    cron, job = parse_query("cron jobs").terms
    assert cron.forms["cronjob"] == job.forms["cronjob"] == 1.0


def test_verbs_say_what_is_to_be_done() -> None:
    assert parse_query("add").terms[0].actions["+create"] == 1.0
    assert parse_query("issue label").terms[1].actions == {"+act": 0.6, "+update": 0.6, "+create": 0.5}
    assert parse_query("repository").terms[0].actions == {}


def test_long_texts_are_cut() -> None:
    assert len(parse_query(" ".join(f"word{n}" for n in range(10_000))).terms) <= 12
