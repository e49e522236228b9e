"""`python -m proxy` is `executor`."""

import sys

from proxy.cli import main

sys.exit(main())
