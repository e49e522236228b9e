"""`{pack: read-only, integration: github}` in a list of policies: the pack's rules, in its place and order.

A rule of a pack is called `<pack>/<rule>` (or `<id>/<rule>` where the entry has an `id`), so every explanation
names the pack; its place is the entry's line. `<integration>` in patterns stands for the entry's integration;
an entry without one means every integration, which only packs without addresses of their own can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, GetJsonSchemaHandler, PrivateAttr, Tag, model_validator
from pydantic_core import CoreSchema

from integrations.fields import JsonSchema, Maybe, Model, NonEmptyTuple, PrincipalName, Text, problem
from proxy.config.bundled import PACKS
from proxy.config.policy import RuleConfig

PLACEHOLDER = "<integration>"
EVERYTHING = f"{PLACEHOLDER}.*"


class PackRule(RuleConfig):
    """A rule that came from a pack."""


class _PackNames:
    """Adds the names of the packs to the JSON Schema, for completion."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"type": "string", "enum": list(PACKS.names())}


def _pack(value: object) -> object:
    known = PACKS.names()
    if not isinstance(value, str) or value in known:
        return value
    near = get_close_matches(value.lower().replace("_", "-"), known, n=1, cutoff=0.6)
    listed = f"expected one of: {', '.join(known)}"
    raise problem(
        "E204", f"`{value}` is not a pack", f"did you mean `{near[0]}`? {listed}" if near else listed
    )


class PackUse(Model):
    """The rules of a pack that ships with Executor. Narrowed to `principals` where they are given."""

    pack: Annotated[str, BeforeValidator(_pack), _PackNames()]
    integration: Maybe[Text] = None
    principals: Maybe[NonEmptyTuple[PrincipalName]] = None
    id: Maybe[Text] = None
    _rules: tuple[PackRule, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _expanded(self) -> PackUse:
        rules = PACKS.read(self.pack)["rules"]
        if self.integration is None and any(rule["pattern"] != EVERYTHING for rule in rules):
            raise problem("E202", "missing required key `integration`", at="integration")
        self._rules = tuple(map(self._rule, rules))
        return self

    def rules(self) -> tuple[PackRule, ...]:
        """What the entry stands for."""
        return self._rules

    def _rule(self, rule: dict[str, Any]) -> PackRule:
        changed: dict[str, Any] = {
            "id": f"{self.id or self.pack}/{rule['id']}",
            "pattern": self._pattern(rule["pattern"]),
        }
        if self.principals is not None:
            changed["principals"] = self.principals
        return PackRule.model_validate({**rule, **changed})

    def _pattern(self, pattern: str) -> str:
        return "*" if self.integration is None else pattern.replace(PLACEHOLDER, self.integration)


def _pack_or_rule(value: object) -> str:
    return "=pack" if isinstance(value, PackUse) or (isinstance(value, dict) and "pack" in value) else "=rule"


PolicyEntry = Annotated[
    Annotated[RuleConfig, Tag("=rule")] | Annotated[PackUse, Tag("=pack")], Discriminator(_pack_or_rule)
]


def rules_of(entries: Sequence[RuleConfig | PackUse]) -> list[tuple[int, RuleConfig]]:
    """Every rule in order, each with the index of the entry it stands in."""
    return [(index, rule) for index, entry in enumerate(entries) for rule in _rules(entry)]


def _rules(entry: RuleConfig | PackUse) -> tuple[RuleConfig, ...]:
    return entry.rules() if isinstance(entry, PackUse) else (entry,)
