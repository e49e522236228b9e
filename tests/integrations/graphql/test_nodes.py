from integrations.graphql.nodes import TYPENAME, Field, Inline, print_nodes


def test_selections_are_printed_on_one_line() -> None:
    nodes = (
        TYPENAME,
        Field("posts", (Field("id"),), "(first: 10)", "latest"),
        Inline("User", (Field("login"),)),
        Inline("", (Field("id"),)),
    )
    assert print_nodes(nodes) == (
        "__typename latest: posts(first: 10) { id } ... on User { login } ... { id }"
    )
    assert [node.key for node in nodes if isinstance(node, Field)] == ["__typename", "latest"]
