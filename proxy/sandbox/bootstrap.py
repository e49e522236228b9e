"""Starts the zygote, or the transform, in a bare interpreter (`python -I -S`) with the least of imports.

The packages above are entered without running their `__init__`, which would import the pool and asyncio.
"""

from __future__ import annotations

import sys
from types import ModuleType


def enter_packages(sandbox_directory: str) -> None:
    """Make `proxy.sandbox.*` importable from that directory."""
    for name, places in (("proxy", []), ("proxy.sandbox", [sandbox_directory])):
        module = ModuleType(name)
        module.__path__ = places
        sys.modules[name] = module


if __name__ == "__main__":
    enter_packages(sys.argv[1])
    if sys.argv[2] == "transform":
        from proxy.sandbox.transform import main
    else:
        from proxy.sandbox.zygote import main

    main(sys.argv[3:])
