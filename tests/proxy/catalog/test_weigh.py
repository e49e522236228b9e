from proxy.catalog import build_index
from proxy.catalog.query import parse_query
from proxy.catalog.weigh import aliases, weigh
from tests.proxy.catalog.samples import Tools, tool

ISSUES = build_index(
    Tools(
        (
            tool("issues.list", "List issues"),
            tool("issues.get", "Get an issue"),
            tool("gists.list", "List gists"),
        )
    )
)
OTHER = build_index(
    Tools((tool("pods.list", "List pods"), tool("pods.get", "Get a pod"), tool("gists.x", "Gists")))
)


def best(text: str, *indexes: object) -> float:
    (term,) = weigh(indexes or (ISSUES,), parse_query(text))  # type: ignore[arg-type]
    return term.best


def test_a_rare_word_is_worth_more() -> None:
    assert best("gists") > best("issues")


def test_what_no_document_knows_is_as_rare_as_can_be() -> None:
    assert best("pods", ISSUES) == best("zzzz", ISSUES)
    assert best("pods", ISSUES, OTHER) < best("zzzz", ISSUES, OTHER)


def test_typing_errors_are_forgiven_only_where_no_document_knows_the_word() -> None:
    (term,) = weigh((ISSUES,), parse_query("pod"))
    assert term.forms == ()
    (term,) = weigh((ISSUES,), parse_query("gistss"))
    assert [form for form, _ in term.forms] == ["gist"]


def test_a_common_verb_is_worth_no_more_than_the_action_it_stands_for() -> None:
    writes = build_index(
        Tools(
            (
                tool("a.put", "Put", method="PUT", path="/a"),
                *(tool(f"b.x{n}", method="POST", path="/b") for n in range(9)),
            )
        )
    )
    verb, noun = weigh((writes,), parse_query("put b"))
    assert verb.best <= max(value for _, value in verb.actions)
    assert noun.best > 0


def test_a_weak_word_is_worth_half() -> None:
    assert best("my") == best("zzzz") / 2


def test_what_a_document_says_of_one_resource_alone_is_another_word_for_it() -> None:
    droplets = [
        tool(f"droplets.x{n}", description="a machine", method="GET", path="/droplets") for n in range(3)
    ]
    others = [tool(f"o.x{n}", method="GET", path=f"/others{n}") for n in range(20)]
    index = build_index(Tools((*droplets, *others)))
    assert aliases(index, weigh((index,), parse_query("machine")))["droplet"] > 0.5
    assert aliases(index, weigh((index,), parse_query("others"))) == {}
