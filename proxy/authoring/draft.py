"""A draft: entries for a config, what they need from the environment, and what could not be taken over.

Rules:
- No value that could be a secret enters a draft: its place holds `{env: NAME}`, and `variables` names it.
- Whatever the source said and the draft does not is a line in `left`; whatever reads differently is one in `notes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from integrations.fields.names import RESERVED, as_identifier

YamlEntry = dict[str, Any]
NO_AUTH: Final[YamlEntry] = {}


@dataclass(slots=True)
class Draft:
    """`variables`: name -> what it is for. Mappings are as they will stand in the YAML."""

    integrations: dict[str, YamlEntry] = field(default_factory=dict)
    connections: dict[str, YamlEntry] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _values: dict[str, str] = field(default_factory=dict)

    def add(self, wanted: str, integration: YamlEntry, connection: YamlEntry, place: str) -> str:
        """One integration with its connection, under the nearest valid name that is free. Returns that name."""
        name = self._free(wanted)
        if name != wanted:
            self.notes.append(f"{place}: is called `{name}` here (names are letters, digits and _)")
        self.integrations[name] = integration
        self.connections[f"{name}.org.main"] = connection
        return name

    def without(self, name: str, why: str) -> None:
        """Take an integration out again, and say why."""
        self.integrations.pop(name, None)
        for key in [key for key in self.connections if key.partition(".")[0] == name]:
            del self.connections[key]
        self.left.append(f"{name}: {why}")

    def variable(self, wanted: str, value: str, purpose: str, owner: str) -> YamlEntry:
        """A reference for a value that must not be written down. Equal names with other values are kept apart."""
        name = variable_name(wanted)
        if self._values.get(name, value) != value:
            name = variable_name(f"{owner}_{wanted}")
        count = 2
        while self._values.get(name, value) != value:
            name, count = variable_name(f"{owner}_{wanted}_{count}"), count + 1
        self._values[name] = value
        self.variables.setdefault(name, purpose)
        return {"env": name}

    def existing(self, name: str, purpose: str) -> YamlEntry:
        """A reference to a variable that the source names itself."""
        self.variables.setdefault(name, purpose)
        return {"env": name}

    def needed(self) -> dict[str, str]:
        """The variables that the entries refer to."""
        named = set(_variables([self.integrations, self.connections]))
        return {name: purpose for name, purpose in self.variables.items() if name in named}

    def _free(self, wanted: str) -> str:
        name = as_identifier(wanted) or "server"
        if name in RESERVED:
            name = f"{name}_server"
        first, count = name, 2
        while name in self.integrations:
            name, count = f"{first[:60]}_{count}", count + 1
        return name


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for below in value:
            yield from _variables(below)
    elif isinstance(value, dict):
        if set(value) == {"env"}:
            yield str(value["env"])
        else:
            yield from _variables(list(value.values()))


def variable_name(text: str) -> str:
    """The name of an environment variable: capitals, digits and _."""
    name = as_identifier(text).upper()
    return name if name.strip("_") else "SECRET"
