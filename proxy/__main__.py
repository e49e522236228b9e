"""`python -m proxy` is `executor`."""

import sys

from proxy.early_signals import early_signals

with early_signals(sys.argv[1:]):
    from proxy.cli import main

sys.exit(main())
