from integrations.graphql.operations import NamedOperation, operation_from, operation_json
from integrations.graphql.schema import InputValue


def test_operations_survive_the_way_through_the_child_process() -> None:
    variables = (InputValue("id", "ID!", "", None, None), InputValue("n", "Int", "", "3", None))
    operation = NamedOperation("A", "query", "query A { me { id } }", "Says who.", variables, ("me",))
    assert operation_from(operation_json(operation)) == operation
