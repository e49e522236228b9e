"""May this call proceed? Pure: no async, no clock, no I/O."""

from policies.decide import Caller

__all__ = ["Caller"]
