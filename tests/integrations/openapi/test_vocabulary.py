from integrations.base import JsonObject
from integrations.openapi.operations import find_operations
from integrations.openapi.vocabulary import Vocabulary


def keywords(document: JsonObject) -> list[str]:
    (operation,) = find_operations(document, lambda _: None)
    return Vocabulary(document).keywords(operation).split()


def posting(schema: JsonObject, **document: JsonObject) -> JsonObject:
    body = {"content": {"application/json": {"schema": schema}}}
    return {"openapi": "3.1.0", "paths": {"/things": {"post": {"requestBody": body}}}, **document}


def test_values_of_enums_come_before_names_of_properties() -> None:
    schema: JsonObject = {"properties": {"type": {"enum": ["reboot", "resize", 5]}, "size": {}}}
    assert keywords(posting(schema)) == ["reboot", "resize", "type", "size"]


def test_branches_and_discriminators_count() -> None:
    schema: JsonObject = {
        "discriminator": {"propertyName": "kind", "mapping": {"shutdown": "#/components/schemas/Off"}},
        "oneOf": [{"$ref": "#/components/schemas/Off"}],
    }
    off: JsonObject = {"schemas": {"Off": {"properties": {"grace_period": {"type": "integer"}}}}}
    assert keywords(posting(schema, components=off)) == ["shutdown", "grace_period"]


def test_the_parameters_of_swagger_2_and_its_bodies_count() -> None:
    parameters = [
        {"in": "query", "name": "dryRun"},
        {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/P"}},
    ]
    document: JsonObject = {
        "swagger": "2.0",
        "paths": {"/pods": {"post": {"parameters": parameters}}},
        "definitions": {"P": {"properties": {"restartPolicy": {"enum": ["Always", "Never"]}}}},
    }
    assert keywords(document) == ["dryRun", "Always", "Never", "restartPolicy"]


def test_what_a_document_says_its_things_are_is_said_of_their_operations() -> None:
    droplets: JsonObject = {
        "tags": [{"name": "Things", "description": "A Thing is a virtual machine. More."}]
    }
    assert "machine." in keywords(posting({}, **droplets))


def test_recursive_and_wide_schemas_end() -> None:
    node: JsonObject = {"properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    wide: JsonObject = {"properties": {f"p{n}": {"type": "string"} for n in range(500)}}
    said = keywords(posting({"allOf": [node, wide]}, components={"schemas": {"Node": node}}))
    assert "next" in said
    assert len(said) <= 60
