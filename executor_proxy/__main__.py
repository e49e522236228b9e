"""The commands `executor` and `executor-proxy`, and `python -m executor_proxy`.

A wheel has `proxy`, `policies` and `integrations` below `_src`: `proxy` is also the name of a widely used package
(proxy.py), and of two packages of one name in a site directory one breaks. In a checkout there is no `_src`.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Run the command line; the exit code."""
    packages = Path(__file__).with_name("_src")
    if packages.is_dir():
        sys.path.insert(0, str(packages))
    from proxy.early_signals import early_signals

    with early_signals(sys.argv[1:]):
        from proxy.cli import main as command_line
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
