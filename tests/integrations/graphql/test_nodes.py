from integrations.graphql.nodes import TYPENAME, InlineFragment, SelectedField, print_nodes


def test_selections_are_printed_on_one_line() -> None:
    nodes = (
        TYPENAME,
        SelectedField("posts", (SelectedField("id"),), "(first: 10)", "latest"),
        InlineFragment("User", (SelectedField("login"),)),
        InlineFragment("", (SelectedField("id"),)),
    )
    assert print_nodes(nodes) == (
        "__typename latest: posts(first: 10) { id } ... on User { login } ... { id }"
    )
    assert [node.key for node in nodes if isinstance(node, SelectedField)] == ["__typename", "latest"]
