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
        ("take the server out of the pool", ["remove", "server", "pool"]),
        ("hooking a disk up to it", ["attach", "disk"]),
        (
            "throw away a disk and then again and again and once more out",
            ["delete", "disk", "again", "once", "more"],
        ),
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


def test_forms_of_a_word_have_its_synonyms() -> None:
    assert parse_query("pushing").terms[0].forms["commit"] == parse_query("push").terms[0].forms["commit"]
    assert parse_query("deleting").terms[0].actions == parse_query("delete").terms[0].actions


def test_what_tells_little_is_marked() -> None:
    assert [(term.word, term.generic, term.weak) for term in parse_query("show my refunds").terms] == [
        ("show", True, False),
        ("my", False, True),
        ("refunds", False, False),
    ]


def test_neighbours_are_also_looked_for_as_one_word() -> None:
    cron, job = parse_query("cron jobs").terms
    assert cron.forms["cronjob"] == job.forms["cronjob"] == 1.0


def test_verbs_say_what_is_to_be_done() -> None:
    assert parse_query("add").terms[0].actions["+create"] == 1.0
    assert parse_query("issue label").terms[1].actions == {"+act": 0.6, "+update": 0.6, "+create": 0.5}
    assert parse_query("repository").terms[0].actions == {}


def test_long_texts_are_cut() -> None:
    assert len(parse_query(" ".join(f"word{n}" for n in range(10_000))).terms) <= 12
