from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.naming import (
    Named,
    camel_case,
    name_hash,
    plan_names,
    safe_name,
    safe_segment,
    short_hash,
    split_words,
    unique_names,
)


def named(method: str, path: str, operation_id: str | None = None, tag: str | None = None) -> Named:
    return Named(method, path, operation_id, tag)


@pytest.mark.parametrize(
    ("text", "camel"),
    [
        ("repos/get", "reposGet"),
        ("listHTTPServers", "listHttpServers"),
        ("Weird id/with spaces.and-dots", "weirdIdWithSpacesAndDots"),
        ("", "tool"),
        ("ünïcode", "ünïcode"),
        ("getÜberblick Über", "getÜberblickÜber"),
        ("查询/天气", "查询天气"),
        ("मौसम-देखो", "मौसमदेखो"),
        ("a\u0301b", "áb"),
        ("get_OAuth2_token", "getOAuth2Token"),
        ("ABC", "abc"),
    ],
)
def test_camel_case(text: str, camel: str) -> None:
    assert camel_case(text) == camel


def test_split_words_follows_case_changes() -> None:
    assert split_words("HTTPServer2Go v1") == ["HTTP", "Server2", "Go", "v1"]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (named("get", "/repos/{o}", "repos/get", "repos"), "repos.get"),
        (named("get", "/v1/users/{id}", "getUser"), "users.getUser"),
        (named("get", "/api/v2/{id}", "x"), "root.x"),
        (named("get", "/pets", "pets"), "pets.getOperation"),
        (named("get", "/pets/toys", "pets"), "pets.getToys"),
        (named("post", "/noid/{a-b}"), "noid.postNoidAB"),
        (named("get", "/x", "users.list", "Users"), "users.list"),
        (Named("get", "/x", "a", None, "custom.tool path"), "custom.tool_path"),
        (named("get", "/x", "2fa", "t"), "t._2fa"),
        (named("get", "/x", "then", "t"), "t.then_"),
    ],
)
def test_names(item: Named, name: str) -> None:
    assert plan_names([item]) == [name]


def test_colliding_names_are_refined_together() -> None:
    by_version = [named("get", "/v1/a", "list", "t"), named("get", "/v2/a", "list", "t")]
    assert plan_names(by_version) == ["t.v1.list", "t.v2.list"]
    by_method = [named("get", "/a", "list", "t"), named("post", "/a", "list", "t")]
    assert plan_names(by_method) == ["t.listGet", "t.listPost"]
    by_hash = [named("get", "/dup/a", "dup", "t"), named("get", "/dup/b", "dup", "t")]
    first, second = plan_names(by_hash)
    assert first == f"t.dupGet{short_hash(by_hash[0])}"
    assert first != second


def test_equal_operations_are_told_apart_all_of_them() -> None:
    same = named("get", "/a", "x", "t")
    names = plan_names([same, same, same])
    assert len(set(names)) == 3
    assert names[0] != plan_names([same])[0]


def test_letters_of_every_script_stay_in_the_names_of_operations() -> None:
    items = [
        named("get", "/天气/{城市}"),
        named("get", "/x", "查询天气", "气象"),
        named("post", "/x", "Größe_ändern", "Maße"),
    ]
    assert plan_names(items) == ["天气.get天气城市", "气象.查询天气", "maße.größeÄndern"]


def test_what_a_name_cannot_hold_is_told_apart_by_the_operation_alone() -> None:
    """An emoji is neither a letter nor a separator: without it two operations may look the same."""
    rocket, boat = named("get", "/a", "go🚀", "t"), named("get", "/b", "go⛵", "t")
    (alone,) = plan_names([rocket])
    assert alone == f"t.goGet{short_hash(rocket)}"
    assert plan_names([boat, rocket]) == [*plan_names([boat]), alone]


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("get_sum", "get_sum"),
        ("a.b", "a.b"),
        ("$x", "$x"),
        ("查询天气", "查询天气"),
        ("München", "München"),
        ("मौसम", "मौसम"),
        ("файлы.удалить", "файлы.удалить"),
        ("get-sum", "get_sum_"),
        ("get sum", "get_sum_"),
        ("a/b", "a_b_"),
        ("2fa", "_2fa_"),
        ("then", "then__"),
        ("a..b", "a.b_"),
        ("..", "tool_"),
        ("Mu\u0308nchen", "München_"),
        ("a\u200bb", "a_b_"),
        ("a\u3164", "a__"),
        ("🚀", "__"),
        ("taken", "taken_"),
    ],
)
def test_a_name_that_is_no_address_ends_with_a_hash_of_the_original(original: str, name: str) -> None:
    (made,) = unique_names([original], reserved={"taken"})
    assert made == (name if name == original else name + name_hash(original))


def test_names_do_not_depend_on_the_order_of_the_list() -> None:
    originals = ["查询天气", "删除文件", "a/b", "a-b", "a_b", "München", "Mu\u0308nchen", "then", "then_"]
    names = dict(zip(originals, unique_names(originals), strict=True))
    backwards = dict(zip(originals[::-1], unique_names(originals[::-1]), strict=True))
    assert names == backwards
    assert names == {one: unique_names([one])[0] for one in originals}


def test_nothing_keeps_a_name_that_another_one_has_as_well() -> None:
    """A server that lists the very name that another tool was given gets neither that name nor the other's."""
    given = unique_names(["a-b"])[0]
    first, second = unique_names(["a-b", given])
    assert given not in (first, second)
    assert first != second
    assert unique_names(["x", "x"], ["field x", "operation x"]) == [
        f"x_{name_hash('field x')}",
        f"x_{name_hash('operation x')}",
    ]


def test_names_that_executor_shows_for_public_documents() -> None:
    """Its own tests name these tools of Cloudflare's and Vercel's documents."""
    cloudflare = Named(
        "post", "/accounts/{id}/access/apps", "access-applications-add-an-application", "Access Applications"
    )
    vercel = Named("post", "/v13/deployments", "createDeployment", "deployments")
    assert plan_names([cloudflare, vercel]) == [
        "accessApplications.accessApplicationsAddAnApplication",
        "deployments.createDeployment",
    ]


def test_names_of_executors_own_small_documents() -> None:
    """What its tests show: an operationId that repeats its group, and a name given by the document."""
    pets = [
        named("get", "/pets", "pets.listPets", "pets"),
        named("get", "/pets/{petId}", "pets.getPet", "pets"),
    ]
    assert plan_names(pets) == ["pets.listPets", "pets.getPet"]
    path = "/gmail/v1/users/{userId}/messages"
    given = Named("get", path, "gmail.usersMessagesList", None, "users.messages.list")
    assert plan_names([given]) == ["users.messages.list"]


def test_names_given_by_the_document_collide_like_others_and_keep_their_parts() -> None:
    first, second = (Named(m, p, "x", "t", "users.list") for m, p in (("get", "/v1/a"), ("post", "/b")))
    assert plan_names([first, second]) == ["users.v1.list", "users.list"]
    assert plan_names([second, Named("get", "/c", "y", "t", "users.list")]) == [
        "users.listPost",
        "users.listGet",
    ]
    assert plan_names([Named(m, "/a", "x", "t", "solo") for m in ("get", "put")]) == [
        "solo.soloGet",
        "solo.soloPut",
    ]


@pytest.mark.parametrize(
    ("item", "digits"),
    [
        (named("get", "/dup/{a}"), "00y04bdj"),
        (named("get", "/"), "00o70ix9"),
        (named("post", "/v1/ü", "mk"), "00sqwwll"),
    ],
)
def test_short_hash_is_the_one_javascript_computes(item: Named, digits: str) -> None:
    """The values come from Node. Without an operationId the method and path in snake case stand for it."""
    assert short_hash(item) == digits


def test_short_hash_is_eight_base36_characters() -> None:
    value = short_hash(named("get", "/a", "x"))
    assert len(value) == 8
    assert set(value) <= set("0123456789abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("word", ["then", "constructor", "__proto__", "prototype", "toJSON"])
def test_T4_words_javascript_treats_specially_are_escaped(word: str) -> None:
    assert safe_segment(word) == f"{word}_"


@given(st.text(max_size=40))
def test_any_text_becomes_an_address(text: str) -> None:
    for segment in safe_name(text).split("."):
        assert segment.replace("$", "_").isidentifier()


@given(
    st.lists(
        st.tuples(st.sampled_from(["get", "post"]), st.text(max_size=8), st.text(max_size=8)), max_size=12
    )
)
def test_planned_names_are_unique(raw: list[tuple[str, str, str]]) -> None:
    names = plan_names([named(method, f"/{path}", identifier) for method, path, identifier in raw])
    assert len(set(names)) == len(raw)


@given(st.lists(st.text(max_size=6), max_size=12, unique=True), st.randoms(use_true_random=False))
def test_unique_names_are_unique_addresses_in_any_order(originals: list[str], random: Random) -> None:
    names = dict(zip(originals, unique_names(originals), strict=True))
    assert len(set(names.values())) == len(originals)
    assert all(safe_name(name) == name for name in names.values())
    shuffled = random.sample(originals, len(originals))
    assert dict(zip(shuffled, unique_names(shuffled), strict=True)) == names
