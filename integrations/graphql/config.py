"""What an `integrations.<name>` entry of kind `graphql` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from integrations.fields import Model, Text, Tuple, Url
from integrations.shared_config import ApproveByDefault, HttpIntegration


class IntrospectionFile(Model):
    """A file with the schema: SDL or introspection JSON."""

    file: Text


class Selection(Model):
    """How much the default selection of a query asks for."""

    depth: Annotated[int, Field(ge=1, le=5)] = 2
    fields: Annotated[int, Field(ge=1, le=1000)] = 40


def _file_or_live(value: object) -> str:
    return "=file" if isinstance(value, dict | IntrospectionFile) else "=live"


class GraphQl(HttpIntegration):
    """A GraphQL endpoint."""

    kind: Literal["graphql"]
    endpoint: Url
    introspection: Annotated[
        Annotated[Literal["live"], Tag("=live")] | Annotated[IntrospectionFile, Tag("=file")],
        Discriminator(_file_or_live),
    ] = "live"
    documents: Tuple[Text] = ()
    selection: Selection = Selection()
    approve_by_default: ApproveByDefault = "reads"
    include: Tuple[Text] = ()
    exclude: Tuple[Text] = ()
