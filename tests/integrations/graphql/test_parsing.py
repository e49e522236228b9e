from __future__ import annotations

import pytest
from graphql import parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import InvalidArguments
from integrations.graphql.nodes import InlineFragment, SelectedField
from integrations.graphql.parsing import MAX_CHARACTERS, operation_nodes, read_select
from tests.integrations.graphql.server import executable, schema


def read(text: str, parent: str = "User") -> str:
    return read_select(schema(), parent, text)


def refused(text: str, parent: str = "User") -> list[str]:
    with pytest.raises(InvalidArguments) as caught:
        read(text, parent)
    assert caught.value.code == "graphql_invalid_selection"
    assert {problem.pointer for problem in caught.value.problems} == {"/select"}
    return [problem.reason for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("id name", "id name"),
        ("id, name # all that matters", "id name"),
        ("{ id }", "id"),
        ("\ufeff id", "id"),
        ("mine: avatar(size: 4)", "mine:avatar(size:4)"),
        ('posts(first: 2, filter: {text: "a  } b"}) { nodes { id } }',
         'posts(first:2 filter:{text:"a  } b"}){nodes{id}}'),
        ("id @include(if: true) @mark(level: 1)", "id@include(if:true)@mark(level:1)"),
        ("... on Node { id } ... { name }", "...on Node{id}...{name}"),
        ("__typename", "__typename"),
    ],
)  # fmt: skip
def test_what_is_sent_is_printed_from_the_tree(text: str, sent: str) -> None:
    assert read(text) == sent


@pytest.mark.parametrize(
    "text",
    [
        "id } deleteAll setRole2: setRole(id: 1) { id",
        "id } deleteAll",
        "{ id } deleteAll { id",
        "{ id } { id }",
        "id } } mutation Other { deleteAll",
        "id } fragment F on User { id",
        "id }\n#\n} query { version",
        "id } ... on Mutation { deleteAll",
        "id",
    ],
)
def test_t7_a_selection_cannot_close_its_set_and_go_on(text: str) -> None:
    """Spliced into an operation these would run root fields that no policy has judged (Holes, 2)."""
    if text == "id":
        assert read(text) == "id"
    else:
        assert "Syntax Error" in refused(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "query { version }",
        "team { id roots { version } }",
        "posts { nodes { author { query { version } } } }",
        "... on Query { version }",
        "... on Actor { query { version } }",
    ],
)
def test_t7_a_selection_cannot_enter_a_root_type(text: str) -> None:
    said = " ".join(refused(text))
    assert "may not enter `Query`" in said or "there is no" in said or "never be" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 2, column 1: Syntax Error: Expected Name, found '}'."),
        ("id {", "Syntax Error"),
        ('"id"', "line 1, column 1: Syntax Error"),
        ("id\n  nam", "line 2, column 3: `User` has no field `nam`, did you mean `name`?"),
        ("{ nam }", "line 1, column 3: `User` has no field `nam`"),
        ("team", "line 1, column 1: `team` is Team: say which of its fields"),
        ("id { x }", "line 1, column 4: `id` is ID! and has no fields"),
        ("avatar", "`avatar` needs the argument `size: Int!`"),
        ("avatar(size: $s)", "line 1, column 14: variables such as `$s` have no value"),
        ("meta @include(if: $s)", "variables such as `$s`"),
        ('avatar(size: "4")', "has to be Int"),
        ("avatar(size: 2147483648)", "has to be Int"),
        ("avatar(size: null)", "null does not fit Int!"),
        ("avatar(size: 1, size: 2)", "is given twice"),
        ("avatar(siz: 1)", "has no argument `siz`, did you mean `size`?"),
        ("...F", "there is no fragment `F`"),
        ("... on Nope { id }", "there is no object, interface or union type `Nope`"),
        ("... on Role { id }", "there is no object, interface or union type `Role`"),
        ("... on Bot { id }", "`User` can never be `Bot`"),
        ("__typename { x }", "takes neither"),
        ("__schema { types { name } }", "has no field `__schema`"),
        ("id @defer", "not supported"),
        ("... @defer { id }", "not supported"),
        ("id @nope", "no directive `@nope`"),
        ("id @skip(if: true) @skip(if: true)", "once"),
        ("id @mark", "needs the argument `level: Int!`"),
        ("... @mark(level: 1) { id }", "no directive `@mark` for this place"),
        ("id: name", ""),
        ("id id: name", "give one an alias"),
        ("posts(first: 1) { totalCount } posts(first: 2) { totalCount }", "give one an alias"),
        ("team { id } ... on Node { ... on User { team { id: name } } }", "give one an alias"),
        ("posts(filter: {and: [{role: NOPE}]}) { totalCount }", "has to be one of ADMIN"),
        ("posts(filter: {texts: 1}) { totalCount }", "PostFilter has no field `texts`"),
        ("posts(filter: {text: \"a\", text: \"b\"}) { totalCount }", "given twice"),
        ("posts(filter: 3) { totalCount }", "has to be an object (PostFilter)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, reason: str) -> None:
    if reason:
        assert reason in " ".join(refused(text))
    else:
        assert read(text) == "id:name"


def test_unions_say_how_to_go_on() -> None:
    assert "so write `... on User { }`" in refused("id", "Found")[0]
    assert read("__typename ... on Bot { bio }", "Found") == "__typename ...on Bot{bio}"


def test_members_of_a_union_need_results_of_one_shape() -> None:
    assert "String in one place and Int here" in refused("... on User { bio } ... on Bot { bio }", "Found")[0]
    assert read("... on User { x: avatar(size: 1) } ... on Post { x: body }", "Found")


def test_size_is_bounded() -> None:
    assert "4000 tokens" in refused("id " * 4_001)[0]
    assert "longer than" in refused("#" * (MAX_CHARACTERS + 1))[0]
    assert "nested too deeply" in refused("team { lead { " * 1_500)[0]
    deep = "team { lead { " * 30 + "id" + "} }" * 30
    assert "more than 40 levels deep" in refused(deep)[0]


_NAMES = [
    "id",
    "login",
    "name",
    "bio",
    "role",
    "avatar",
    "team",
    "posts",
    "nodes",
    "author",
    "title",
    "nope",
    "score",
]
_TYPES = ["User", "Bot", "Post", "Node", "Actor", "Found", "Team", "Nope", "Role"]


def _selection(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    head = st.tuples(st.sampled_from(["", "", "", "x: ", "id: "]), st.sampled_from(_NAMES)).map("".join)
    arguments = st.sampled_from(
        ["", "", "", "(size: 1)", "(size: 2)", "(first: 1)", "(first: null)", '(size: "1")']
    )
    directive = st.sampled_from(["", "", "", " @skip(if: false)", " @skip", " @mark(level: 1)"])
    plain = st.tuples(head, arguments, directive).map("".join)
    nested = st.tuples(head, arguments, inner).map(lambda p: f"{p[0]}{p[1]} {{ {p[2]} }}")
    inline = st.tuples(st.sampled_from(_TYPES), inner).map(lambda p: f"... on {p[0]} {{ {p[1]} }}")
    return st.lists(st.one_of(plain, nested, inline), min_size=1, max_size=4).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(
    st.recursive(st.sampled_from(_NAMES), _selection, max_leaves=8),
    st.sampled_from(["me", "search", "actor", "posts"]),
)
def test_what_passes_is_what_the_reference_accepts(text: str, field: str) -> None:
    parent = {"me": "User", "search": "Found", "actor": "Actor", "posts": "PostConnection"}[field]
    needed = '(text: "t")' if field == "search" else ""
    reference = validate(executable(), parse(f"{{ {field}{needed} {{ {text} }} }}"))
    sent = _accepted(text, parent)
    assert (sent is None) == bool(reference), reference
    if sent is not None:
        assert validate(executable(), parse(f"{{ {field}{needed} {{ {sent} }} }}")) == []


def _accepted(text: str, parent: str) -> str | None:
    try:
        return read(text, parent)
    except InvalidArguments:
        return None


def test_operations_are_read_with_their_fragments_in_place() -> None:
    text = (
        "query A { me { ...F team @include(if: true) { id } } } fragment F on User { mine: id ... { name } }"
    )
    assert operation_nodes(text) == (
        SelectedField("me", (
            InlineFragment("User", (SelectedField("id", alias="mine"), InlineFragment("", (SelectedField("name"),)))),
            SelectedField("team", (SelectedField("id"),), conditional=True),
        )),
    )  # fmt: skip
