from proxy.catalog import ToolIndex, build_index
from proxy.catalog.match import match
from proxy.catalog.query import parse_query
from proxy.catalog.weigh import weigh
from tests.proxy.catalog.samples import Tools, tool

TOOLS = Tools(
    (
        tool("issues.update", "Update an issue", "write"),
        tool("issues.updateComment", "Update an issue comment", "write"),
        tool("issues.list", "List issues"),
        tool("labels.remove", "Remove a label from an issue", "destructive"),
        tool("labels.list", "List labels for an issue"),
        tool("repositories.list", "List repositories"),
    )
)


def names(text: str, index: ToolIndex | None = None) -> list[str]:
    index = index or build_index(TOOLS)
    query = parse_query(text)
    return [
        index.tools[number].name
        for _, number in match(index, query, weigh([index], query), (0.0,) * len(query.terms))
    ]


def test_the_closest_name_comes_first() -> None:
    assert names("update issue")[:2] == ["issues.update", "issues.updateComment"]
    assert names("update issue comment")[0] == "issues.updateComment"


def test_synonyms_match() -> None:
    assert names("close an issue")[0] == "issues.update"
    assert names("delete label")[0] == "labels.remove"


def test_one_word_that_fits_is_enough_and_more_words_come_first() -> None:
    assert names("repositories zzzz") == ["repositories.list"]
    assert names("zzzz") == []
    assert names("remove label zzzz yyyy")[0] == "labels.remove"


def test_a_verb_alone_is_what_method_and_path_say() -> None:
    paths = (("hooks.a", "POST", "/hooks"), ("hooks.b", "PATCH", "/hooks/{id}"),
             ("hooks.c", "GET", "/hooks"), ("hooks.d", "GET", "/hooks/{id}"))  # fmt: skip
    index = build_index(Tools(tuple(tool(name, method=method, path=path) for name, method, path in paths)))
    assert names("add a webhook", index)[0] == "hooks.a"
    assert names("change a webhook", index)[0] == "hooks.b"
    assert names("list webhooks", index)[0] == "hooks.c"
    assert names("create", index) == []  # a verb alone names nothing


def test_versions_of_a_resource_share_a_place_and_the_newest_stable_one_has_it() -> None:
    versions = ("v1beta1", "v1", "v2alpha1")
    old_and_new = tuple(tool(f"{v}.job", "List jobs", method="GET", path=f"/apis/{v}/jobs") for v in versions)
    other = tool("x.jobLog", "Show the log of a job", method="GET", path="/logs/{job}")
    index = build_index(Tools((*old_and_new, other)))
    assert names("list jobs", index) == ["v1.job", "x.jobLog", "v1beta1.job", "v2alpha1.job"]


def test_two_words_find_what_a_name_writes_as_one() -> None:
    index = build_index(Tools((tool("batch.listCronjobs"), tool("batch.listJobs"))))
    assert names("cron job", index)[0] == "batch.listCronjobs"


def test_markup_is_no_text() -> None:
    linked = tool("x.one", description='See <a href="https://a.example/zebra">the docs</a> of [it](/quagga)')
    assert names("zebra", build_index(Tools((linked,)))) == []
    assert names("quagga", build_index(Tools((linked,)))) == []


def test_exact_beats_prefix_beats_substring() -> None:
    index = build_index(Tools((tool("portfolio.x"), tool("port.x"), tool("export.x"))))
    assert names("port", index) == ["port.x", "portfolio.x"]
    assert names("xpor", index) == ["export.x"]


def test_typing_errors_are_forgiven_only_if_nothing_else_matches() -> None:
    assert names("repositries")[0] == "repositories.list"


def test_the_kind_of_operation_decides_between_equals() -> None:
    index = build_index(Tools((tool("x.purge", "label", "destructive"), tool("y.purge", "label", "read"))))
    assert names("show label", index) == ["y.purge", "x.purge"]
    assert names("purge label", index) == ["x.purge", "y.purge"]
    assert names("view purge label", index)[0] == "y.purge"


def test_deprecated_tools_come_after_their_equals() -> None:
    index = build_index(Tools((tool("x.find", deprecated=True), tool("y.find"))))  # type: ignore[arg-type]
    assert names("find", index) == ["y.find", "x.find"]


def test_ties_are_broken_by_name() -> None:
    index = build_index(Tools((tool("c.same"), tool("a.same"), tool("b.same"))))
    assert names("same", index) == ["a.same", "b.same", "c.same"]


def test_a_granted_term_counts_as_matched() -> None:
    index = build_index(TOOLS)
    query = parse_query("acme labels")
    found = match(index, query, weigh([index], query), (0.6, 0.0))
    assert {index.tools[number].name for _, number in found[:2]} == {"labels.list", "labels.remove"}
    query = parse_query("acme")
    assert len(match(index, query, weigh([index], query), (0.6,))) == len(TOOLS.tools)


def test_many_matches_keep_a_total_order() -> None:
    many = build_index(Tools(tuple(tool(f"thing{n:04}.get", "Get thing") for n in range(700))))
    found = names("get thing", many)
    assert len(found) == 700
    assert len(set(found)) == 700
    assert found == names("get thing", many)


def test_a_query_without_words_matches_nothing() -> None:
    assert names("?!") == []
