from integrations.schema_types.references import (
    InlineReferences,
    WrittenOutReferences,
    children_of,
    resolve,
    written_out,
)

ROOT = {"$defs": {"A": {"type": "string"}, "B": {"$ref": "#/$defs/A"}, "O": {"properties": {}}, "a/b": False}}


def test_pointers_lead_to_schemas() -> None:
    assert resolve(ROOT, "#") is ROOT
    assert resolve(ROOT, "#/$defs/a~1b") is False
    assert resolve(ROOT, "#/$defs/none") is True


def test_short_ones_are_written_out() -> None:
    assert written_out(ROOT, "#/$defs/B") == {"type": "string"}
    assert written_out(ROOT, "#/$defs/O") is None
    assert InlineReferences(ROOT).written_out("#/$defs/O") is None
    assert WrittenOutReferences(ROOT).written_out("#/$defs/O") == {"properties": {}}


def test_only_a_base_has_children() -> None:
    discriminator = {"propertyName": "k", "mapping": {"a": "#/$defs/A", "b": "#/$defs/A"}}
    found = children_of({"discriminator": discriminator})
    assert found == {"oneOf": [{"$ref": "#/$defs/A"}], "discriminator": discriminator}
    assert children_of({"discriminator": discriminator, "oneOf": []}) is None
    assert children_of({"discriminator": {"propertyName": "k"}}) is None
    assert children_of(True) is None
