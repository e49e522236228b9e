"""JSON Schema (2020-12, closed over its `$defs`) as TypeScript types, within a byte budget and safe to show."""

from integrations.schema_types.declare import ToolTypes, render_inline_type, render_tool_types
from integrations.schema_types.text import (
    comment_text,
    is_hidden,
    one_line,
    property_name,
    string_literal,
    visible,
)

__all__ = [
    "ToolTypes",
    "comment_text",
    "is_hidden",
    "one_line",
    "property_name",
    "render_inline_type",
    "render_tool_types",
    "string_literal",
    "visible",
]
