"""Where people can go: the pages in the order of their navigation. What is not in this list has no entry there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONSOLE_PATH: Final = "/console"


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """`path` is a whole path of ours; pages below it belong to it, as do those below `also`. `operators`: others do not
    see it."""

    title: str
    path: str
    operators: bool = False
    also: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether the page at this path is this entry's, or below it."""
        if path == self.path or path.startswith(self.also):
            return True
        return self.path != CONSOLE_PATH and path.startswith(f"{self.path}/")


NAVIGATION: Final = (
    NavigationEntry("Overview", CONSOLE_PATH),
    NavigationEntry("Connections", f"{CONSOLE_PATH}/connections"),
    NavigationEntry("Tools", f"{CONSOLE_PATH}/tools"),
    NavigationEntry("Policies", f"{CONSOLE_PATH}/policies", operators=True),
    NavigationEntry("Approvals", "/approvals", also=("/resume/",)),
    NavigationEntry("Executions", f"{CONSOLE_PATH}/executions", also=(f"{CONSOLE_PATH}/run",)),
    NavigationEntry("Connect", f"{CONSOLE_PATH}/connect"),
)


def entries(*, console: bool, operator: bool) -> tuple[NavigationEntry, ...]:
    """What this person can open. Without the console there is one page, which needs no navigation."""
    if not console:
        return ()
    return tuple(one for one in NAVIGATION if operator or not one.operators)
