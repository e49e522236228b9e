import pytest

from proxy.catalog import Catalog, Missing, everything, finished
from tests.proxy.catalog.samples import Tools, catalog, connection, github, tool

TOOLS = Tools((tool("things.get", "Get a thing"), tool("things.delete", "Delete a thing", "destructive")))


def mixed() -> Catalog:
    return catalog(
        connection("b.org.main", TOOLS, "Things\u202e"),
        connection("a.org.main", None, "Broken", status="needs_auth"),
        connection("c.user.bob", TOOLS),
    )


def test_connections_are_in_order_of_prefix_whatever_the_order_given() -> None:
    assert [here.prefix for here in mixed().connections] == ["a.org.main", "b.org.main", "c.user.bob"]
    assert len(mixed()) == 4
    assert [each.prefix for each in mixed().all()] == ["b.org.main"] * 2 + ["c.user.bob"] * 2


def test_two_connections_of_one_prefix_are_refused() -> None:
    with pytest.raises(ValueError, match="same integration"):
        catalog(connection("a.org.main", TOOLS), connection("a.org.main", None))


def test_the_revision_changes_with_what_is_offered() -> None:
    same = mixed().revision
    assert mixed().revision == same
    assert catalog(*mixed().connections[:2]).revision != same
    assert catalog(*mixed().connections, sha256="1" * 64).revision != same
    renewed = connection("c.user.bob", Tools(TOOLS.tools, digest="other"))
    assert catalog(*mixed().connections[:2], renewed).revision != same
    assert (
        catalog(*mixed().connections[:2], connection("c.user.bob", TOOLS, status="disabled")).revision != same
    )


def test_namespaces_show_status_and_count_what_is_visible() -> None:
    listed = mixed().namespaces(lambda each: each.definition.risk == "read" and each.owner == "org")
    assert [(each["namespace"], each["toolCount"], each["status"]) for each in listed] == [
        ("a.org.main", 0, "needs_auth"),
        ("b.org.main", 1, "connected"),
    ]
    assert listed[1] == {
        "namespace": "b.org.main",
        "integration": "b",
        "owner": "org",
        "connection": "main",
        "title": "Things\\u{202E}",
        "kind": "openapi",
        "toolCount": 1,
        "status": "connected",
    }


def test_search_items_have_the_documented_shape() -> None:
    found = mixed().search_json("get thing", "b", 1, 0, everything)
    (item,) = found["items"]
    assert item.pop("score") > 0.5
    assert item == {
        "path": "b.org.main.things.get",
        "name": "things.get",
        "description": "Get a thing",
        "integration": "b",
    }
    assert {key: found[key] for key in ("total", "hasMore", "nextOffset")} == {
        "total": 2,
        "hasMore": True,
        "nextOffset": 1,
    }


def test_tools_are_listed_in_order_and_by_page() -> None:
    first = finished(mixed().tools("", "", 3, 0, everything))
    assert [item["path"] for item in first["items"]] == [
        "b.org.main.things.get",
        "b.org.main.things.delete",
        "c.user.bob.things.get",
    ]
    assert first["nextOffset"] == 3
    rest = finished(mixed().tools("", "", 3, 3, everything))
    assert [item["path"] for item in rest["items"]] == ["c.user.bob.things.delete"]
    assert not rest["hasMore"]
    assert rest["items"][0]["risk"] == "destructive"


def test_tools_can_be_searched_and_come_with_types() -> None:
    (item,) = finished(mixed().tools("tools.c", "delete", 5, 0, everything, include_schemas=True))["items"]
    assert item["path"] == "c.user.bob.things.delete"
    assert item["inputTypeScript"] == "{}"
    assert item["typeScriptDefinitions"] == ""


def test_discover_names_a_best_path_only_if_it_clearly_wins() -> None:
    one = finished(github().discover("latest release", 3, everything))
    assert one["bestPath"] == "github.org.main.repos.getLatestRelease"
    assert set(one["results"][0]) == {"path", "description"}
    assert len(one["results"]) <= 3
    equal = finished(mixed().discover("get thing", 5, everything))
    assert equal["bestPath"] is None
    assert equal["total"] == 4
    none = finished(mixed().discover("zzz", 5, everything))
    assert none["bestPath"] is None
    assert (none["results"], none["total"]) == ([], 0)


def test_what_is_not_ready_stands_where_its_tools_would_be() -> None:
    reason = {"namespace": "a.org.main", "status": "needs_auth"}
    some = mixed()
    assert some.search_json("thing", "", 5, 0, everything)["notReady"] == [reason]
    assert finished(some.tools("a", "", 5, 0, everything))["notReady"] == [reason]
    assert finished(some.discover("thing", 5, everything))["notReady"] == [reason]
    assert "notReady" not in finished(some.tools("c", "", 5, 0, everything))
    assert "notReady" not in some.search_json("thing", "", 5, 1, everything)


def test_a_tool_of_a_connection_without_tools_is_missing_because_of_it() -> None:
    for path, prefix in [
        ("a.org.main.things.get", "a.org.main"),
        ("tools.a.things.get", "a.org.main"),
        ("a.org.other.things.get", "a.org.main"),
        ("c.user.bob.things.grt", None),
        ("nowhere.org.main.things.get", None),
    ]:
        found = mixed().find(path)
        assert isinstance(found, Missing)
        assert found.connection == prefix, path


def test_the_same_tool_of_another_connection_is_an_alternative_and_no_rival() -> None:
    two = catalog(connection("b.org.main", TOOLS), connection("b.org.sandbox", TOOLS))
    found = finished(two.discover("get thing", 5, everything))
    assert found["bestPath"] == "b.org.main.things.get"
    assert found["alternatives"] == ["b.org.sandbox.things.get"]
    allowed = finished(two.discover("get thing", 5, lambda each: each.prefix == "b.org.sandbox"))
    assert (allowed["bestPath"], "alternatives" in allowed) == ("b.org.sandbox.things.get", False)


def test_discover_in_full() -> None:
    (item,) = finished(mixed().discover("delete", 1, everything, compact=False, include_schemas=True))[
        "results"
    ]
    assert {"path", "name", "integration", "score", "risk", "inputTypeScript"} <= item.keys()


def test_suggestions_for_a_hidden_tool_are_those_for_an_absent_one() -> None:
    hidden = mixed().suggestions("b.org.main.things.delete", lambda each: each.name != "things.delete")
    assert "b.org.main.things.delete" not in hidden
    assert "b.org.main.things.get" in hidden


def test_negative_pages_are_the_first_page() -> None:
    assert finished(mixed().tools("", "", -1, -5, everything))["items"] == []
