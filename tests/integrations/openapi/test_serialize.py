"""The "Style Examples" table of OpenAPI 3.1.2, row by row, and the rules around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from integrations.openapi.binding import Location, OperationParameter
from integrations.openapi.serialize import (
    content_text,
    cookie_text,
    encode_reserved,
    header_text,
    is_undefined,
    path_text,
    query_pairs,
    scalar_text,
    settled_reserved,
)

BLUE = "blue"
LIST = ["blue", "black", "brown"]
RGB = {"R": 100, "G": 200, "B": 150}


def parameter(location: Location, style: str, explode: bool, **more: Any) -> OperationParameter:
    return OperationParameter("color", location, False, True, style, explode, **more)


PATHS = [
    ("simple", False, "", "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("simple", True, "", "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("label", False, ".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
    ("label", True, ".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
    ("matrix", False, ";color", ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
    ("matrix", True, ";color", ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"),
]


@pytest.mark.parametrize(("style", "explode", "empty", "string", "array", "obj"), PATHS)
def test_path_styles(style: str, explode: bool, empty: str, string: str, array: str, obj: str) -> None:
    color = parameter("path", style, explode)
    values: list[Any] = ["", BLUE, LIST, RGB]
    assert [path_text(color, value) for value in values] == [empty, string, array, obj]


QUERIES = [
    ("form", True, "color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
    ("form", False, "color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
    (
        "spaceDelimited",
        False,
        "color=",
        "color=blue",
        "color=blue%20black%20brown",
        "color=R%20100%20G%20200%20B%20150",
    ),
    (
        "pipeDelimited",
        False,
        "color=",
        "color=blue",
        "color=blue%7Cblack%7Cbrown",
        "color=R%7C100%7CG%7C200%7CB%7C150",
    ),
    (
        "spaceDelimited",
        True,
        "color=",
        "color=blue",
        "color=blue&color=black&color=brown",
        "R=100&G=200&B=150",
    ),
    (
        "deepObject",
        True,
        "color=",
        "color=blue",
        "color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=brown",
        "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150",
    ),
]


@pytest.mark.parametrize(("style", "explode", "empty", "string", "array", "obj"), QUERIES)
def test_query_styles(style: str, explode: bool, empty: str, string: str, array: str, obj: str) -> None:
    color = parameter("query", style, explode)
    values: list[Any] = ["", BLUE, LIST, RGB]
    made = ["&".join(text for _, text in query_pairs(color, value)) for value in values]
    assert made == [empty, string, array, obj]


@pytest.mark.parametrize(("explode", "obj"), [(False, "R,100,G,200,B,150"), (True, "R=100,G=200,B=150")])
def test_header_styles(explode: bool, obj: str) -> None:
    color = parameter("header", "simple", explode)
    values: list[Any] = ["", BLUE, LIST, RGB]
    assert [header_text(color, value) for value in values] == ["", "blue", "blue,black,brown", obj]


COOKIES = [
    ("form", True, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
    ("form", False, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
    ("cookie", True, "color=blue", "color=blue; color=black; color=brown", "R=100; G=200; B=150"),
    ("cookie", False, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
]


@pytest.mark.parametrize(("style", "explode", "string", "array", "obj"), COOKIES)
def test_cookie_styles(style: str, explode: bool, string: str, array: str, obj: str) -> None:
    color = parameter("cookie", style, explode)
    values: list[Any] = [BLUE, LIST, RGB]
    made = ["; ".join(text for _, text in cookie_text(color, value)) for value in values]
    assert made == [string, array, obj]


@pytest.mark.parametrize(
    ("delimiter", "text"), [(",", "a,b%2Cc"), (" ", "a%20b%2Cc"), ("\t", "a%09b%2Cc"), ("|", "a%7Cb%2Cc")]
)
def test_collection_formats(delimiter: str, text: str) -> None:
    color = parameter("query", "form", False, delimiter=delimiter)
    assert query_pairs(color, ["a", "b,c"]) == [("color", f"color={text}")]
    assert path_text(parameter("path", "simple", False, delimiter=delimiter), ["a", "b,c"]) == text
    assert (
        header_text(parameter("header", "simple", False, delimiter=delimiter), ["a", "b"]) == f"a{delimiter}b"
    )


def test_delimiters_inside_data_are_encoded() -> None:
    assert path_text(parameter("path", "simple", False), ["a,b", "c/d"]) == "a%2Cb,c%2Fd"
    assert path_text(parameter("path", "label", True), ["a-b", "é"]) == ".a-b.%C3%A9"
    assert query_pairs(parameter("query", "form", False), ["a,b", "c&d"])[0][1] == "color=a%2Cb,c%26d"


def reserved(location: Location, style: str, explode: bool) -> OperationParameter:
    return replace(parameter(location, style, explode), allow_reserved=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (lambda v: path_text(parameter("path", "label", True), v), ["a.b"]),
        (lambda v: path_text(parameter("path", "label", True), v), {"a.b": 1}),
        (lambda v: path_text(reserved("path", "simple", False), v, reserved=True), ["a,b"]),
        (lambda v: path_text(reserved("path", "matrix", True), v, reserved=True), ["a;b"]),
        (lambda v: path_text(reserved("path", "matrix", True), v, reserved=True), {"a;b": 1}),
        (lambda v: path_text(reserved("path", "matrix", True), v, reserved=True), {"a=b": 1}),
        (lambda v: query_pairs(parameter("query", "pipeDelimited", False), v), ["a|b"]),
        (lambda v: query_pairs(parameter("query", "spaceDelimited", False), v), ["a b"]),
        (lambda v: query_pairs(parameter("query", "spaceDelimited", False), v), {"a b": 1}),
        (lambda v: query_pairs(reserved("query", "form", False), v), ["a,b"]),
        (lambda v: query_pairs(parameter("query", "deepObject", True), v), {"a][b": 1}),
        (lambda v: query_pairs(parameter("query", "form", False, delimiter="|"), v), ["a|b"]),
        (lambda v: header_text(parameter("header", "simple", False), v), ["a,b"]),
        (lambda v: header_text(parameter("header", "simple", False), v), {"a,b": 1}),
        (lambda v: header_text(parameter("header", "simple", True), v), {"a=b": 1}),
        (lambda v: header_text(parameter("header", "simple", False, delimiter=" "), v), ["a b"]),
        (lambda v: cookie_text(parameter("cookie", "cookie", False), v), ["a,b"]),
        (lambda v: cookie_text(parameter("cookie", "cookie", True), v), {"a=b": 1}),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError, match="which separates the values"):
        text(value)


@pytest.mark.parametrize(
    ("given", "path", "query"),
    [
        ("%41", "A", "A"), ("a b", "a b", "a b"), ("a%20b", "a b", "a b"), ("100%", "100%", "100%"),
        ("100%25", "100%", "100%"), ("%2541", "%2541", "%2541"), ("%25%34%31", "%2541", "%2541"),
        ("a/b", "a/b", "a/b"), ("a%2fb", "a%2Fb", "a/b"), ("%c3%a9", "é", "é"), ("%ff", "%FF", "%FF"),
        ("%26", "%26", "&"), ("%3F", "?", "?"), ("%%2541", "%%2541", "%%2541"),
    ],
)  # fmt: skip
def test_reserved_expansion_has_one_spelling(given: str, path: str, query: str) -> None:
    for location, expected in (("path", path), ("query", query)):
        assert settled_reserved(given, location) == expected
        assert settled_reserved(expected, location) == expected


def test_null_members_are_skipped_and_nothing_is_undefined() -> None:
    assert path_text(parameter("path", "simple", True), {"a": None, "b": 1}) == "b=1"
    assert query_pairs(parameter("query", "form", True), ["a", None]) == [("color", "color=a")]
    undefined: list[Any] = [None, [], {}, [None], {"a": None}]
    assert all(map(is_undefined, undefined))
    assert not any(map(is_undefined, ["", 0, False, [""]]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3.0, "3"),
        (1.5, "1.5"),
        (-0.0, "0"),
        (10**30, "1" + "0" * 30),
        ("1.0", "1.0"),
        ({"a": [1]}, '{"a":[1]}'),
        (float("nan"), "null"),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
    ],
)
def test_scalars(value: Any, text: str) -> None:
    assert scalar_text(value) == text


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a/b?c:d@e", "a/b?c:d@e"),
        ("a%2Fb", "a%2Fb"),
        ("100%", "100%25"),
        ("a&b#c+d[e]", "a%26b%23c%2Bd%5Be%5D"),
        ("a b", "a%20b"),
    ],
)
def test_allow_reserved(given: str, sent: str) -> None:
    assert encode_reserved(given) == sent


def test_reserved_expansion_keeps_slashes() -> None:
    assert path_text(parameter("path", "simple", False), "a/b?c", reserved=True) == "a/b%3Fc"


def test_content_parameters() -> None:
    assert content_text("application/json", {"a": [1, "é"]}) == '{"a":[1,"é"]}'
    assert content_text("text/plain", "x y") == "x y"
    as_json = parameter("query", "form", True, media_type="application/json")
    assert query_pairs(as_json, {"a": 1}) == [("color", "color=%7B%22a%22%3A1%7D")]
    assert (
        path_text(parameter("path", "simple", False, media_type="application/json"), [1, 2]) == "%5B1%2C2%5D"
    )
    assert header_text(parameter("header", "simple", False, media_type="application/json"), [1]) == "[1]"
    assert (
        cookie_text(parameter("cookie", "form", True, media_type="application/json"), [1])[0][1]
        == "color=%5B1%5D"
    )


def test_querystring_is_the_whole_query() -> None:
    whole = parameter("query", "querystring", True)
    assert [text for _, text in query_pairs(whole, {"a b": [1, 2], "c": "&"})] == [
        "a%20b=1",
        "a%20b=2",
        "c=%26",
    ]
    as_json = parameter("query", "querystring", True, media_type="application/json")
    assert query_pairs(as_json, {"a": 1})[0][1] == "%7B%22a%22%3A1%7D"


def test_deep_objects_nest_by_brackets() -> None:
    deep = parameter("query", "deepObject", True)
    texts = [name for name, _ in query_pairs(deep, {"a": {"b": 1}, "c": [{"d": 2}], "e": None})]
    assert texts == ["color[a][b]", "color[c][0][d]"]
