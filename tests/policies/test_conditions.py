import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import NOT_GIVEN, Condition, ConditionError, WholeMatch
from policies.conditions import MAX_MATCH_CHARACTERS, ArgumentTest, Unjudgeable, compare, find, same

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


FILE = {"_tag": "ToolFile", "mimeType": "image/png", "encoding": "base64", "data": "AA=="}
UNSEEN = "unseen"


def judged(condition: Condition, value: Any, path: str = "x") -> bool | str:
    """True, False, or UNSEEN."""
    result = ArgumentTest(path, condition).judge({"x": value})
    return UNSEEN if isinstance(result, Unjudgeable) else result


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        (Condition(equals=500), 500, True),
        (Condition(equals=500), 500.0, True),
        (Condition(equals=500), "500", UNSEEN),
        (Condition(equals=1), True, UNSEEN),
        (Condition(equals=True), 1, UNSEEN),
        (Condition(equals=0), False, UNSEEN),
        (Condition(equals=None), None, True),
        (Condition(equals=None), 0, False),
        (Condition(equals=""), None, False),
        (Condition(equals=2**53 + 1), float(2**53), False),
        (Condition(equals="é"), "e\u0301", False),  # nothing is normalised
        (Condition(equals="acme"), "ACME", False),
        (Condition(equals=[1, {"a": 2}]), [1.0, {"a": 2}], True),
        (Condition(equals=[1]), [True], UNSEEN),
        (Condition(equals=[1, 2]), [2, 1], False),
        (Condition(equals={"a": 1, "b": 2}), {"b": 2, "a": 1}, True),
        (Condition(equals={"a": 1}), {"a": 1, "b": 2}, False),
        (Condition(equals="acme"), ["acme"], UNSEEN),
        (Condition(in_=("EUR", "USD")), "EUR", True),
        (Condition(in_=("EUR", "USD")), "GBP", False),
        (Condition(in_=(1, 2)), True, UNSEEN),
        (Condition(in_=("EUR",)), ["EUR"], UNSEEN),
        (Condition(not_in=("prod",)), "dev", True),
        (Condition(not_in=("prod",)), "prod", False),
        (Condition(not_in=(1,)), True, UNSEEN),
        (Condition(matches="[a-z]+"), "abc", True),
        (Condition(matches="[a-z]+"), "abc\n", False),
        (Condition(matches="[a-z]+"), "abc1", False),
        (Condition(matches="a|b"), "ab", False),
        (Condition(matches="a|bc"), "bc", True),
        (Condition(matches="5.*"), 500, UNSEEN),
        (Condition(matches=".*"), None, False),
        (Condition(at_most=100), 100, True),
        (Condition(at_most=100), 100.5, False),
        (Condition(at_most=100), "1", UNSEEN),
        (Condition(at_most=100), True, UNSEEN),
        (Condition(at_most=100), None, False),
        (Condition(at_most=100), [1], UNSEEN),
        (Condition(at_least=1), 1, True),
        (Condition(at_least=1), 0, False),
        (Condition(at_least=0), False, UNSEEN),
        (Condition(at_least=1, at_most=3), 2, True),
        (Condition(at_least=1, at_most=3), 4, False),
        (Condition(exists=True), None, True),
        (Condition(exists=False), None, False),
        (Condition(exists=True, equals=1), 2, False),
        # Another type that an upstream may read as the same value.
        (Condition(equals="42"), 42, UNSEEN),
        (Condition(equals=42), " 42.0 ", UNSEEN),
        (Condition(equals=42), "0x2A", UNSEEN),
        (Condition(equals=42), "042", UNSEEN),
        (Condition(equals=42), "forty-two", False),
        (Condition(equals=0.1), "0.10", UNSEEN),
        (Condition(equals=10**400), "1" + "0" * 400, UNSEEN),
        (Condition(equals=7), "0" * 500, UNSEEN),
        (Condition(equals=True), "True", UNSEEN),
        (Condition(equals="false"), False, UNSEEN),
        (Condition(equals=True), "yes", UNSEEN),
        (Condition(equals=True), "1", UNSEEN),
        (Condition(equals=True), "on", UNSEEN),
        (Condition(equals=False), "0", UNSEEN),
        (Condition(equals=False), 0.0, UNSEEN),
        (Condition(equals="1"), True, UNSEEN),
        (Condition(in_=("no", "x")), False, UNSEEN),
        (Condition(equals=True), 2, False),
        (Condition(equals=True), "0", False),
        (Condition(equals=False), "maybe", False),
        (Condition(equals=None), "null", False),
        (Condition(equals="acme"), {"id": "acme"}, UNSEEN),
        (Condition(equals={"a": 1}), '{"a": 1}', UNSEEN),
        (Condition(equals={"a": 1}), {"a": "1"}, UNSEEN),
        (Condition(equals={"a": 1, "b": 2}), {"a": "1", "b": 3}, False),
        (Condition(equals=[1, 2]), ["1", 2], UNSEEN),
        (Condition(in_=(1, 42)), "42", UNSEEN),
        (Condition(in_=("42", 42)), "42", True),
        (Condition(not_in=("42",)), 42, UNSEEN),
        (Condition(not_in=("42",)), 43, True),
        (Condition(not_in=(1, "42")), "42", False),
        (Condition(at_most=100, equals="x"), 7, False),
        (Condition(at_least=1000), "5000", UNSEEN),
        (Condition(at_least=1000, at_most=9000), 9001, False),
        # A file is there, and nothing else is known of it.
        (Condition(exists=True), FILE, True),
        (Condition(exists=False), FILE, False),
        (Condition(equals="x"), FILE, UNSEEN),
        (Condition(not_in=("x",)), FILE, UNSEEN),
        (Condition(matches=".*"), FILE, UNSEEN),
        (Condition(at_most=1), FILE, UNSEEN),
        (Condition(equals=[FILE]), [FILE], UNSEEN),
    ],
)
def test_conditions(condition: Condition, value: Any, expected: bool | str) -> None:
    assert judged(condition, value) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("x.amount", {"amount": 1, "Amount": 5000}, UNSEEN),
        ("x.amount", {"AMOUNT": 5000}, UNSEEN),
        ("x.amount", {"amount ": 5000}, UNSEEN),
        ("x.amount", {"amount": 1, " amount": 5000}, UNSEEN),
        ("x.amount", {"amount[]": 5000}, UNSEEN),
        ("x.a.b", {"A": {"b": 1}, "a": {"b": 1}}, UNSEEN),
        ("x.list.0.id", {"list": [{"ID": 1}]}, UNSEEN),
        ("x.amount", {"amount": 1, "Other": 5000}, True),
    ],
)
def test_a_name_in_another_case_hides_the_value(path: str, value: Any, expected: bool | str) -> None:
    """encoding/json of Go and System.Text.Json of .NET take such names for one; the last wins."""
    assert judged(Condition(at_most=100), value, path) == expected
    if expected == UNSEEN:
        assert judged(Condition(exists=False), value, path) == UNSEEN


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("x.amount", [{"amount": 5000}], UNSEEN),
        ("x.amount", [], UNSEEN),
        ("x.amount", [[{"amount": 5000}]], UNSEEN),
        ("x.a.amount", {"a": [{"amount": 5000}]}, UNSEEN),
        ("x.0.amount", [[{"amount": 5000}]], UNSEEN),
        ("x.0.amount", [{"amount": 5000}], True),
        ("x.1.amount", [{"amount": 5000}], False),  # an index that is not there is a missing argument
    ],
)
def test_a_list_that_a_path_does_not_index_hides_its_items(
    path: str, value: Any, expected: bool | str
) -> None:
    """A body that is an object or a list of them does not get past a rule that names the object's member."""
    assert judged(Condition(at_least=1000), value, path) == expected
    if expected == UNSEEN:
        assert judged(Condition(exists=False), value, path) == UNSEEN


@pytest.mark.parametrize(
    "condition",
    [
        Condition(equals=None),
        Condition(equals=1),
        Condition(in_=(None, 1)),
        Condition(not_in=(1,)),
        Condition(matches=".*"),
        Condition(at_most=1),
        Condition(at_least=-1),
        Condition(exists=True),
    ],
)
def test_a_missing_argument_fails_everything_but_exists_false(condition: Condition) -> None:
    assert ArgumentTest("x", condition).judge({}) is False
    assert ArgumentTest("x", condition).judge({"y": 1}) is False


def test_exists_false_holds_for_what_is_missing() -> None:
    assert ArgumentTest("x.y", Condition(exists=False)).judge({"x": {}}) is True
    assert ArgumentTest("x.y", Condition(exists=False)).judge({"x": {"y": None}}) is False


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {"b": [10, {"c": 1}]}),
        ("a.b.0", 10),
        ("a.b.1.c", 1),
        ("d.e", 2),
        ("d.e.f", NOT_GIVEN),
        ("a.b.2", NOT_GIVEN),
        ("a.b.00", NOT_GIVEN),
        ("a.b.-1", NOT_GIVEN),
        ("a.b.length", NOT_GIVEN),
        ("a.b.\u0661", NOT_GIVEN),
        ("a.b.99999999999999999999", NOT_GIVEN),
        ("g.0", "by key"),
        ("text.0", NOT_GIVEN),
        ("h.i.j", 3),
        ("__class__", NOT_GIVEN),
        ("a.__len__", NOT_GIVEN),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    arguments = {
        "a": {"b": [10, {"c": 1}]},
        "d.e": 2,
        "g": {"0": "by key"},
        "text": "abc",
        "h.i": {"j": 3},
    }
    assert find(arguments, tuple(path.split("."))) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": {"b": "evil"}, "a.b": "good"},
        {"a": {"b.c": 1, "b": {"c": 2}}, "a.b": {"c": 3}},
    ],
)
def test_a_path_that_can_be_read_in_two_ways_raises(arguments: dict[str, Any]) -> None:
    path = "a.b.c" if "a.b" in arguments and isinstance(arguments["a.b"], dict) else "a.b"
    with pytest.raises(ConditionError, match="can be read in"):
        ArgumentTest(path, Condition(equals="good")).judge(arguments)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("condition", [Condition(not_in=(1,)), Condition(at_most=1), Condition(exists=True)])
def test_what_json_cannot_write_raises(number: float, condition: Condition) -> None:
    with pytest.raises(ConditionError, match="not a JSON number"):
        judged(condition, number)


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", ".".join("a" * 17)])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ConditionError, match="not a path"):
        ArgumentTest(path, Condition(exists=True))


@pytest.mark.parametrize(
    "expression", ["(", "a)|(?:b", r"(a)\1", "(?=a)b", "(?<!a)b", "a{2000}{2000}", "(?x)a # c"]
)
def test_expressions_outside_the_linear_engine_are_refused(expression: str) -> None:
    with pytest.raises(ConditionError, match=r"not a regular expression: ."):
        WholeMatch(expression)


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(.*.*.*)*b", "([a-z]+)*1"])
def test_expressions_that_make_backtracking_engines_hang_do_not(expression: str) -> None:
    assert not WholeMatch(expression).holds("a" * MAX_MATCH_CHARACTERS)


def test_values_that_cannot_be_matched_raise() -> None:
    with pytest.raises(ConditionError, match="too long"):
        WholeMatch(".*").holds("a" * (MAX_MATCH_CHARACTERS + 1))
    with pytest.raises(ConditionError, match="not valid Unicode"):
        WholeMatch(".*").holds("a\ud800")


@given(JSON)
def test_equality_is_reflexive_and_types_never_mix(value: Any) -> None:
    assert same(value, value)
    for other in (str(value), [value], {"": value}):
        if type(other) is not type(value):
            assert not same(value, other)


@given(JSON, JSON)
def test_equality_is_symmetric(left: Any, right: Any) -> None:
    assert same(left, right) == same(right, left)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("body.amount", {"body": "<payment><amount>5000</amount></payment>"}),
        ("body.amount", {"body": '{"amount": 5000}'}),
        ("body.amount", {"body": {"_tag": "ToolFile", "data": "eyJhIjo1MDAwfQ=="}}),
        ("body.items.0.amount", {"body": {"items": ["<item/>"]}}),
        ("body.amount", {"bodyBase64": "eyJhIjo1MDAwfQ=="}),
        ("body", {"bodyBase64": "eyJhIjo1MDAwfQ=="}),
        ("a.b.c", {"a": {"b": {}}, "a.b": "text"}),
    ],
)
@pytest.mark.parametrize("condition", [Condition(at_least=1000), Condition(exists=False)])
def test_what_stands_in_text_or_bytes_is_hidden_and_not_missing(
    path: str, arguments: dict[str, Any], condition: Condition
) -> None:
    assert isinstance(ArgumentTest(path, condition).judge(arguments), Unjudgeable)


def test_what_can_be_seen_of_a_file_is_judged() -> None:
    assert ArgumentTest("body.mimeType", Condition(equals="image/png")).judge({"body": FILE}) is True
    known: list[dict[str, Any]] = [{"body": {"amount": None}}, {"body": {}}, {"body": None}, {}]
    for arguments in known:
        assert ArgumentTest("body.amount", Condition(at_least=1)).judge(arguments) is False


@given(JSON, JSON)
def test_comparing_never_says_yes_where_equality_says_no(left: Any, right: Any) -> None:
    assert (compare(left, right) is True) == same(left, right)
    assert compare(left, right) == compare(right, left)
