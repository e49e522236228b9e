"""References to secrets, and how secrets in plain text are recognised."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, model_validator
from pydantic_core import PydanticCustomError

from integrations.fields.addresses import HeaderName
from integrations.fields.base import Maybe, Model, Text, problem
from integrations.fields.settings import ENV_NAME_PATTERN, EnvName

_REFERENCE_HELP = "write {env: NAME} or {file: PATH}"


def _refuse_plain_text(value: str) -> PydanticCustomError:
    template = re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}?", value)
    if template:
        return problem(
            "E406", f"`${{{template[1]}}}` is taken literally here", f"did you mean {{env: {template[1]}}}?"
        )
    return problem(
        "E401",
        "secret written in plain text",
        f"{_REFERENCE_HELP}, and replace the secret: it is in the file",
    )


def _check_reference(value: object) -> object:
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, str) and value:
        raise _refuse_plain_text(value)
    if not isinstance(value, dict):
        raise problem("E206", "expected a secret reference", _REFERENCE_HELP)
    if set(value) == {"env", "file"}:
        raise problem("E209", "set exactly one of `env`, `file`")
    if "default" in value and "env" in value:
        raise problem("E206", "expected a secret reference: a secret has no default", _REFERENCE_HELP)
    if set(value) not in ({"env"}, {"file"}):
        raise problem("E206", "expected a secret reference", _REFERENCE_HELP)
    return value


class SecretRef(Model):
    """Where a secret is, never the secret itself: a variable, or a file (re-read when it changes)."""

    env: Maybe[EnvName] = None
    file: Maybe[Text] = None

    model_config = ConfigDict(
        json_schema_extra={
            "type": "object",
            "properties": {
                "env": {
                    "type": "string",
                    "pattern": ENV_NAME_PATTERN,
                    "description": "environment variable",
                },
                "file": {"type": "string", "minLength": 1, "description": "path, relative to this file"},
            },
            "oneOf": [{"required": ["env"]}, {"required": ["file"]}],
            "additionalProperties": False,
        }
    )

    @model_validator(mode="before")
    @classmethod
    def _shape(cls, value: object) -> object:
        return _check_reference(value)

    def __str__(self) -> str:
        return f"env {self.env}" if self.env else f"file {self.file}"


def _text_or_reference(value: object) -> str:
    return "=reference" if isinstance(value, dict | SecretRef) else "=text"


def _header_text(value: object) -> object:
    if isinstance(value, str) and re.search(r"[\r\n\x00]", value):
        raise problem("E206", "a header value must be one line")
    return value


TextOrSecret = Annotated[
    Annotated[str, BeforeValidator(_header_text), Tag("=text")] | Annotated[SecretRef, Tag("=reference")],
    Discriminator(_text_or_reference),
]
HeaderFields = dict[HeaderName, TextOrSecret]

_SECRET_NAME = re.compile(
    r"^(authorization|proxy-authorization|cookie)$|token|secret|password|api[_-]?key$|private[_-]?key$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|glpat-[\w-]{10,}|sk_(?:live|test)_\w{8,}|rk_live_\w{8,}"
    r"|sk-[A-Za-z0-9_-]{20,}|xox[abpros]-[\w-]{8,}|AKIA[0-9A-Z]{12,}|eyJ[\w-]{6,}(?:\.[\w-]*){0,2}|AIza[\w-]{20,})"
    r"|-----BEGIN(?! (?:CERTIFICATE|PUBLIC KEY)-)[ A-Z]*"
)


def names_a_secret(name: str) -> bool:
    """True for header and variable names whose value must be a reference."""
    return _SECRET_NAME.search(name) is not None


def looks_like_a_secret(value: str) -> bool:
    """True for text in the form of well-known credentials (`ghp_...`, `AKIA...`, a JWT, a PEM block)."""
    return _SECRET_TEXT.search(value) is not None


def mask_secrets(value: str) -> str:
    """The text with everything that looks like a credential, and URL user information, replaced."""
    masked = _SECRET_TEXT.sub("********", value)
    return re.sub(r"(://)[^\s/@\"']+@", r"\1********@", masked)
