"""The words by which an operation can be found beside its name and summary: tags, parameters, and what its body says.

What an operation does is often said in its body alone: `POST /droplets/{id}/actions` reboots because `type` may be
`reboot`. So names of properties, values of enums and names of discriminated schemas count, a few levels deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from integrations.base import JsonObject
from integrations.openapi.operations import Operation, resolve
from integrations.openapi.pointer import BRANCHES, mapping, strings

_DEPTH: Final = 4
_WORDS: Final = 60
_ABOUT_CHARACTERS: Final = 200
_LONGEST: Final = 40


class Vocabulary:
    """Of one document. What a referenced schema says is found once."""

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._of_reference: dict[tuple[str, int], tuple[str, ...]] = {}
        self._about = dict(_definitions(document))

    def keywords(self, operation: Operation) -> str:
        """Most telling first; whoever indexes them may cut."""
        tags = list(strings(operation.body.get("tags")))
        words = dict.fromkeys(tags)
        nouns = [*tags, *(part for part in operation.path.split("/") if part and "{" not in part)]
        words.update((self._about[noun], None) for one in nouns if (noun := _noun(one)) in self._about)
        words.update(dict.fromkeys(self._parameters(operation)))
        words.update(dict.fromkeys(self._body(operation)))
        return " ".join(words)

    def _parameters(self, operation: Operation) -> Iterator[str]:
        for holder in (operation.item, operation.body):
            parameters = holder.get("parameters")
            for raw in parameters if isinstance(parameters, list) else []:
                parameter = resolve(self._document, raw)
                if parameter is None:
                    continue
                if parameter.get("in") == "body":
                    yield from self._of(parameter.get("schema"), _DEPTH)
                elif isinstance(parameter.get("name"), str):
                    yield parameter["name"]

    def _body(self, operation: Operation) -> Iterator[str]:
        body = resolve(self._document, operation.body.get("requestBody"))
        for media in list(mapping(mapping(body).get("content")).values())[:1]:
            yield from self._of(mapping(media).get("schema"), _DEPTH)

    def _of(self, schema: Any, depth: int) -> tuple[str, ...]:
        """At most 60 words of a schema: values of enums and names of branches first, then names of properties."""
        if depth == 0 or not isinstance(schema, dict):
            return ()
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return self._said(schema, depth)
        known = self._of_reference.get((reference, depth))
        if known is None:
            target = resolve(self._document, schema)
            known = self._said(target, depth) if target is not None else ()
            self._of_reference[(reference, depth)] = known
        return known

    def _said(self, schema: JsonObject, depth: int) -> tuple[str, ...]:
        telling: dict[str, None] = dict.fromkeys(_values(schema))
        telling.update(dict.fromkeys(mapping(mapping(schema.get("discriminator")).get("mapping"))))
        named: dict[str, None] = {}
        for name, inner in mapping(schema.get("properties")).items():
            named[name] = None
            telling.update(dict.fromkeys(_values(inner)))
        for branch in BRANCHES:
            inner = schema.get(branch)
            for each in inner if isinstance(inner, list) else []:
                telling.update(dict.fromkeys(self._of(each, depth - 1)))
        for inner in mapping(schema.get("properties")).values():
            if len(telling) + len(named) < _WORDS:
                named.update(dict.fromkeys(self._of(inner, depth - 1)))
        named.update(dict.fromkeys(self._of(schema.get("items"), depth - 1)))
        return tuple(dict.fromkeys((*telling, *named)))[:_WORDS]


def _values(schema: Any) -> Iterator[str]:
    values = schema.get("enum") if isinstance(schema, dict) else None
    for value in values if isinstance(values, list) else []:
        if isinstance(value, str) and 2 < len(value) <= _LONGEST:
            yield value


def _definitions(document: JsonObject) -> Iterator[tuple[str, str]]:
    """What a document says its things are ("A Droplet is a virtual machine"), by the thing in one word."""
    schemas = mapping(mapping(document.get("components")).get("schemas")) or mapping(
        document.get("definitions")
    )
    for name, schema in schemas.items():
        if isinstance(schema, dict) and isinstance(schema.get("description"), str):
            yield _noun(name.rpartition(".")[2]), schema["description"].split(". ", 1)[0][:_ABOUT_CHARACTERS]
    tags = document.get("tags")
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and isinstance(tag.get("description"), str):
            yield _noun(str(tag.get("name"))), tag["description"][:_ABOUT_CHARACTERS]


def _noun(text: str) -> str:
    """`Load Balancers`, `load_balancers` and `LoadBalancer` are one."""
    compact = "".join(filter(str.isalnum, text)).lower()
    return compact.removesuffix("es") + "e" if compact.endswith("ses") else compact.removesuffix("s")
