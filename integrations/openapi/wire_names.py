"""Which argument a name on the wire belongs to: every name has one owner, so that no argument can speak for another.

An exploded object sends its own names (`filter: {amount: 1}` is `?amount=1`), and headers ignore case. Rules:
- A name that is declared, or that the connection, the config or the path supplies, is nobody else's, given or not.
- So is a name that servers often read as the same one: in another case, with blanks around, with brackets behind
  (`amount[]`).
- A name with control characters is nobody's unless it is declared: servers cut it off there, or leave them out.
- Any other name belongs to the first exploded object that takes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from integrations.openapi.binding import OperationParameter
from integrations.openapi.text_schema import TextSchema

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

SuppliedNames = frozenset[tuple[str, str]]
"""Location and name of what the connection or the config adds to every request: arguments cannot set it."""


@dataclass(frozen=True, slots=True)
class NamedParameter:
    """A parameter with what its schema says."""

    parameter: OperationParameter
    schema: TextSchema

    @property
    def sends_members(self) -> bool:
        """Are the names of an object's members sent as names of their own?"""
        one = self.parameter
        if one.style == "querystring":
            return one.media_type is None
        exploded = one.explode and one.media_type is None and one.style in ("form", "cookie")
        return exploded and self.schema.allows("object")

    @property
    def sends_own_name(self) -> bool:
        if self.parameter.style == "querystring":
            return self.parameter.media_type is not None
        return not self.sends_members or self.schema.is_scalar or self.schema.allows("array")


class WireNames:
    """The names of one location. `supplied` maps names that arguments cannot use to who supplies them."""

    def __init__(
        self, location: str, parameters: Sequence[NamedParameter], supplied: Mapping[str, str]
    ) -> None:
        self._location = location
        self._supplied = {name.strip().casefold(): who for name, who in supplied.items()}
        self._owner: dict[str, str] = {}
        for one in parameters:
            if one.sends_own_name:
                self._owner.setdefault(_exact(one.parameter.name, location), one.parameter.name)
        for one in parameters:
            for name in one.schema.names() if one.sends_members else ():
                self._owner.setdefault(_exact(name, location), one.parameter.name)
        self._families: dict[str, str] = {}
        for name, owner in self._owner.items():
            for similar in (name, name.removesuffix("[]")):
                self._families.setdefault(similar.strip().casefold(), owner)
        self._rest = next((one.parameter.name for one in parameters if one.sends_members), None)

    def refusal(self, parameter: str, names: Iterable[str]) -> str | None:
        """Why the parameter cannot send these names; None when all are its own."""
        for name in names:
            if _exact(name, self._location) not in self._owner and _CONTROL.search(name):
                return f"would be sent as {json.dumps(name)}: leave the control characters out, servers differ on them"
            who = _first(self._supplied, _similar(name))
            if who is not None:
                return f"would be sent as `{name}`, which {who}: leave it out"
            owner = self._owner.get(_exact(name, self._location)) or _first(self._families, _similar(name))
            owner = owner or self._rest
            if owner is not None and owner != parameter:
                place = (
                    f"the {self._location} {'field' if self._location == 'form' else 'parameter'} `{owner}`"
                )
                return f"would be sent as `{name}`, which belongs to {place}: give it there"
        return None


def _exact(name: str, location: str) -> str:
    return name.casefold() if location == "header" else name


def _similar(name: str) -> tuple[str, str]:
    """What servers may read the name as."""
    folded = name.strip().casefold()
    return folded, folded.split("[")[0].strip()


def _first(known: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((known[name] for name in names if name in known), None)


def is_supplied(parameter: OperationParameter, supplied: SuppliedNames) -> bool:
    """Does the connection or the config send something under this name? Names of headers ignore case."""
    names = {name.casefold() for location, name in supplied if location == parameter.location}
    return parameter.name.casefold() in names
