from __future__ import annotations

from integrations.graphql.operations import NamedOperation
from integrations.graphql.schema import FieldDefinition, GraphQlSchema, Type
from integrations.graphql.tools import list_entries
from integrations.naming import name_hash
from tests.integrations.graphql.server import schema


def operation(name: str, kind: str = "query") -> NamedOperation:
    return NamedOperation(name, kind, f"{kind} {name} {{ me {{ id }} }}", "", (), ("me",))  # type: ignore[arg-type]


def names(*operations: NamedOperation) -> list[str]:
    return [entry.definition.name for entry in list_entries(schema(), operations)]


def test_root_fields_become_tools_but_no_subscriptions() -> None:
    found = names()
    assert found[:3] == ["query.me", "query.user", "query.userBy"]
    assert found[-1] == "mutation.partly"
    assert "subscription.ticks" not in found
    assert len(set(found)) == len(found)


def test_t4_names_that_javascript_treats_specially_are_changed_and_stay_unique() -> None:
    assert "query.then" not in names()
    assert [name for name in names() if name.startswith("query.then")] == [
        f"query.then__{name_hash('query field then')}",
        "query.then_",
    ]


def test_named_operations_stand_in_the_same_groups_and_never_take_a_name() -> None:
    found = names(operation("Report"), operation("me"), operation("Drop", "mutation"))
    assert found[-3:] == ["query.Report", f"query.me_{name_hash('query operation me')}", "mutation.Drop"]
    assert f"query.me_{name_hash('query field me')}" in found
    assert "query.me" not in found, "a rule written for the field never comes to mean the operation"


def test_risk_title_and_words() -> None:
    entries = {entry.definition.name: entry.definition for entry in list_entries(schema(), [])}
    me, create = entries["query.me"], entries["mutation.createUser"]
    assert (me.risk, me.idempotent, me.title) == ("read", True, "The signed-in user.")
    assert me.description == "The signed-in user.\nMay be null."
    assert (create.risk, create.idempotent, create.title) == ("write", False, "Create user")
    assert create.keywords == "CreateUserPayload input login role teamId extra"
    assert entries["mutation.deleteAll"].risk == "write"
    old = entries["query.old"]
    assert old.deprecated
    assert old.description == "Deprecated: use version"


def test_a_schema_without_mutations_has_none() -> None:
    field = FieldDefinition("_", "String", "", (), None)
    query = Type("OBJECT", "Q", "", {"_": field}, {}, (), (), (), None, False)
    text = Type("SCALAR", "String", "", {}, {}, (), (), (), None, False)
    (entry,) = list_entries(GraphQlSchema({"Q": query, "String": text}, "Q", "", frozenset({"Q"})), [])
    assert (entry.definition.name, entry.definition.title) == ("query._", "_")
    assert entry.arguments == ()
