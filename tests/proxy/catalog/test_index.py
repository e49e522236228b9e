from proxy.catalog import build_index
from tests.proxy.catalog.samples import Tools, github_tools, tool

TOOLS = Tools(
    (tool("issues.list", "List issues"), tool("issues.get", "Get an issue"), tool("gists.list", "List gists"))
)


def test_words_point_to_tools_in_order() -> None:
    index = build_index(TOOLS)
    assert list(index.postings["list"].tools) == [0, 2]
    assert list(index.postings["issu"].tools) == [0, 1]
    assert index.names[0] == ("issu", "list")
    assert index.vocabulary == tuple(sorted(index.vocabulary))


def test_a_word_knows_what_it_is_worth_in_all() -> None:
    index = build_index(TOOLS)
    assert index.postings["list"].sum == sum(index.postings["list"].worth)


def test_what_a_path_and_a_method_say_is_kept() -> None:
    index = build_index(Tools((tool("a.b", method="GET", path="/v1/hot_tubs/{id}"), tool("c.d"))))
    assert index.leaves == (("hot", "tub"), ())
    assert index.actions[0] == ("+get",)


def test_names_weigh_more_than_descriptions() -> None:
    index = build_index(Tools((tool("a.b", description="zebra"), tool("zebra.b"))))
    in_description, in_name = index.postings["zebra"].worth
    assert in_name > in_description


def test_building_twice_gives_the_same() -> None:
    one, other = build_index(github_tools()), build_index(github_tools())
    assert one.postings == other.postings
    assert one.numbers == other.numbers


def test_of_two_tools_with_one_name_the_first_is_kept() -> None:
    index = build_index(Tools((tool("a.b", "first"), tool("a.b", "second"), tool("a.c"))))
    assert [each.title for each in index.tools] == ["first", ""]
    assert index.numbers == {"a.b": 0, "a.c": 1}


def test_an_empty_toolset_is_fine() -> None:
    index = build_index(Tools(()))
    assert index.vocabulary == ()
    assert index.with_prefix("abc") == []
    assert index.resembling("word") == []


def test_neighbours_of_a_word() -> None:
    index = build_index(Tools((tool("issue.issuer.issuant"), tool("tissue.box"))))
    assert index.with_prefix("issu") == ["issuant", "issuer"]
    assert index.with_prefix("is") == []
    assert index.containing("ssu") == ["issu", "issuant", "issuer", "tissu"]
    assert index.containing("ss") == []
    assert "issuer" in index.resembling("isuer")
    assert index.resembling("abc") == []
