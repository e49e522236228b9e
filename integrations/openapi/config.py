"""What an `integrations.<name>` entry of kind `openapi` may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from integrations.fields import Duration, HeaderName, Maybe, Model, Text, Tuple, Url, problem
from integrations.shared_config import ApproveByDefault, HttpIntegration, PatchOperation

Validate = Literal["strict", "lenient", "off"]
"""How much of a document's schemas a request has to keep: all of it, what would surely fail otherwise, nothing."""


class OpenApiSource(Model):
    """Where the document is: exactly one of `url`, `file` (relative to this file), `inline`."""

    url: Maybe[Url] = None
    file: Maybe[Text] = None
    inline: Maybe[dict[str, Any]] = None
    refresh: Maybe[Duration] = None

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, value: object) -> object:
        if not isinstance(value, dict):
            likely = "url" if isinstance(value, str) and "://" in value else "file"
            fix = (
                f"did you mean `{{{likely}: {value}}}`?"
                if isinstance(value, str)
                else "write {url: ...} or {file: ...}"
            )
            raise problem("E206", "expected a mapping", fix)
        given = [key for key in ("url", "file", "inline") if key in value]
        unknown = set(value) - {"url", "file", "inline", "refresh"}
        if len(given) > 1 or (not given and not unknown):
            raise problem("E209", "set exactly one of `url`, `file`, `inline`")
        if "refresh" in value and given and "url" not in given:
            raise problem("E206", "only for a `url`", "files are read again when they change", "refresh")
        return value


class OpenApi(HttpIntegration):
    """An HTTP API described by an OpenAPI document."""

    kind: Literal["openapi"]
    spec: OpenApiSource
    base_url: Maybe[Url] = None
    approve_by_default: ApproveByDefault = "reads"
    include: Tuple[Text] = ()
    exclude: Tuple[Text] = ()
    hide_parameters: Tuple[Text] = ()
    overrides: Tuple[PatchOperation] = ()
    idempotency_key: Maybe[HeaderName] = None
    validate_: Annotated[Validate, Field(alias="validate")] = "lenient"
