from integrations.graphql.config import GraphQl, IntrospectionFile

ENDPOINT = {"kind": "graphql", "endpoint": "https://x.example.com/graphql"}


def test_introspection_is_live_or_a_file() -> None:
    assert GraphQl.model_validate(ENDPOINT).introspection == "live"
    found = GraphQl.model_validate({**ENDPOINT, "introspection": {"file": "schema.graphql"}})
    assert found.introspection == IntrospectionFile(file="schema.graphql")
